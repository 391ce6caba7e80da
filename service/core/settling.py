"""Whether anything more is expected of an order that has ended: fills may come in, or be told, after its end."""

from __future__ import annotations

from decimal import Decimal

from service.core.orders import Order, OrderStatus

ENDED = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED})
"""Ended at the exchange, maybe with fills."""

_NEVER_EXECUTED = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED})

_GIVE_UP_NS = 600 * 1_000_000_000


def is_settled(order: Order, *, fills_qty: Decimal, ended_ns: int, now_ns: int, settling_ns: int) -> bool:
    """Whether `order` needs no further look at the exchange.

    `fills_qty` is the sum of the known fills (base units), `ended_ns` when the order got its state, `settling_ns` how
    long after an end the exchange may still show fills of it. A FILLED order is settled with its last fill; fills
    that an exchange does not tell within ten minutes are given up.
    """
    if order.status in _NEVER_EXECUTED or (order.status in ENDED and order.submitted_ns is None):
        return True
    if order.status not in ENDED:
        return False
    if settling_ns == 0:
        return True
    if fills_qty < order.filled_qty:
        return now_ns - ended_ns >= _GIVE_UP_NS
    return order.status is OrderStatus.FILLED or now_ns - ended_ns >= settling_ns
