"""An order that waited is sent only while it is fresh and the price is near."""

from __future__ import annotations

from decimal import Decimal

import pytest

from service.core.freshness import default_max_age_ns, drift_bps, expiry, recent, too_old
from service.core.markets import Quote
from service.core.orders import Intent, Order, OrderType, Side, Sizing, SizingMethod
from service.core.refusals import ExpiryReason
from tests.unit.core.samples import an_order

SECOND = 1_000_000_000
ENTRY = an_order(
    received_ns=100, max_age_ns=30 * SECOND, max_drift_bps=Decimal(100), arrival_price=Decimal(100), side=Side.BUY
)


def quote(bid: str, ask: str) -> Quote:
    return Quote(symbol="BTC/USDT", bid=Decimal(bid), ask=Decimal(ask), ts_ns=0)


NEAR = quote("99.9", "100.1")


@pytest.mark.parametrize(
    ("now_ns", "max_age_ns", "old"),
    [
        (100 + 30 * SECOND, 30 * SECOND, False),
        (101 + 30 * SECOND, 30 * SECOND, True),
        (10**30, None, False),
        (0, 0, False),
    ],
)
def test_the_age_counts_from_receipt(now_ns: int, max_age_ns: int | None, old: bool):
    order = an_order(received_ns=100, max_age_ns=max_age_ns)

    assert too_old(order, now_ns) is old
    assert expiry(order, now_ns=now_ns, quote=NEAR) is (ExpiryReason.MAX_AGE if old else None)


@pytest.mark.parametrize(
    ("side", "now", "expired"),
    [
        (Side.BUY, quote("1", "101"), False),
        (Side.BUY, quote("1", "101.01"), True),
        (Side.BUY, quote("1", "98.99"), True),
        (Side.SELL, quote("99", "1000"), False),
        (Side.SELL, quote("98.99", "1000"), True),
        (Side.SELL, quote("101.01", "1000"), True),
    ],
)
def test_a_market_entry_expires_when_the_price_it_meets_moved_either_way(side: Side, now: Quote, expired: bool):
    order = an_order(side=side, max_drift_bps=Decimal(100), arrival_price=Decimal(100))

    assert expiry(order, now_ns=0, quote=now) is (ExpiryReason.PRICE_DRIFT if expired else None)


@pytest.mark.parametrize("side", [None, Side.BUY, Side.SELL])
def test_the_drift_of_a_target_is_that_of_the_middle_also_when_its_side_is_known(side: Side | None):
    target = Sizing(method=SizingMethod.TARGET, value=Decimal(1))
    order = an_order(side=side, sizing=target, max_drift_bps=Decimal(100), arrival_price=Decimal(100))

    assert expiry(order, now_ns=0, quote=quote("90", "112")) is None
    assert expiry(order, now_ns=0, quote=quote("100", "102.02")) is ExpiryReason.PRICE_DRIFT


@pytest.mark.parametrize(
    "order",
    [
        an_order(max_drift_bps=Decimal(100), arrival_price=Decimal(1), order_type=OrderType.LIMIT),
        an_order(max_drift_bps=Decimal(100), arrival_price=Decimal(1), intent=Intent.EXIT),
        an_order(max_drift_bps=None, arrival_price=Decimal(1)),
    ],
)
def test_drift_matters_to_market_entries_with_a_limit_only(order: Order):
    assert expiry(order, now_ns=0, quote=NEAR) is None
    assert expiry(order, now_ns=0, quote=None) is None


@pytest.mark.parametrize(("arrival_price", "now"), [(Decimal(100), None), (None, NEAR), (Decimal(0), NEAR)])
def test_where_a_price_is_missing_nothing_shows_that_it_is_near(arrival_price: Decimal | None, now: Quote | None):
    order = an_order(max_drift_bps=Decimal(100), arrival_price=arrival_price)

    assert expiry(order, now_ns=0, quote=now) is ExpiryReason.NO_MARKET_DATA


def test_age_is_named_before_price():
    assert expiry(ENTRY, now_ns=10**18, quote=None) is ExpiryReason.MAX_AGE


def test_drift_is_in_basis_points_of_the_price_at_arrival():
    assert drift_bps(Decimal(200), Decimal(199)) == drift_bps(Decimal(200), Decimal(201)) == 50


@pytest.mark.parametrize(
    ("intent", "order_type", "seconds"),
    [
        (Intent.ENTRY, OrderType.MARKET, 30),
        (Intent.ENTRY, OrderType.LIMIT, 300),
        (Intent.ENTRY, OrderType.STOP_LOSS, 300),
        (Intent.EXIT, OrderType.MARKET, None),
        (Intent.EXIT, OrderType.LIMIT, None),
    ],
)
def test_entries_may_wait_a_while_and_exits_as_long_as_it_takes(
    intent: Intent, order_type: OrderType, seconds: int | None
):
    assert default_max_age_ns(intent, order_type) == (seconds and seconds * SECOND)


@pytest.mark.parametrize(
    ("age_s", "known"), [(-61, False), (-5, True), (0, True), (60, True), (61, False), (86_400, False)]
)
def test_a_price_is_none_after_a_minute_and_where_the_clock_jumped_back_behind_it(age_s: int, known: bool):
    assert (recent(NEAR, age_s * SECOND) is NEAR) is known


def test_no_price_stays_none():
    assert recent(None, 0) is None
