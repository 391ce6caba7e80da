"""Orders and their steps, as plain as they can be."""

from __future__ import annotations

from decimal import Decimal
from itertools import count

import msgspec

from service.core.orders import Fill, Intent, Order, OrderType, Side, Sizing, SizingMethod, TraceContext, Transition
from service.journal.protocol import AuditEvent, Finding, StoredAnswer

_serial = count(1)

EVENT = AuditEvent(ts_ns=1, event_type="halt", client_ip="127.0.0.1", result="done")


def an_order(**changes):
    order_id = f"{next(_serial):032x}"
    fields = {
        "id": order_id,
        "client_order_id": f"fp{order_id}",
        "source": "tradingview",
        "exchange": "paper",
        "account": "main",
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "sizing": Sizing(method=SizingMethod.EXPLICIT, value=Decimal(1)),
        "intent": Intent.ENTRY,
        "received_ns": 1_000,
        "trace": TraceContext("a" * 32, "b" * 16),
        "updated_ns": 1_000,
    }
    return Order(**{**fields, **changes})


def its_answer(order, **changes):
    fields = {
        "source": order.source,
        "key": order.id,
        "content_hash": "c" * 64,
        "order_id": order.id,
        "trace_id": order.trace.trace_id,
        "span_id": order.trace.span_id,
        "status": 202,
        "body": order.id.encode(),
        "created_ns": 1_000,
        "expires_ns": 2_000,
    }
    return StoredAnswer(**{**fields, **changes})


def moved(order, status, **changes):
    """The order one version on, and the transition that says so."""
    after = msgspec.structs.replace(order, status=status, version=order.version + 1, **changes)
    transition = Transition(
        order_id=order.id, version=after.version, ts_ns=after.updated_ns, from_status=order.status, to_status=status
    )
    return after, transition


def a_fill(order, fill_id, **changes):
    fields = {
        "id": fill_id,
        "client_order_id": order.client_order_id,
        "quantity": Decimal("0.5"),
        "price": Decimal("65000.10"),
        "fee": Decimal("0.01"),
        "fee_currency": "USDT",
        "ts_event_ns": 5_000,
    }
    return Fill(**{**fields, **changes})


def a_finding(reference, **changes):
    fields = {
        "exchange": "paper",
        "account": "main",
        "kind": "unknown_order",
        "reference": reference,
        "symbol": "BTC/USDT",
        "detail": "rests there, not known here",
    }
    return Finding(**{**fields, **changes})


async def journaled(journal, **changes):
    order = an_order(**changes)
    await journal.append(order, its_answer(order))
    return order
