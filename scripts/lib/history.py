"""A journal that has seen many orders already, written in bulk by the journal's own statements."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from service.clock import SystemClock
from service.core.ids import new_order_id
from service.core.markets import MATH
from service.core.orders import Fill, Intent, Order, OrderStatus, OrderType, Side, Sizing, SizingMethod, TraceContext
from service.folders import make_folder
from service.journal import database, holdings, reads, rows
from service.journal.lock import JournalLock
from service.journal.protocol import StoredAnswer
from service.journal.queries import SQL

SOURCE = "history"

_DAY_NS = 86_400 * 1_000_000_000
_KEPT_NS = 30 * _DAY_NS
_AT_ONCE = 10_000
"""Orders in one transaction: some 15 MB of log, and one flush of the disk."""

_WAY = (OrderStatus.RECEIVED, OrderStatus.SUBMITTED, OrderStatus.FILLED)


class Lane(NamedTuple):
    """Where orders were filled; `quantity` of each in base units, `price` in quote units."""

    exchange: str
    account: str
    symbol: str
    quantity: Decimal
    price: Decimal


class Finished(NamedTuple):
    """All that the journal holds of one filled order."""

    order: Order
    fill: Fill
    answer: StoredAnswer


def write_history(data: Path, lanes: Sequence[Lane], count: int) -> None:
    """So many filled orders of yesterday, with transitions, fills and idempotency keys, into the journal in `data`.

    The lanes take turns, and each buys and sells in turn. Made if it is missing; raises what opening a journal
    raises, JournalLocked where a service runs on it.
    """
    make_folder(data)
    path = data / "journal.sqlite"
    lock = JournalLock(path)
    try:
        database.create_file(path)
        database.migrate(path, SystemClock())
        file = database.JournalFile(path)
        with closing(file.connect()) as connection:
            for begun in range(0, count, _AT_ONCE):
                _write(connection, list(_finished(lanes, range(begun, min(count, begun + _AT_ONCE)))))
            file.empty_log(connection)
    finally:
        lock.release()


def finished(lane: Lane, side: Side, now_ns: int) -> Finished:
    """An order that was received at `now_ns` (Unix nanoseconds) and filled at once."""
    order_id = new_order_id(now_ns, secrets.token_bytes(10))
    exchange_order_id = f"history-{now_ns}-{secrets.token_hex(4)}"
    order = Order(
        id=order_id,
        client_order_id=f"history-{order_id}",
        source=SOURCE,
        exchange=lane.exchange,
        account=lane.account,
        symbol=lane.symbol,
        order_type=OrderType.MARKET,
        sizing=Sizing(method=SizingMethod.EXPLICIT, value=lane.quantity),
        intent=Intent.ENTRY,
        received_ns=now_ns,
        updated_ns=now_ns,
        trace=TraceContext(secrets.token_hex(16), secrets.token_hex(8)),
        status=OrderStatus.FILLED,
        version=len(_WAY) - 1,
        side=side,
        quantity=lane.quantity,
        filled_qty=lane.quantity,
        average_price=lane.price,
        exchange_order_id=exchange_order_id,
        attempts=1,
        submitted_ns=now_ns,
        outcome_counted=True,
        settled=True,
    )
    fill = Fill(
        id=exchange_order_id,
        client_order_id=order.client_order_id,
        quantity=lane.quantity,
        price=lane.price,
        fee=Decimal("0.01"),
        fee_currency="USDT",
        ts_event_ns=now_ns,
    )
    answer = StoredAnswer(
        source=SOURCE,
        key=order_id,
        content_hash=order_id,
        order_id=order_id,
        trace_id=order.trace.trace_id,
        span_id=order.trace.span_id,
        status=202,
        body=b"{}",
        created_ns=now_ns,
        expires_ns=now_ns + _KEPT_NS,
    )
    return Finished(order, fill, answer)


def _finished(lanes: Sequence[Lane], numbers: range) -> Iterator[Finished]:
    yesterday_ns = time.time_ns() - _DAY_NS
    for number in numbers:
        turn, lane = divmod(number, len(lanes))
        # A millisecond each: their ids then sort as they come, and every index grows at its end only.
        yield finished(lanes[lane], Side.SELL if turn % 2 else Side.BUY, yesterday_ns + number * 1_000_000)


def _write(connection: sqlite3.Connection, batch: Sequence[Finished]) -> None:
    connection.execute(SQL.begin)
    connection.executemany(SQL.claim_answer, (rows.answer_row(one.answer) for one in batch))
    connection.executemany(SQL.insert_order, (rows.inserted(one.order) for one in batch))
    connection.executemany(SQL.insert_transition, (row for one in batch for row in _transitions(one.order)))
    connection.executemany(SQL.insert_fill, (rows.fill_row(one.order, one.fill) for one in batch))
    _hold(connection, batch)
    connection.execute(SQL.commit)


def _transitions(order: Order) -> Iterator[rows.Row]:
    """As rows, in the order of the statement's columns; shorter than three structures an order."""
    before: str | None = None
    for version, status in enumerate(_WAY):
        yield order.id, version, order.received_ns, before, status.value, None, None, None
        before = status.value


def _hold(connection: sqlite3.Connection, batch: Sequence[Finished]) -> None:
    held: dict[tuple[str, str, str, str], tuple[Decimal, int]] = {}
    for order, fill, _ in batch:
        whose = (order.exchange, order.account, order.symbol, order.source)
        before = held[whose][0] if whose in held else reads.holding(connection, whose)
        # Each is later than the one before.
        held[whose] = MATH.add(before, holdings.change(order, fill)), fill.ts_event_ns
    sums = ((*whose, str(quantity), newest_ns) for whose, (quantity, newest_ns) in held.items())
    connection.executemany(SQL.put_holding, sums)
