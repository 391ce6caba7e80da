"""Whether anything more is expected of an order that has ended: fills may come in, or be told, after its end."""

from __future__ import annotations

from service.core.orders import OrderStatus

ENDED = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED})
"""Ended at the exchange, maybe with fills."""

_NEVER_EXECUTED = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED})

OVER = ENDED | _NEVER_EXECUTED
"""No order of another status is settled."""

_GIVE_UP_NS = 600 * 1_000_000_000


def is_settled(
    status: OrderStatus, *, sent: bool, lacks_fills: bool, ended_ns: int, now_ns: int, settling_ns: int
) -> bool:
    """Whether an order of this status needs no further look at the exchange.

    `lacks_fills`: more was filled than the known fills tell. `ended_ns` is when the order got its state,
    `settling_ns` how long after an end the exchange may still show fills of it. A FILLED order is settled with its
    last fill; fills that an exchange does not tell within ten minutes are given up.
    """
    if status not in ENDED:
        return status in _NEVER_EXECUTED
    if not sent or settling_ns == 0:
        return True
    if lacks_fills:
        return now_ns - ended_ns >= _GIVE_UP_NS
    return status is OrderStatus.FILLED or now_ns - ended_ns >= settling_ns
