"""What a report of the exchange changes about an order."""

from __future__ import annotations

from decimal import Decimal

import msgspec
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
    assert effect.figures == {"filled_qty": Decimal("0.4"), "exchange_order_id": "x1"}
    assert effect.to_status is None


def test_filled_quantity_never_shrinks() -> None:
    assert "filled_qty" not in effect_of(order(S.PARTIALLY_FILLED, "0.5"), report(S.CANCELED, "0.2")).figures


@pytest.mark.parametrize(
    ("average", "filled", "changes"), [("7", "0.5", True), ("8", "0.5", False), ("7", "0.2", False)]
)
def test_an_average_price_changes_only_by_a_report_that_knows_of_as_much(average, filled, changes) -> None:
    before = msgspec.structs.replace(order(S.PARTIALLY_FILLED, "0.5"), average_price=Decimal(8))
    told = msgspec.structs.replace(report(S.PARTIALLY_FILLED, filled), average_price=Decimal(average))

    assert ("average_price" in effect_of(before, told).figures) is changes


def test_a_report_that_tells_no_more_than_is_known_changes_nothing() -> None:
    before = msgspec.structs.replace(order(S.PARTIALLY_FILLED, "0.5"), exchange_order_id="x1")

    assert not effect_of(before, report(S.PARTIALLY_FILLED, "0.5")).changed
