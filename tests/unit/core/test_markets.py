"""Prices, balances, and rounding that never gives more than was asked."""

from __future__ import annotations

from decimal import Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.markets import MATH, Balance, Quote
from service.core.orders import Side
from tests.unit.core.samples import QUOTE, a_market, positive

steps = st.sampled_from([Decimal(text) for text in ("1e-8", "0.00001", "0.001", "0.003", "0.25", "1", "10")])


@given(positive(), steps)
@settings(max_examples=200)
def test_rounding_is_down_to_a_multiple_of_the_step_by_less_than_a_step(number: Decimal, step: Decimal):
    market = a_market(amount_step=step, price_tick=step)
    rounded = market.round_quantity(number)

    assert market.round_price(number) == rounded
    assert rounded <= number < MATH.add(rounded, step)
    assert MATH.remainder(rounded, step) == 0
    assert market.round_quantity(rounded) == rounded


@given(positive(), st.integers(1, 28))
@settings(max_examples=50)
def test_rounding_does_not_depend_on_the_precision_of_the_thread(number: Decimal, precision: int):
    market = a_market()
    with localcontext(prec=precision):
        assert market.round_quantity(number).compare_total(market.round_quantity(number)) == 0
        rounded = market.round_quantity(number)

    assert rounded == market.round_quantity(number)


def test_a_number_on_the_step_keeps_its_way_of_writing():
    assert str(a_market().round_quantity(Decimal("0.01"))) == "0.01"


def test_a_buy_meets_the_ask_and_a_sell_the_bid():
    assert (QUOTE.for_side(Side.BUY), QUOTE.for_side(Side.SELL), QUOTE.mid) == (101, 99, 100)


def test_mid_is_exact_for_long_prices():
    long = Decimal("1234567890123456789.0123456789012345678")
    quote = Quote(symbol="X", bid=long, ask=long, ts_ns=0)

    assert quote.mid == long


def test_a_total_is_free_and_used():
    assert Balance(Decimal(1), Decimal("0.5")).total == Decimal("1.5")
