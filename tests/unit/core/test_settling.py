"""When an order that has ended needs no further look at the exchange."""

from __future__ import annotations

from decimal import Decimal

import pytest

from service.core.orders import OrderStatus
from service.core.settling import is_settled
from tests.unit.core.samples import an_order

S = OrderStatus
ONE = Decimal(1)
ZERO = Decimal(0)
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("status", "submitted", "filled", "fills", "age", "settled"),
    [
        (S.DENIED, False, ZERO, ZERO, 0, True),
        (S.REJECTED, True, ZERO, ZERO, 0, True),
        (S.EXPIRED, False, ZERO, ZERO, 0, True),
        (S.CANCELED, False, ZERO, ZERO, 0, True),
        (S.FILLED, True, ONE, ONE, 0, True),
        (S.FILLED, True, ONE, ZERO, 5, False),
        (S.FILLED, True, ONE, ZERO, 600, True),
        (S.CANCELED, True, ZERO, ZERO, 4, False),
        (S.CANCELED, True, ZERO, ZERO, 5, True),
        (S.EXPIRED, True, ONE, ONE, 4, False),
        (S.EXPIRED, True, ONE, ZERO, 5, False),
        (S.EXPIRED, True, ONE, ONE, 5, True),
        (S.ABSENT, True, ZERO, ZERO, 900, False),
        (S.PARTIALLY_FILLED, True, ONE, ONE, 900, False),
    ],
)
def test_an_order_is_settled_when_no_more_fills_can_come_or_be_told(status, submitted, filled, fills, age, settled):
    ended = an_order(status=status, submitted_ns=1 if submitted else None, filled_qty=filled)

    assert is_settled(ended, fills_qty=fills, ended_ns=0, now_ns=age * SECOND, settling_ns=5 * SECOND) is settled


@pytest.mark.parametrize("status", [S.FILLED, S.CANCELED, S.EXPIRED])
def test_where_an_exchange_tells_fills_at_once_the_end_settles(status):
    ended = an_order(status=status, submitted_ns=1, filled_qty=ONE)

    assert is_settled(ended, fills_qty=ZERO, ended_ns=0, now_ns=0, settling_ns=0)
