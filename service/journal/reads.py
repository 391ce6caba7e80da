"""What is read from the journal: plain functions over a connection, each bounded by an index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from service.core.markets import MATH
from service.core.orders import FINAL, Fill, Order, OrderStatus, Transition
from service.journal import rows
from service.journal.protocol import Finding, HaltLevel, OrderQuery, StoredAnswer
from service.journal.queries import SQL

FINISHED = FINAL - {OrderStatus.ABSENT}
"""The statuses that the schema's column `finished` is true for."""

ABSENT_LOOK_UPS_NS = 86_400 * 1_000_000_000
"""For how long after its last change an ABSENT order is still looked up: a day."""

_AFTER_ALL = "\U0010ffff"
"""Sorts behind every id."""


_KEYS_AT_ONCE = 20_000
"""How many keys are read in one go: a few hundredths of a second, for which other reads wait."""


def keys(connection: sqlite3.Connection, after: int) -> tuple[list[tuple[str, str]], int | None]:
    """Sources and keys of some answers behind row `after`, and the last one's row; None where there are no more."""
    found = connection.execute(SQL.keys, {"after": after, "limit": _KEYS_AT_ONCE}).fetchall()
    last = found[-1]["rowid"] if len(found) == _KEYS_AT_ONCE else None
    return [(source, key) for source, key, _ in found], last


def answer(connection: sqlite3.Connection, source: str, key: str, now_ns: int) -> StoredAnswer | None:
    row = connection.execute(SQL.answer, {"source": source, "key": key, "now_ns": now_ns}).fetchone()
    return None if row is None else rows.answer_of(row)


def halts(connection: sqlite3.Connection) -> dict[str, HaltLevel]:
    return {row["account"]: HaltLevel(row["level"]) for row in connection.execute(SQL.halts)}


def find_order(connection: sqlite3.Connection, reference: str) -> Order | None:
    """An id of one kind may equal one of another: ours decide before the exchange's, the newest among equals."""
    for sql in (SQL.order_by_id, SQL.order_by_client_order_id, SQL.order_by_exchange_order_id):
        row = connection.execute(sql, {"reference": reference}).fetchone()
        if row is not None:
            return rows.order_of(row)
    return None


def orders_of_account(
    connection: sqlite3.Connection, exchange: str, account: str, client_order_ids: Sequence[str]
) -> dict[str, Order]:
    """By client order id, those that are there."""
    whose = {"exchange": exchange, "account": account}
    found: dict[str, Order] = {}
    with _one_state(connection):
        for client_order_id in client_order_ids:
            row = connection.execute(SQL.order_of_account, {**whose, "client_order_id": client_order_id}).fetchone()
            if row is not None:
                found[client_order_id] = rows.order_of(row)
    return found


def transitions(connection: sqlite3.Connection, order_id: str) -> list[Transition]:
    return [rows.transition_of(row) for row in connection.execute(SQL.transitions, {"order_id": order_id})]


def fills(connection: sqlite3.Connection, order_id: str) -> list[Fill]:
    return [rows.fill_of(row) for row in connection.execute(SQL.fills, {"order_id": order_id})]


def newest_fill_ns(connection: sqlite3.Connection, exchange: str, account: str) -> int | None:
    newest: int | None
    (newest,) = connection.execute(SQL.newest_fill_ns, {"exchange": exchange, "account": account}).fetchone()
    return newest


def holding(connection: sqlite3.Connection, whose: tuple[str, str, str, str]) -> Decimal:
    """Base units; `whose` is exchange, account, symbol and source."""
    row = connection.execute(SQL.holding, whose).fetchone()
    return Decimal(0) if row is None else Decimal(row["quantity"])


def holdings(connection: sqlite3.Connection, exchange: str, account: str) -> dict[str, Decimal]:
    """Base units of all sources together, by symbol."""
    held: dict[str, Decimal] = {}
    for symbol, quantity in connection.execute(SQL.holdings_of_account, {"exchange": exchange, "account": account}):
        held[symbol] = MATH.add(held.get(symbol, Decimal(0)), Decimal(quantity))
    return held


def findings(connection: sqlite3.Connection) -> list[Finding]:
    """By exchange, account, kind and reference."""
    return [rows.finding_of(row) for row in connection.execute(SQL.findings)]


def anomalies(connection: sqlite3.Connection, order_id: str) -> list[str]:
    """Each as `kind: detail`, oldest first."""
    found = connection.execute(SQL.anomalies, {"order_id": order_id})
    return [f"{row['kind']}: {row['detail']}" for row in found]


def unfinished(connection: sqlite3.Connection, now_ns: int | None) -> list[Order]:
    """What is unsettled, oldest first; an ABSENT order for `ABSENT_LOOK_UPS_NS` only, where the time is given."""
    since = -1 if now_ns is None else now_ns - ABSENT_LOOK_UPS_NS
    return [rows.order_of(row) for row in connection.execute(SQL.unfinished_orders, {"absent_since_ns": since})]


def list_orders(connection: sqlite3.Connection, query: OrderQuery) -> list[Order]:
    """Newest first. Every walk below reads at most `limit` entries of an index that has exactly its orders."""
    limit = max(query.limit, 0)
    with _one_state(connection):
        ids = {order_id for sql, values in _walks(connection, query) for (order_id,) in connection.execute(sql, values)}
        newest = sorted(ids, reverse=True)[:limit]
        return [
            rows.order_of(connection.execute(SQL.order_by_id, {"reference": order_id}).fetchone())
            for order_id in newest
        ]


def _walks(connection: sqlite3.Connection, query: OrderQuery) -> Iterator[tuple[str, dict[str, object]]]:
    """The index walks whose results, merged, begin with the page."""
    page: dict[str, object] = {"after": query.after or _AFTER_ALL, "limit": max(query.limit, 0)}
    if not query.statuses and query.symbol is None and query.account is None:
        yield SQL.newest_ids, page
        return
    accounts = _accounts(connection, query)
    for status in query.statuses or tuple(OrderStatus):
        page["status"] = status.value
        if status not in FINISHED:
            yield SQL.unfinished_ids, {**page, "symbol": query.symbol, "account": query.account}
        elif query.symbol is not None:
            for account in accounts:
                yield SQL.finished_ids_of_symbol, {**page, "symbol": query.symbol, "account": account}
        elif query.account is not None:
            yield SQL.finished_ids_of_account, {**page, "account": query.account}
        else:
            yield SQL.finished_ids, page


def _accounts(connection: sqlite3.Connection, query: OrderQuery) -> Sequence[str]:
    if query.account is not None or query.symbol is None:
        return [] if query.account is None else [query.account]
    found = connection.execute(SQL.accounts_of_symbol, {"symbol": query.symbol})
    return [account for (account,) in found]


@contextmanager
def _one_state(connection: sqlite3.Connection) -> Iterator[None]:
    """All statements inside see the same commit: an order that moves meanwhile is neither missed nor met twice."""
    connection.execute(SQL.begin_read)
    try:
        yield
    finally:
        connection.execute(SQL.commit)
