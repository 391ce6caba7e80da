"""From sizing and balances to a quantity that can be paid."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.markets import MATH, Balance, Quote
from service.core.orders import Order, OrderType, Side, Sizing, SizingMethod
from service.core.refusals import DenialReason
from service.core.sizing import Size, Sized, Unsizable, size_order
from tests.unit.core.samples import BTC, QUOTE, an_order, positive

M = SizingMethod


def sizing(method: SizingMethod, value: str, **more: str) -> Sizing:
    return Sizing(method=method, value=Decimal(value), **{name: Decimal(text) for name, text in more.items()})


def balances(base: str = "0", quote: str = "0", used_base: str = "0") -> dict[str, Balance]:
    return {"BTC": Balance(Decimal(base), Decimal(used_base)), "USDT": Balance(Decimal(quote))}


def spot_size(order: Order, quote: Quote, held: dict[str, Balance], reserved: dict[str, Decimal] | None = None) -> Size:
    return size_order(order, BTC, quote, held, reserved or {}, position=Decimal(0), holding=None)


def sized(order: Order, held: dict[str, Balance], reserved: dict[str, Decimal] | None = None) -> Sized:
    result = spot_size(order, QUOTE, held, reserved)
    assert isinstance(result, Sized), result
    return result


def unsizable(order: Order, held: dict[str, Balance], quote: Quote = QUOTE) -> Unsizable:
    result = spot_size(order, quote, held)
    assert isinstance(result, Unsizable), result
    return result


RICH = balances("10", "10000")  # equity 11,000 at mid 100

BUY = {"side": Side.BUY, "order_type": OrderType.MARKET}
SELL = {"side": Side.SELL, "order_type": OrderType.MARKET}
LIMIT_BUY = {"side": Side.BUY, "order_type": OrderType.LIMIT, "price": Decimal(80)}
STOP_SELL = {"side": Side.SELL, "order_type": OrderType.STOP_LOSS, "stop_price": Decimal(50)}


@pytest.mark.parametrize(
    ("order", "how", "quantity"),
    [
        (BUY, sizing(M.EXPLICIT, "1.234567"), "1.23456"),
        (SELL, sizing(M.EXPLICIT, "2"), "2"),
        (BUY, sizing(M.QUOTE_AMOUNT, "1010"), "10"),
        (SELL, sizing(M.QUOTE_AMOUNT, "990"), "10"),
        (LIMIT_BUY, sizing(M.QUOTE_AMOUNT, "1010"), "12.625"),
        (STOP_SELL, sizing(M.QUOTE_AMOUNT, "100"), "2"),
        (BUY, sizing(M.FIXED_PERCENTAGE, "10"), "10.89108"),
        (LIMIT_BUY, sizing(M.FIXED_PERCENTAGE, "10"), "13.75"),
        (SELL, sizing(M.FIXED_PERCENTAGE, "25"), "2.5"),
        (BUY, sizing(M.RISK_BASED, "1", stop="81"), "5.5"),
        (LIMIT_BUY, sizing(M.RISK_BASED, "1", stop="75"), "22"),
        (SELL, sizing(M.RISK_BASED, "1", stop="121"), "5"),
        (BUY, sizing(M.VOLATILITY_ADJUSTED, "1", atr="5", atr_multiple="2"), "11"),
    ],
)
def test_each_method_gives_its_quantity(order: dict[str, object], how: Sizing, quantity: str):
    result = sized(an_order(**order, sizing=how), RICH)

    assert result.quantity == Decimal(quantity)
    assert result.adjusted_from is None
    assert result.equity == 11_000


def test_a_size_is_told_as_percent_of_equity_and_reserves_what_it_uses_up():
    buy = sized(an_order(**BUY, sizing=sizing(M.EXPLICIT, "1")), RICH)
    sell = sized(an_order(**SELL, sizing=sizing(M.EXPLICIT, "1")), RICH)

    assert (buy.reserve_currency, buy.reserve_amount) == ("USDT", 101)
    assert (sell.reserve_currency, sell.reserve_amount) == ("BTC", 1)
    assert sell.percent_of_equity == Decimal("0.9")


def test_a_stop_with_a_limit_reserves_up_to_its_limit():
    order = an_order(
        side=Side.BUY,
        order_type=OrderType.STOP_LOSS,
        stop_price=Decimal(110),
        price=Decimal(120),
        sizing=sizing(M.EXPLICIT, "1"),
    )

    assert sized(order, RICH).reserve_amount == 120


@pytest.mark.parametrize(
    ("order", "how", "needed", "free"),
    [
        (BUY, sizing(M.EXPLICIT, "100"), "10100.00000 USDT", "10000 USDT"),
        (BUY, sizing(M.QUOTE_AMOUNT, "20200"), "20200.00000 USDT", "10000 USDT"),
        (SELL, sizing(M.EXPLICIT, "10.00001"), "10.00001 BTC", "10 BTC"),
        (SELL, sizing(M.QUOTE_AMOUNT, "1980"), "20.00000 BTC", "10 BTC"),
    ],
)
def test_an_absolute_size_beyond_what_is_free_is_refused(order: dict[str, object], how: Sizing, needed: str, free: str):
    result = unsizable(an_order(**order, sizing=how), RICH)

    assert result.reason is DenialReason.INSUFFICIENT_BALANCE
    number, currency = needed.split()
    told, _, rest = result.detail.partition(" ")
    assert Decimal(told) == Decimal(number)
    assert rest == f"{currency} is needed, {free} is free"


@pytest.mark.parametrize(
    ("order", "quantity", "asked"),
    [
        (an_order(**BUY, sizing=sizing(M.FIXED_PERCENTAGE, "100")), "99.0099", "108.91089"),
        (an_order(**BUY, sizing=sizing(M.RISK_BASED, "1", stop="100.5")), "99.0099", "220"),
        (an_order(**SELL, reduce_only=True, sizing=sizing(M.EXPLICIT, "12")), "10", "12"),
    ],
)
def test_a_relative_size_and_a_reducing_sell_are_cut_to_what_is_free(order: Order, quantity: str, asked: str):
    result = sized(order, RICH)

    assert (result.quantity, result.adjusted_from) == (Decimal(quantity), Decimal(asked))


def test_what_other_orders_reserve_is_not_free():
    order = an_order(**BUY, sizing=sizing(M.FIXED_PERCENTAGE, "100"))

    assert sized(order, RICH, {"USDT": Decimal(8990)}).quantity == 10
    result = spot_size(order, QUOTE, RICH, {"USDT": Decimal(99_999)})
    assert isinstance(result, Unsizable)


def test_a_sell_of_all_that_is_held_is_cut_to_what_no_open_order_uses():
    result = sized(an_order(**SELL, sizing=sizing(M.FIXED_PERCENTAGE, "100")), balances("6", "0", used_base="4"))

    assert (result.quantity, result.adjusted_from) == (6, 10)


@pytest.mark.parametrize(
    ("how", "held", "told"),
    [
        (sizing(M.EXPLICIT, "0.000001"), RICH, "below the minimum of 0.0001 BTC"),
        (sizing(M.EXPLICIT, "0.001"), RICH, "below the minimum of 5 USDT"),
        (sizing(M.FIXED_PERCENTAGE, "100"), balances("1", "2"), "2 USDT is free"),
    ],
)
def test_a_size_below_the_minimum_is_refused(how: Sizing, held: dict[str, Balance], told: str):
    result = unsizable(an_order(**BUY, sizing=how), held)

    assert result.reason is DenialReason.BELOW_MINIMUM
    assert told in result.detail


@pytest.mark.parametrize(
    ("order", "how"),
    [
        (BUY, sizing(M.RISK_BASED, "1", stop="101")),
        (BUY, sizing(M.RISK_BASED, "1", stop="120")),
        (SELL, sizing(M.RISK_BASED, "1", stop="98")),
        (BUY, sizing(M.RISK_BASED, "1")),
        (BUY, sizing(M.VOLATILITY_ADJUSTED, "1")),
    ],
)
def test_a_risk_that_no_stop_limits_has_no_size(order: dict[str, object], how: Sizing):
    assert unsizable(an_order(**order, sizing=how), RICH).reason is DenialReason.INVALID_FIELD


def test_without_a_price_there_is_no_size():
    nothing = Quote(symbol="BTC/USDT", bid=Decimal(0), ask=Decimal(0), ts_ns=0)

    assert unsizable(an_order(**BUY), RICH, nothing).reason is DenialReason.NO_MARKET_DATA


def test_an_order_without_a_side_has_no_size_unless_its_position_tells_it():
    assert unsizable(an_order(side=None), RICH).reason is DenialReason.INVALID_FIELD


def test_a_spot_buy_cannot_reduce():
    order = an_order(**BUY, reduce_only=True)

    assert unsizable(order, RICH).reason is DenialReason.REDUCE_ONLY_UNSUPPORTED


def test_an_account_without_the_currencies_has_nothing():
    assert unsizable(an_order(**BUY), {}).reason is DenialReason.INSUFFICIENT_BALANCE


percent = st.decimals("0.01", 100, places=2)
ways = st.one_of(
    st.builds(lambda value: Sizing(method=M.EXPLICIT, value=value), positive(exponent=10)),
    st.builds(lambda value: Sizing(method=M.QUOTE_AMOUNT, value=value), positive(exponent=10)),
    st.builds(lambda value: Sizing(method=M.FIXED_PERCENTAGE, value=value), percent),
    st.builds(lambda value, stop: Sizing(method=M.RISK_BASED, value=value, stop=stop), percent, positive(exponent=10)),
    st.builds(
        lambda value, atr: Sizing(method=M.VOLATILITY_ADJUSTED, value=value, atr=atr, atr_multiple=Decimal(2)),
        percent,
        positive(exponent=10),
    ),
)
amounts = st.just(Decimal(0)) | positive(exponent=10)


@given(
    how=ways,
    side=st.sampled_from(Side),
    order_type=st.sampled_from(OrderType),
    prices=st.tuples(positive(exponent=8), positive(exponent=8), positive(exponent=8)),
    held=st.tuples(amounts, amounts, amounts),
    reserved=st.tuples(amounts, amounts),
    reduce_only=st.booleans(),
)
@settings(max_examples=150)
def test_a_size_never_spends_more_than_is_free_nor_more_than_was_asked(
    how: Sizing, side: Side, order_type: OrderType, prices, held, reserved, reduce_only: bool
):
    price, stop_price, ask = prices
    order = an_order(
        side=side, order_type=order_type, sizing=how, price=price, stop_price=stop_price, reduce_only=reduce_only
    )
    quote = Quote(symbol="BTC/USDT", bid=ask, ask=ask, ts_ns=0)
    accounts = {"BTC": Balance(held[0], held[1]), "USDT": Balance(held[2])}
    taken = {"BTC": reserved[0], "USDT": reserved[1]}

    result = spot_size(order, quote, accounts, taken)

    if isinstance(result, Sized):
        free = MATH.subtract(accounts[result.reserve_currency].free, taken[result.reserve_currency])
        assert result.reserve_amount <= free
        assert BTC.round_quantity(result.quantity) == result.quantity >= BTC.min_quantity
        assert how.method is not M.EXPLICIT or result.quantity <= how.value
        assert result.adjusted_from is None or result.quantity < result.adjusted_from
        assert (result.side, result.reduce_only, result.contracts) == (side, reduce_only, None)
        assert result == spot_size(order, quote, accounts, taken)
    else:
        assert result.detail
