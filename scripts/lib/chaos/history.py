"""A journal that has seen many orders already, so that the time of a restart over it can be measured."""

from __future__ import annotations

import asyncio
import secrets
import time
from decimal import Decimal
from pathlib import Path

import msgspec

from scripts.lib.chaos.places import PLACES, exchange_name
from service.core.ids import new_order_id
from service.core.orders import (
    Fill,
    Intent,
    Order,
    OrderStatus,
    OrderType,
    Side,
    Sizing,
    SizingMethod,
    TraceContext,
    Transition,
)
from service.journal.protocol import StoredAnswer
from service.journal.sqlite import SqliteJournal

SOURCE = "history"
_AGE_NS = 86_400 * 1_000_000_000
_AT_ONCE = 1_000
_KEPT_NS = 30 * _AGE_NS


async def write_history(data: Path, venue: str, count: int) -> None:
    """So many filled orders of yesterday, each with its transitions, fill and idempotency key."""
    journal = SqliteJournal.open(data / "journal.sqlite")
    try:
        for begun in range(0, count, _AT_ONCE):
            numbers = range(begun, min(count, begun + _AT_ONCE))
            await asyncio.gather(*(_write(journal, venue, number) for number in numbers))
    finally:
        await journal.close()


async def _write(journal: SqliteJournal, venue: str, number: int) -> None:
    received = _received(venue, time.time_ns() - _AGE_NS + number)
    await journal.append(received, _answer(received))
    quantity, price = received.sizing.value, Decimal(50000)
    submitted = _moved(received, OrderStatus.SUBMITTED, quantity=quantity, attempts=1, submitted_ns=received.updated_ns)
    await journal.record(submitted, _transition(received, submitted))
    filled = _moved(
        submitted,
        OrderStatus.FILLED,
        filled_qty=quantity,
        average_price=price,
        exchange_order_id=f"history-{number}",
        outcome_counted=True,
        settled=True,
    )
    fill = Fill(
        id=f"history-{number}",
        client_order_id=filled.client_order_id,
        quantity=quantity,
        price=price,
        fee=Decimal("0.01"),
        fee_currency="USDT",
        ts_event_ns=filled.updated_ns,
    )
    await journal.record(filled, _transition(submitted, filled), [fill])


def _received(venue: str, now_ns: int) -> Order:
    place = PLACES[venue]
    order_id = new_order_id(now_ns, secrets.token_bytes(10))
    return Order(
        id=order_id,
        client_order_id=f"history-{order_id}",
        source=SOURCE,
        exchange=exchange_name(venue, 0),
        account=place.account_names[0],
        symbol=place.traded[0].symbol,
        order_type=OrderType.MARKET,
        sizing=Sizing(method=SizingMethod.EXPLICIT, value=Decimal(place.traded[0].quantity)),
        intent=Intent.ENTRY,
        received_ns=now_ns,
        updated_ns=now_ns,
        trace=TraceContext(secrets.token_hex(16), secrets.token_hex(8)),
        side=Side.BUY,
    )


def _answer(order: Order) -> StoredAnswer:
    return StoredAnswer(
        source=SOURCE,
        key=order.id,
        content_hash=order.id,
        order_id=order.id,
        trace_id=order.trace.trace_id,
        span_id=order.trace.span_id,
        status=202,
        body=b"{}",
        created_ns=order.received_ns,
        expires_ns=order.received_ns + _KEPT_NS,
    )


def _moved(before: Order, to_status: OrderStatus, **fields: object) -> Order:
    return msgspec.structs.replace(before, status=to_status, version=before.version + 1, **fields)


def _transition(before: Order, after: Order) -> Transition:
    return Transition(
        order_id=after.id,
        version=after.version,
        ts_ns=after.updated_ns,
        from_status=before.status,
        to_status=after.status,
    )
