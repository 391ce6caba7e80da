"""When an order that has ended needs no further look at the exchange."""

from __future__ import annotations

import pytest

from service.core.orders import OrderStatus
from service.core.settling import is_settled

S = OrderStatus
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("status", "sent", "lacking", "age", "settled"),
    [
        (S.DENIED, False, False, 0, True),
        (S.REJECTED, True, False, 0, True),
        (S.EXPIRED, False, False, 0, True),
        (S.CANCELED, False, False, 0, True),
        (S.FILLED, True, False, 0, True),
        (S.FILLED, True, True, 5, False),
        (S.FILLED, True, True, 600, True),
        (S.CANCELED, True, False, 4, False),
        (S.CANCELED, True, False, 5, True),
        (S.EXPIRED, True, False, 4, False),
        (S.EXPIRED, True, True, 5, False),
        (S.EXPIRED, True, False, 5, True),
        (S.ABSENT, True, False, 900, False),
        (S.PARTIALLY_FILLED, True, False, 900, False),
    ],
)
def test_an_order_is_settled_when_no_more_fills_can_come_or_be_told(status, sent, lacking, age, settled):
    now_ns, settling_ns = age * SECOND, 5 * SECOND

    found = is_settled(status, sent=sent, lacks_fills=lacking, ended_ns=0, now_ns=now_ns, settling_ns=settling_ns)

    assert found is settled


@pytest.mark.parametrize("status", [S.FILLED, S.CANCELED, S.EXPIRED])
def test_where_an_exchange_tells_fills_at_once_the_end_settles(status):
    assert is_settled(status, sent=True, lacks_fills=True, ended_ns=0, now_ns=0, settling_ns=0)
