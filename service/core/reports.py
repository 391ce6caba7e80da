"""What a report from the exchange changes about an order of ours."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from service.core.orders import FINAL, Order, OrderStatus, is_allowed
from service.core.outcomes import OrderReport

_KEPT_BY_PARTIAL_FILL = frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.CANCELED, OrderStatus.EXPIRED})
_OPEN = frozenset({OrderStatus.ACCEPTED, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED})


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """The order's figures that the report changes, by their fields, and the step to take, if any.

    `impossible` is set where the report's status fits no transition: a fact to store and alarm. The figures are
    facts either way.
    """

    figures: Mapping[str, Decimal | str | None]
    to_status: OrderStatus | None
    impossible: bool

    @property
    def changed(self) -> bool:
        return bool(self.figures) or self.to_status is not None


def effect_of(order: Order, report: OrderReport) -> Effect:
    """Compare and decide; the caller journals. The report must be newer than `order`."""
    to_status = _step(order, report)
    impossible = to_status is not None and not is_allowed(order.status, to_status)
    return Effect(figures=_figures(order, report), to_status=None if impossible else to_status, impossible=impossible)


def _figures(order: Order, report: OrderReport) -> dict[str, Decimal | str | None]:
    """What was filled never shrinks, and what a report does not tell is not forgotten."""
    figures: dict[str, Decimal | str | None] = {}
    if report.filled_qty > order.filled_qty:
        figures["filled_qty"] = report.filled_qty
    tells_average = report.average_price and report.filled_qty >= order.filled_qty
    if tells_average and report.average_price != order.average_price:
        figures["average_price"] = report.average_price
    if report.exchange_order_id and report.exchange_order_id != order.exchange_order_id:
        figures["exchange_order_id"] = report.exchange_order_id
    return figures


def _step(order: Order, report: OrderReport) -> OrderStatus | None:
    if report.status is order.status:
        return None
    if order.status in _KEPT_BY_PARTIAL_FILL and report.status in _OPEN:
        # Open under PENDING_CANCEL: the cancel has not happened yet. A partial fill that arrives after the end
        # changes what was filled, not that it ended; an order reported open after its end is a contradiction.
        still_open = order.status in FINAL and report.status is not OrderStatus.PARTIALLY_FILLED
        return report.status if still_open else None
    return report.status
