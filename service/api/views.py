"""Orders as the interface shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from service.core.orders import Fill, Order, Transition
from service.journal.protocol import Finding


def timestamp(ns: int | None) -> str | None:
    """RFC 3339 in UTC, microseconds."""
    if ns is None:
        return None
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).replace(microsecond=ns % 1_000_000_000 // 1000).isoformat()


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def summary(order: Order) -> dict[str, object]:
    """One order in a listing; quantities in base units, prices in quote units, as decimal strings."""
    return {
        "order_id": order.id,
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "source": order.source,
        "exchange": order.exchange,
        "account": order.account,
        "symbol": order.symbol,
        "side": None if order.side is None else order.side.value,
        "action": order.action.value,
        "order_type": order.order_type.value,
        "leg": order.leg.value,
        "status": order.status.value,
        "reason": order.reason,
        "detail": order.detail,
        "quantity": _plain(order.quantity),
        "contracts": _plain(order.contracts),
        "adjusted_from": _plain(order.adjusted_from),
        "filled_qty": _plain(order.filled_qty),
        "leaves_qty": _plain(order.leaves_qty),
        "average_price": _plain(order.average_price),
        "price": _plain(order.price),
        "stop_price": _plain(order.stop_price),
        "arrival_price": _plain(order.arrival_price),
        "reduce_only": order.reduce_only,
        "tag": order.tag,
        "comment": order.comment,
        "attempts": order.attempts,
        "cancel_requested": order.cancel_requested,
        "received_at": timestamp(order.received_ns),
        "updated_at": timestamp(order.updated_ns),
        "trace_id": order.trace.trace_id,
    }


def details(
    order: Order,
    transitions: Sequence[Transition],
    fills: Sequence[Fill],
    anomalies: Sequence[str],
    trace_url: str | None,
) -> dict[str, object]:
    """One order with its history."""
    return summary(order) | {
        "transitions": [
            {
                "version": step.version,
                "at": timestamp(step.ts_ns),
                "from": None if step.from_status is None else step.from_status.value,
                "to": step.to_status.value,
                "reason": step.reason,
                "detail": step.detail,
            }
            for step in transitions
        ],
        "fills": [
            {
                "id": fill.id,
                "at": timestamp(fill.ts_event_ns),
                "quantity": _plain(fill.quantity),
                "price": _plain(fill.price),
                "fee": _plain(fill.fee),
                "fee_currency": fill.fee_currency,
            }
            for fill in fills
        ],
        "fees": {currency: _plain(amount) for currency, amount in _fees(fills).items()},
        "anomalies": list(anomalies),
        "links": {"trace": f"/orders/{order.id}/trace", "trace_ui": trace_url},
    }


def finding(found: Finding) -> dict[str, object]:
    """One thing that exchange and journal do not agree on."""
    return {
        "exchange": found.exchange,
        "account": found.account,
        "kind": found.kind,
        "reference": found.reference,
        "symbol": found.symbol,
        "detail": found.detail,
        "first_seen": timestamp(found.first_seen_ns),
        "last_seen": timestamp(found.last_seen_ns),
    }


def _fees(fills: Sequence[Fill]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for fill in fills:
        totals[fill.fee_currency] = totals.get(fill.fee_currency, Decimal(0)) + fill.fee
    return totals
