"""What a report from the exchange changes about an order of ours."""

from __future__ import annotations

import msgspec

from service.core.orders import FINAL, Order, OrderStatus, is_allowed
from service.core.outcomes import OrderReport

_KEPT_BY_PARTIAL_FILL = frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.CANCELED, OrderStatus.EXPIRED})
_OPEN = frozenset({OrderStatus.ACCEPTED, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED})


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """`order` with the report's figures (status and version untouched), and the step to take, if any.

    `impossible` is set where the report's status fits no transition: a fact to store and alarm. The figures are
    facts either way.
    """

    order: Order
    to_status: OrderStatus | None
    changed: bool
    impossible: bool


def effect_of(order: Order, report: OrderReport) -> Effect:
    """Compare and decide; the caller journals. The report must be newer than `order`."""
    filled = max(order.filled_qty, report.filled_qty)
    average = report.average_price if report.filled_qty >= order.filled_qty else order.average_price
    updated = msgspec.structs.replace(
        order,
        filled_qty=filled,
        average_price=average or order.average_price,
        exchange_order_id=report.exchange_order_id or order.exchange_order_id,
    )
    to_status = _step(order, report)
    impossible = to_status is not None and not is_allowed(order.status, to_status)
    return Effect(
        order=updated,
        to_status=None if impossible else to_status,
        changed=updated != order or (to_status is not None and not impossible),
        impossible=impossible,
    )


def _step(order: Order, report: OrderReport) -> OrderStatus | None:
    if report.status is order.status:
        return None
    if order.status in _KEPT_BY_PARTIAL_FILL and report.status in _OPEN:
        # Open under PENDING_CANCEL: the cancel has not happened yet. A partial fill that arrives after the end
        # changes what was filled, not that it ended; an order reported open after its end is a contradiction.
        still_open = order.status in FINAL and report.status is not OrderStatus.PARTIALLY_FILLED
        return report.status if still_open else None
    return report.status
