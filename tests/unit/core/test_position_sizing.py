"""From a position, and what it shall be, to an order that goes there and no further."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.markets import MATH, Balance, Market, Quote
from service.core.orders import Order, OrderType, Side, Sizing, SizingMethod
from service.core.refusals import DenialReason
from service.core.sizing import AtTarget, Size, Sized, Unsizable, size_order
from tests.unit.core.samples import BTC, BTC_PERPETUAL, QUOTE, an_order, positive

M = SizingMethod
ZERO = Decimal(0)
SWAP = msgspec.structs.replace(
    BTC_PERPETUAL,
    contract_size=Decimal("0.1"),
    amount_step=Decimal("0.1"),
    min_quantity=Decimal("0.2"),
    min_notional=Decimal(50),
)
FUNDS = {"USDT": Balance(Decimal(400), Decimal(600))}


def target(value: str, **changes: object) -> Order:
    return an_order(side=None, sizing=Sizing(method=M.TARGET, value=Decimal(value)), **changes)


def order(side: Side, value: str, method: SizingMethod = M.EXPLICIT, **changes: object) -> Order:
    return an_order(side=side, sizing=Sizing(method=method, value=Decimal(value)), **changes)


def on_swap(wish: Order, position: str = "0", funds: dict[str, Balance] = FUNDS, market: Market = SWAP) -> Size:
    reserved = {"USDT": Decimal(10_000)}  # of spot orders: margin is not theirs
    return size_order(wish, market, QUOTE, funds, reserved, position=Decimal(position), holding=ZERO)


def on_spot(wish: Order, holding: str | None, base: Balance, cash: str = "0", reserved: str = "0") -> Size:
    balances = {"BTC": base, "USDT": Balance(Decimal(cash))}
    held = None if holding is None else Decimal(holding)
    return size_order(wish, BTC, QUOTE, balances, {"BTC": Decimal(reserved)}, position=Decimal(7), holding=held)


def seen(size: Size) -> tuple[str, str, bool]:
    assert isinstance(size, Sized), size
    return size.side.value, f"{size.quantity.normalize():f}", size.reduce_only


def reason_of(size: Size) -> DenialReason:
    assert isinstance(size, Unsizable), size
    return size.reason


def dust_of(size: Size) -> Decimal | None:
    assert isinstance(size, AtTarget), size
    assert size.detail
    return size.dust


@pytest.mark.parametrize(
    ("position", "wanted", "expected"),
    [
        ("0", "2", ("buy", "2", False)),
        ("0", "-2", ("sell", "2", False)),
        ("1", "2", ("buy", "1", False)),
        ("-1", "-2", ("sell", "1", False)),
        ("2", "1", ("sell", "1", True)),
        ("-2", "-1", ("buy", "1", True)),
        ("2", "0", ("sell", "2", True)),
        ("-2", "0", ("buy", "2", True)),
        ("1", "-1", ("sell", "2", False)),
        ("-1", "1", ("buy", "2", False)),
        ("1", "2.19", ("buy", "1.1", False)),
        ("1", "-2.19", ("sell", "3.1", False)),
        ("2.5", "0.01", ("sell", "2.4", True)),
    ],
)
def test_a_target_on_a_swap_trades_the_difference(position: str, wanted: str, expected: tuple[str, str, bool]):
    assert seen(on_swap(target(wanted), position)) == expected


@pytest.mark.parametrize(
    ("position", "wanted", "dust"),
    [
        ("0", "0", None),
        ("2", "2", None),
        ("-2", "-2.0", None),
        ("2", "2.09", Decimal("0.09")),
        ("2", "1.85", Decimal("0.15")),
        ("2", "2.4", Decimal("0.4")),  # worth 40.4, and 50 is the least
        ("-2", "-2.4", Decimal("0.4")),
        ("0.1", "0", Decimal("0.1")),
    ],
)
def test_a_position_as_near_as_can_be_traded_is_at_its_target(position: str, wanted: str, dust: Decimal | None):
    assert dust_of(on_swap(target(wanted), position)) == dust


@pytest.mark.parametrize(("position", "wanted"), [("0", "0.1"), ("0", "0.4"), ("0", "-0.4"), ("0.2", "-0.1")])
def test_a_position_on_the_wrong_side_is_never_called_at_its_target(position: str, wanted: str):
    assert reason_of(on_swap(target(wanted), position)) is DenialReason.BELOW_MINIMUM


def test_what_only_reduces_a_swap_need_not_be_worth_the_least_notional():
    assert seen(on_swap(target("0"), "0.3")) == ("sell", "0.3", True)
    assert seen(on_swap(order(Side.BUY, "0.2", reduce_only=True), "-0.3")) == ("buy", "0.2", True)
    assert reason_of(on_swap(order(Side.BUY, "0.2"), "-0.3")) is DenialReason.BELOW_MINIMUM


def test_what_an_earlier_attempt_found_does_not_bind_the_next():
    attempted = msgspec.structs.replace(target("2"), side=Side.SELL, reduce_only=True)

    assert seen(on_swap(attempted, "0")) == ("buy", "2", False)


@pytest.mark.parametrize(
    ("position", "wish", "expected", "asked"),
    [
        ("2", order(Side.SELL, "5", reduce_only=True), ("sell", "2", True), "5"),
        ("-2", order(Side.BUY, "5", reduce_only=True), ("buy", "2", True), "5"),
        ("2", order(Side.SELL, "1.55", reduce_only=True), ("sell", "1.5", True), None),
        ("2", order(Side.SELL, "50", M.FIXED_PERCENTAGE, reduce_only=True), ("sell", "1", True), None),
        ("2", order(Side.SELL, "5"), ("sell", "5", False), None),
    ],
)
def test_an_order_that_reduces_is_cut_to_the_position(
    position: str, wish: Order, expected: tuple[str, str, bool], asked: str | None
):
    size = on_swap(wish, position)

    assert seen(size) == expected
    assert isinstance(size, Sized)
    assert size.adjusted_from == (asked and Decimal(asked))


@pytest.mark.parametrize(("position", "side"), [("0", Side.SELL), ("0", Side.BUY), ("2", Side.BUY), ("-2", Side.SELL)])
def test_where_there_is_nothing_to_reduce_nothing_is_sent(position: str, side: Side):
    assert dust_of(on_swap(order(side, "1", reduce_only=True), position)) is None


def test_percent_on_a_swap_is_of_the_settle_currency_free_and_used():
    buy = on_swap(order(Side.BUY, "10.1", M.FIXED_PERCENTAGE))
    sell = on_swap(order(Side.SELL, "9.9", M.FIXED_PERCENTAGE))

    assert seen(buy) == ("buy", "1", False)
    assert seen(sell) == ("sell", "1", False)
    assert isinstance(buy, Sized)
    assert (buy.equity, buy.percent_of_equity) == (1000, Decimal("10.1"))


def test_a_swap_is_told_in_contracts_and_reserves_nothing():
    size = on_swap(order(Side.BUY, "30"))

    assert isinstance(size, Sized)
    assert (size.quantity, size.contracts) == (30, 300)
    assert (size.reserve_currency, size.reserve_amount) == ("USDT", 0)


@pytest.mark.parametrize("funds", [{}, {"USDT": Balance()}, {"USDT": Balance(Decimal(-5), Decimal(1))}])
def test_nothing_is_opened_without_any_margin_but_reduced_it_is(funds: dict[str, Balance]):
    assert reason_of(on_swap(order(Side.BUY, "1"), funds=funds)) is DenialReason.INSUFFICIENT_BALANCE
    assert reason_of(on_swap(target("1"), funds=funds)) is DenialReason.INSUFFICIENT_BALANCE
    assert seen(on_swap(target("0"), "1", funds)) == ("sell", "1", True)


def test_a_reversal_needs_no_free_margin_because_it_frees_some():
    all_used = {"USDT": Balance(ZERO, Decimal(100))}

    assert seen(on_swap(target("-1"), "1", all_used)) == ("sell", "2", False)
    assert seen(on_swap(order(Side.SELL, "2"), "0", all_used)) == ("sell", "2", False)


@pytest.mark.parametrize("how", [target("1"), order(Side.SELL, "1", reduce_only=True), order(Side.BUY, "1")])
def test_without_a_price_there_is_no_size(how: Order):
    nothing = msgspec.structs.replace(QUOTE, bid=ZERO, ask=ZERO)
    size = size_order(how, SWAP, nothing, FUNDS, {}, position=Decimal(2), holding=None)

    assert reason_of(size) is DenialReason.NO_MARKET_DATA


def test_a_side_without_a_price_has_no_size():
    nobody_buys = msgspec.structs.replace(QUOTE, bid=ZERO)
    for how in (target("1"), order(Side.SELL, "1", reduce_only=True)):
        size = size_order(how, SWAP, nobody_buys, FUNDS, {}, position=Decimal(2), holding=None)

        assert reason_of(size) is DenialReason.NO_MARKET_DATA


def base(free: str, used: str = "0") -> Balance:
    return Balance(Decimal(free), Decimal(used))


@pytest.mark.parametrize(
    ("wish", "holding", "there", "expected", "dust"),
    [
        (target("0"), "2", base("10"), ("sell", "2", True), None),
        (target("0"), "20", base("10"), ("sell", "10", True), None),
        (target("0"), None, base("10"), ("sell", "10", True), None),
        (target("0"), "1.9980019", base("10"), ("sell", "1.998", True), "0.0000019"),
        (target("0"), "10", base("4", used="6"), ("sell", "4", True), None),
        (target("1"), "3", base("10"), ("sell", "2", True), None),
        (target("3"), "1", base("10"), ("buy", "2", False), None),
        (target("3"), "-1", base("10"), ("buy", "3", False), None),
        (order(Side.SELL, "5", reduce_only=True), "2", base("10"), ("sell", "2", True), None),
        (order(Side.SELL, "50", M.FIXED_PERCENTAGE, reduce_only=True), "2", base("10"), ("sell", "1", True), None),
        (order(Side.SELL, "5"), "2", base("10"), ("sell", "5", False), None),
    ],
)
def test_on_spot_only_what_the_source_bought_is_reduced(
    wish: Order, holding: str | None, there: Balance, expected: tuple[str, str, bool], dust: str | None
):
    size = on_spot(wish, holding, there, cash="1000")

    assert seen(size) == expected
    assert isinstance(size, Sized)
    assert size.dust == (dust and Decimal(dust))
    assert size.contracts is None


@pytest.mark.parametrize(
    ("wish", "holding", "there", "dust"),
    [
        (target("0"), "0", base("10"), None),
        (target("0"), "-3", base("10"), None),
        (target("0"), "3", base("0"), None),
        (target("0"), "0.00007", base("10"), "0.00007"),
        (target("2"), "1.99999", base("10"), "0.00001"),
        (order(Side.SELL, "1", reduce_only=True), "0", base("10"), None),
        (order(Side.SELL, "1", reduce_only=True), "0.00007", base("10"), "0.00007"),
    ],
)
def test_what_is_too_little_to_be_sold_is_told_as_dust(wish: Order, holding: str, there: Balance, dust: str | None):
    assert dust_of(on_spot(wish, holding, there, cash="1000")) == (dust and Decimal(dust))


def test_what_open_orders_hold_is_not_called_closed():
    locked = on_spot(target("0"), "2", base("0", used="2"))
    under_way = on_spot(target("0"), "2", base("2"), reserved="2")

    assert reason_of(locked) is reason_of(under_way) is DenialReason.INSUFFICIENT_BALANCE


def test_a_buy_to_a_spot_target_needs_its_cash():
    assert reason_of(on_spot(target("3"), "1", base("1"), cash="201")) is DenialReason.INSUFFICIENT_BALANCE
    assert seen(on_spot(target("3"), "1", base("1"), cash="202")) == ("buy", "2", False)


def test_nothing_is_held_short_on_spot():
    assert reason_of(on_spot(target("-1"), "1", base("1"))) is DenialReason.POSITION_UNSUPPORTED


signed = st.just(ZERO) | st.builds(lambda number, sign: number * sign, positive(12, 6), st.sampled_from([1, -1]))
sides = st.sampled_from(Side)


@given(position=signed, wanted=signed, price=positive(8, 4))
@settings(max_examples=300)
def test_a_swap_ends_within_what_can_be_traded_of_its_target_and_never_beyond(
    position: Decimal, wanted: Decimal, price: Decimal
):
    position = SWAP.round_quantity(position)
    quote = Quote(symbol=SWAP.symbol, bid=price, ask=price, ts_ns=0)
    size = size_order(target(str(wanted)), SWAP, quote, FUNDS, {}, position=position, holding=ZERO)
    missing = MATH.subtract(wanted, position)

    if isinstance(size, Sized):
        step = size.quantity if size.side is Side.BUY else -size.quantity
        left = MATH.subtract(missing, step)
        assert (missing > 0) == (size.side is Side.BUY)
        assert abs(left) < SWAP.amount_step, "the target is reached up to a step"
        assert left * missing >= 0, "and not passed"
        assert size.reduce_only == (position * wanted >= 0 and abs(wanted) < abs(position))
        assert not size.reduce_only or size.quantity <= abs(position)
        assert SWAP.round_quantity(size.quantity) == size.quantity
        assert size.contracts == MATH.divide(size.quantity, SWAP.contract_size)
    elif isinstance(size, AtTarget):
        assert size.dust == (abs(missing) or None)
        assert wanted == 0 or wanted * position > 0
    else:
        assert size.reason is DenialReason.BELOW_MINIMUM
        assert wanted * position <= 0
        assert wanted != 0


@given(position=signed, side=sides, asked=positive(12, 6), percent=st.booleans())
@settings(max_examples=200)
def test_a_reducing_order_on_a_swap_goes_beyond_neither_the_position_nor_what_was_asked(
    position: Decimal, side: Side, asked: Decimal, percent: bool
):
    value = min(asked, Decimal(100)) if percent else asked
    wish = order(side, str(value), M.FIXED_PERCENTAGE if percent else M.EXPLICIT, reduce_only=True)
    size = size_order(wish, SWAP, QUOTE, FUNDS, {}, position=position, holding=ZERO)

    reducible = max(position if side is Side.SELL else -position, ZERO)
    if isinstance(size, Sized):
        assert (size.side, size.reduce_only) == (side, True)
        assert 0 < size.quantity <= reducible
        assert size.quantity <= (reducible * value / 100 if percent else value)
    elif isinstance(size, AtTarget):
        assert SWAP.round_quantity(reducible) < SWAP.min_quantity
        assert size.dust == (reducible or None)
    else:
        assert size.reason is DenialReason.BELOW_MINIMUM


amounts = st.just(ZERO) | positive(12, 4)


@given(
    wanted=amounts,
    holding=st.none() | signed,
    free=amounts,
    used=amounts,
    cash=amounts,
    reserved=amounts,
    reduces=st.booleans(),
    order_type=st.sampled_from([OrderType.MARKET, OrderType.LIMIT]),
)
@settings(max_examples=300)
def test_on_spot_nothing_is_sold_that_is_not_free_or_not_the_sources(
    wanted: Decimal,
    holding: Decimal | None,
    free: Decimal,
    used: Decimal,
    cash: Decimal,
    reserved: Decimal,
    reduces: bool,
    order_type: OrderType,
):
    wish = target(str(wanted))
    if reduces:
        wish = order(Side.SELL, str(wanted), reduce_only=True, order_type=order_type, price=Decimal(100))
    balances = {"BTC": Balance(free, used), "USDT": Balance(cash)}
    size = size_order(wish, BTC, QUOTE, balances, {"BTC": reserved}, position=ZERO, holding=holding)

    total = balances["BTC"].total
    held = total if holding is None else min(max(holding, ZERO), total)
    if isinstance(size, Sized) and size.side is Side.SELL:
        assert size.reduce_only
        assert size.quantity <= max(MATH.subtract(free, reserved), ZERO)
        assert size.quantity <= (min(held, wanted) if reduces else MATH.subtract(held, wanted))
        assert size.quantity >= BTC.min_quantity
    elif isinstance(size, Sized):
        assert not size.reduce_only
        assert held + size.quantity <= wanted
        assert size.reserve_amount <= cash
    elif isinstance(size, AtTarget) and not reduces:
        assert size.dust == (abs(MATH.subtract(wanted, held)) or None)
