"""The checks before an alert is accepted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings

from service.core import risk
from service.core.alerts import Alert
from service.core.markets import Market, MarketType
from service.core.orders import Action, Intent, Leg, OrderType, Side, Sizing, SizingMethod
from service.core.refusals import DenialReason, Refusal
from tests.unit.core.samples import BTC, BTC_PERPETUAL, QUOTE, a_market, positive

SECOND = 1_000_000_000
NOW = 1_769_860_800 * SECOND


def refusal_of(check: Callable[..., None], *args: object, **kwargs: object) -> Refusal | None:
    try:
        check(*args, **kwargs)
    except Refusal as refusal:
        return refusal
    return None


def reason_of(check: Callable[..., None], *args: object, **kwargs: object) -> DenialReason | None:
    refusal = refusal_of(check, *args, **kwargs)
    return None if refusal is None else refusal.reason


@pytest.mark.parametrize(
    ("side", "market_type", "reduce_only", "leg", "intent"),
    [
        (None, "spot", False, "entry", Intent.ENTRY),
        (None, "swap", False, "entry", Intent.ENTRY),
        (None, "spot", True, "entry", Intent.EXIT),
        (None, "swap", True, "entry", Intent.EXIT),
        ("buy", "spot", False, "entry", Intent.ENTRY),
        ("sell", "spot", False, "entry", Intent.EXIT),
        ("sell", "swap", False, "entry", Intent.ENTRY),
        ("buy", "swap", False, "entry", Intent.ENTRY),
        ("buy", "swap", True, "entry", Intent.EXIT),
        ("sell", "swap", True, "entry", Intent.EXIT),
        ("buy", "swap", False, "stop", Intent.EXIT),
        ("sell", "swap", False, "target", Intent.EXIT),
    ],
)
def test_an_exit_can_only_reduce(side: str | None, market_type: str, reduce_only: bool, leg: str, intent: Intent):
    assert risk.intent_of(side and Side(side), MarketType(market_type), reduce_only, Leg(leg)) is intent


@pytest.mark.parametrize(
    ("timestamp_ns", "reason"),
    [
        (None, None),
        (NOW, None),
        (NOW - 300 * SECOND, None),
        (NOW - 300 * SECOND - 1, DenialReason.STALE),
        (NOW + 60 * SECOND, None),
        (NOW + 60 * SECOND + 1, DenialReason.IN_FUTURE),
    ],
)
def test_an_alert_is_neither_stale_nor_from_the_future(timestamp_ns: int | None, reason: DenialReason | None):
    limits = {"stale_after_ns": 300 * SECOND, "future_tolerance_ns": 60 * SECOND}

    assert reason_of(risk.check_time, timestamp_ns, NOW, **limits) is reason


def test_a_stale_alert_is_told_an_age_above_the_limit():
    refusal = refusal_of(
        risk.check_time, NOW - 300 * SECOND - 1, NOW, stale_after_ns=300 * SECOND, future_tolerance_ns=0
    )

    assert refusal is not None
    assert refusal.extra == {"age_s": 301, "stale_after_s": 300}


@pytest.mark.parametrize(
    ("confidence", "minimum", "passes"),
    [(None, "0.6", True), ("0.6", "0.6", True), ("0.59", "0.6", False), ("0", None, True)],
)
def test_confidence_is_at_least_the_minimum(confidence: str | None, minimum: str | None, passes: bool):
    reason = reason_of(risk.check_confidence, confidence and Decimal(confidence), minimum and Decimal(minimum))

    assert reason is (None if passes else DenialReason.LOW_CONFIDENCE)


@pytest.mark.parametrize(
    ("level", "intent", "passes"),
    [
        (0, Intent.ENTRY, True),
        (0, Intent.EXIT, True),
        (1, Intent.ENTRY, False),
        (1, Intent.EXIT, True),
        (2, Intent.ENTRY, False),
        (2, Intent.EXIT, False),
    ],
)
def test_the_kill_switch_stops_entries_first_and_then_everything(level: int, intent: Intent, passes: bool):
    assert reason_of(risk.check_halt, level, intent) is (None if passes else DenialReason.HALTED)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_cancel_passes_every_kill_switch(level: int):
    assert reason_of(risk.check_halt, level, Intent.EXIT, Action.CANCEL) is None


@pytest.mark.parametrize(
    ("market", "order_type", "side", "reduce_only", "reason"),
    [
        (BTC, "market", "buy", False, None),
        (
            a_market(order_types=frozenset({OrderType.MARKET})),
            "limit",
            "buy",
            False,
            DenialReason.ORDER_TYPE_UNSUPPORTED,
        ),
        (a_market(order_types=frozenset()), "limit", "buy", False, DenialReason.ORDER_TYPE_UNSUPPORTED),
        (BTC, "market", "buy", True, DenialReason.REDUCE_ONLY_UNSUPPORTED),
        (BTC, "market", "sell", True, None),
        (BTC_PERPETUAL, "market", "buy", True, None),
    ],
)
def test_a_market_is_asked_only_for_what_it_has(
    market: Market, order_type: str, side: str, reduce_only: bool, reason: DenialReason | None
):
    sizing = Sizing(method=SizingMethod.EXPLICIT, value=Decimal(1))
    alert = Alert(symbol="X", side=Side(side), order_type=OrderType(order_type), sizing=sizing, reduce_only=reduce_only)

    assert reason_of(risk.check_market, alert, market) is reason


@pytest.mark.parametrize(
    ("market", "value", "reason"),
    [
        (BTC, "-1", DenialReason.POSITION_UNSUPPORTED),
        (BTC, "0", None),
        (BTC, "1", None),
        (BTC_PERPETUAL, "-1", None),
        (a_market(order_types=frozenset({OrderType.LIMIT})), "1", DenialReason.ORDER_TYPE_UNSUPPORTED),
    ],
)
def test_a_short_position_needs_a_perpetual(market: Market, value: str, reason: DenialReason | None):
    alert = Alert(symbol="X", side=None, sizing=Sizing(method=SizingMethod.TARGET, value=Decimal(value)))

    assert reason_of(risk.check_market, alert, market) is reason


@pytest.mark.parametrize(
    ("target", "maximum", "reason"),
    [
        ("10", "1000", None),
        ("-10.000009", "1000", None),
        ("10.00001", "1000", DenialReason.ABOVE_MAXIMUM),
        ("-10.00001", "1000", DenialReason.ABOVE_MAXIMUM),
        ("0.00000001", "1000", None),
        ("1e9", None, None),
    ],
)
def test_a_target_is_judged_by_what_it_is_worth(target: str, maximum: str | None, reason: DenialReason | None):
    limit = maximum and Decimal(maximum)

    assert reason_of(risk.check_target, Decimal(target), Decimal(100), BTC, limit) is reason


def test_without_a_side_there_is_no_costly_side():
    assert reason_of(risk.check_price_band, None, OrderType.MARKET, Decimal(1), None, QUOTE, Decimal(10)) is None


@pytest.mark.parametrize(
    ("side", "order_type", "price", "stop_price", "passes"),
    [
        ("buy", "market", None, None, True),
        ("buy", "limit", "111.1", None, True),
        ("buy", "limit", "111.11", None, False),
        ("buy", "limit", "1", None, True),
        ("sell", "limit", "89.1", None, True),
        ("sell", "limit", "89.09", None, False),
        ("sell", "limit", "100000", None, True),
        ("sell", "stop_loss", None, "10", True),
        ("sell", "stop_loss", "9", "10", True),
        ("sell", "stop_loss", "8.9", "10", False),
        ("buy", "stop_loss", "220", "200", True),
        ("buy", "stop_loss", "221", "200", False),
        ("sell", "take_profit", "190", "200", True),
    ],
)
def test_a_limit_is_not_far_off_on_the_costly_side(
    side: str, order_type: str, price: str | None, stop_price: str | None, passes: bool
):
    reason = reason_of(
        risk.check_price_band,
        Side(side),
        OrderType(order_type),
        price and Decimal(price),
        stop_price and Decimal(stop_price),
        QUOTE,
        Decimal(10),
    )

    assert reason is (None if passes else DenialReason.PRICE_BAND)


def test_a_price_out_of_the_band_is_told_the_limit():
    refusal = refusal_of(risk.check_price_band, Side.BUY, OrderType.LIMIT, Decimal(200), None, QUOTE, Decimal(10))

    assert refusal is not None
    assert refusal.extra == {"limit": "111.1", "market_price": "101"}


@pytest.mark.parametrize(
    ("quantity", "price", "reason"),
    [
        (None, "100", None),
        ("0.05", "100", None),
        ("0.04999", "100", DenialReason.BELOW_MINIMUM),
        ("0.00009", "1000000", DenialReason.BELOW_MINIMUM),
        ("0.000099999", "1000000", DenialReason.BELOW_MINIMUM),
        ("0.0001", None, None),
        ("0.00001", None, DenialReason.BELOW_MINIMUM),
        ("10", "100", None),
        ("10.00001", "100", DenialReason.ABOVE_MAXIMUM),
        ("10.000009", "100", None),
        ("1e30", "1e30", DenialReason.ABOVE_MAXIMUM),
    ],
)
def test_a_size_is_judged_as_it_would_be_sent(quantity: str | None, price: str | None, reason: DenialReason | None):
    given_ = quantity and Decimal(quantity)

    assert reason_of(risk.check_size, given_, price and Decimal(price), BTC, Decimal(1000)) is reason


def test_a_size_below_the_minimum_is_told_the_limits():
    refusal = refusal_of(risk.check_size, Decimal("0.00001"), Decimal(100), BTC, None)

    assert refusal is not None
    assert refusal.extra == {"min_quantity": "0.0001", "amount_step": "0.00001", "min_notional": "5"}


@given(positive(exponent=30), positive(exponent=30))
@settings(max_examples=100)
def test_any_size_passes_or_is_refused_with_a_short_message(quantity: Decimal, price: Decimal):
    refusal = refusal_of(risk.check_size, quantity, price, BTC, Decimal(1000))

    assert refusal is None or len(refusal.detail) < 400
