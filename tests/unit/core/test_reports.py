"""What a report of the exchange changes about an order."""

from __future__ import annotations

from decimal import Decimal

import pytest

from service.core.orders import Order, OrderStatus
from service.core.outcomes import OrderReport
from service.core.reports import effect_of
from tests.unit.core.samples import an_order

S = OrderStatus


def order(status: OrderStatus, filled: str = "0") -> Order:
    return an_order(status=status, quantity=Decimal(1), filled_qty=Decimal(filled))


def report(status: OrderStatus, filled: str = "0") -> OrderReport:
    return OrderReport(
        client_order_id="fp01",
        exchange_order_id="x1",
        symbol="BTC/USDT",
        status=status,
        filled_qty=Decimal(filled),
        ts_event_ns=2,
    )


@pytest.mark.parametrize(
    ("status", "reported", "to_status"),
    [
        (S.SUBMITTED, S.FILLED, S.FILLED),
        (S.IN_DOUBT, S.REJECTED, S.REJECTED),
        (S.ABSENT, S.FILLED, S.FILLED),
        (S.ACCEPTED, S.PARTIALLY_FILLED, S.PARTIALLY_FILLED),
        (S.ACCEPTED, S.ACCEPTED, None),
        (S.PENDING_CANCEL, S.ACCEPTED, None),
        (S.PENDING_CANCEL, S.PARTIALLY_FILLED, None),
        (S.PENDING_CANCEL, S.CANCELED, S.CANCELED),
        (S.PENDING_CANCEL, S.FILLED, S.FILLED),
        (S.CANCELED, S.PARTIALLY_FILLED, None),
        (S.CANCELED, S.FILLED, S.FILLED),
    ],
)
def test_a_report_moves_an_order_by_the_table(status: S, reported: S, to_status: S | None) -> None:
    effect = effect_of(order(status), report(reported))

    assert effect.to_status is to_status
    assert not effect.impossible


@pytest.mark.parametrize(
    ("status", "reported"),
    [
        (S.FILLED, S.CANCELED),
        (S.REJECTED, S.FILLED),
        (S.CANCELED, S.ACCEPTED),
        (S.EXPIRED, S.ACCEPTED),
        (S.PARTIALLY_FILLED, S.ACCEPTED),
    ],
)
def test_a_fact_outside_the_table_is_reported_as_impossible_and_moves_nothing(status: S, reported: S) -> None:
    effect = effect_of(order(status), report(reported))

    assert effect.impossible
    assert effect.to_status is None


def test_a_partial_fill_after_the_cancel_changes_the_quantity_and_not_the_state() -> None:
    effect = effect_of(order(S.CANCELED, "0.1"), report(S.PARTIALLY_FILLED, "0.4"))

    assert effect.changed
    assert effect.order.filled_qty == Decimal("0.4")
    assert effect.order.status is S.CANCELED


def test_filled_quantity_never_shrinks() -> None:
    assert effect_of(order(S.PARTIALLY_FILLED, "0.5"), report(S.CANCELED, "0.2")).order.filled_qty == Decimal("0.5")
