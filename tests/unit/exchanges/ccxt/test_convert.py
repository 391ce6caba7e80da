"""What ccxt's dictionaries mean, and what is never guessed from them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ccxt.base.decimal_to_precision import DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE
from hypothesis import given
from hypothesis import strategies as st

from service.core.markets import MarketType
from service.core.orders import OrderStatus, OrderType
from service.exchanges.ccxt.convert import (
    balances_of,
    decimal_of,
    listed_of,
    positions_of,
    quote_of,
    report_of,
    status_of,
    time_ns,
    trades_of,
)

TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})
SPOT = {
    "symbol": "BTC/USDT",
    "base": "BTC",
    "quote": "USDT",
    "spot": True,
    "swap": False,
    "active": True,
    "precision": {"amount": 0.00001, "price": 0.01},
    "limits": {"amount": {"min": 0.0001}, "cost": {"min": 5}},
}
SWAP = SPOT | {
    "symbol": "BTC/USDT:USDT",
    "settle": "USDT",
    "spot": False,
    "swap": True,
    "linear": True,
    "inverse": False,
    "contractSize": 0.01,
    "precision": {"amount": 1, "price": 0.1},
    "limits": {"amount": {"min": 1}},
}


def listed(raw=SPOT, name="okx", mode=TICK_SIZE):
    return listed_of(raw, classes={name}, precision_mode=mode, order_types=TYPES)


def order(**fields):
    base = {
        "id": "77",
        "clientOrderId": "mine",
        "symbol": "BTC/USDT",
        "status": "open",
        "amount": 1.0,
        "filled": 0.0,
        "timestamp": 1_700_000_000_123,
        "info": {},
    }
    return base | fields


def report(raw, market=None, **fields):
    return report_of(raw, market or listed(), **({"now_ns": 5, "client_order_id": "mine"} | fields))


class TestMarkets:
    def test_a_spot_market_is_taken_over(self):
        market = listed().market
        assert (market.type, market.settle, market.contract_size) == (MarketType.SPOT, None, 1)
        assert (market.amount_step, market.price_tick) == (Decimal("0.00001"), Decimal("0.01"))
        assert (market.min_quantity, market.min_notional) == (Decimal("0.0001"), Decimal(5))

    def test_a_swaps_steps_and_minimum_are_base_units(self):
        market = listed(SWAP).market
        assert (market.type, market.settle) == (MarketType.SWAP, "USDT")
        assert (market.amount_step, market.min_quantity) == (Decimal("0.01"), Decimal("0.01"))
        assert market.contracts(Decimal("0.03")) == 3

    def test_quantities_become_contracts_and_come_back(self):
        swap = listed(SWAP)
        assert swap.to_amount(Decimal("0.05")) == 5
        assert swap.to_quantity(Decimal(5)) == Decimal("0.05")

    def test_deribit_counts_linear_swaps_in_base_units_whatever_the_contract_size(self):
        swap = listed(SWAP | {"contractSize": 0.0001, "precision": {"amount": 0.001, "price": 1}}, "deribit")
        assert swap.to_amount(Decimal("0.02")) == Decimal("0.02")
        assert swap.market.amount_step == Decimal("0.001")

    def test_a_perpetual_may_have_an_expiry_far_away(self):
        assert listed(SWAP | {"expiry": 32_503_708_800_000}) is not None

    def test_a_swap_whose_unit_is_not_known_is_left_out(self):
        assert listed(SWAP, "bitmex") is None
        assert listed(SWAP | {"contractSize": 1}, "bitmex") is not None

    @pytest.mark.parametrize(
        "change",
        [
            {"active": False},
            {"inverse": True, "linear": False},
            {"swap": False, "future": True},
            {"contractSize": None},
            {"precision": {"amount": None, "price": 0.1}},
            {"precision": {"amount": 1, "price": None}},
        ],
    )
    def test_what_cannot_be_traded_is_left_out(self, change):
        assert listed(SWAP) is not None
        assert listed(SWAP | change) is None

    def test_a_market_that_does_not_say_whether_it_is_open_is_taken(self):
        assert listed(SPOT | {"active": None}) is not None

    @pytest.mark.parametrize(
        ("mode", "precision", "step"),
        [
            (TICK_SIZE, 0.5, "0.5"),
            (TICK_SIZE, 1e-08, "0.00000001"),
            (DECIMAL_PLACES, 3, "0.001"),
            (DECIMAL_PLACES, 0, "1"),
            (DECIMAL_PLACES, -2, "100"),
            (SIGNIFICANT_DIGITS, 5, "0.00000001"),
        ],
    )
    def test_every_kind_of_precision_is_a_step(self, mode, precision, step):
        raw = SPOT | {"precision": {"amount": precision, "price": precision}}
        market = listed(raw, mode=mode).market
        assert market.amount_step == market.price_tick == Decimal(step)


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "filled", "meaning"),
        [
            ("open", 0.0, OrderStatus.ACCEPTED),
            ("open", None, OrderStatus.ACCEPTED),
            ("open", 0.4, OrderStatus.PARTIALLY_FILLED),
            ("open", 1.0, OrderStatus.FILLED),
            (None, None, OrderStatus.ACCEPTED),
            (None, 0.4, OrderStatus.PARTIALLY_FILLED),
            ("canceling", 0.0, OrderStatus.ACCEPTED),
            ("closed", 1.0, OrderStatus.FILLED),
            ("closed", 0.4, OrderStatus.CANCELED),
            ("closed", 0.0, OrderStatus.CANCELED),
            ("closed", None, None),
            ("canceled", 0.4, OrderStatus.CANCELED),
            ("canceled", 1.0, OrderStatus.FILLED),
            ("expired", 0.0, OrderStatus.EXPIRED),
            ("rejected", 0.0, OrderStatus.REJECTED),
            ("rejected", 1.0, OrderStatus.REJECTED),
            ("WORKING_SOMEHOW", 0.0, None),
        ],
    )
    def test_each_word_with_what_was_filled(self, status, filled, meaning):
        assert status_of(order(status=status, filled=filled), Decimal(1)) is meaning

    def test_what_was_ordered_counts_more_than_what_the_reply_calls_the_amount(self):
        assert status_of(order(status="closed", amount=0.5, filled=0.5), Decimal(1)) is OrderStatus.CANCELED

    def test_a_closed_order_of_unknown_amount_is_filled_as_far_as_it_is(self):
        assert status_of(order(status="closed", amount=None, filled=0.5), None) is OrderStatus.FILLED


class TestReports:
    def test_quantities_are_base_units_and_times_nanoseconds(self):
        raw = order(symbol="BTC/USDT:USDT", amount=5, filled=2, average=50000.5, lastUpdateTimestamp=1_700_000_001_000)
        answer = report(raw, listed(SWAP), quantity=Decimal("0.05"))
        assert answer.status is OrderStatus.PARTIALLY_FILLED
        assert (answer.filled_qty, answer.average_price) == (Decimal("0.02"), Decimal("50000.5"))
        assert answer.ts_event_ns == 1_700_000_001_000_000_000

    def test_another_orders_reply_is_no_report(self):
        assert report(order(clientOrderId="theirs")) is None
        assert report(order(symbol="ETH/USDT")) is None

    def test_a_reply_that_repeats_no_id_is_taken_as_the_answer_to_our_request(self):
        answer = report(order(clientOrderId=None, symbol=None))
        assert (answer.client_order_id, answer.symbol) == ("mine", "BTC/USDT")

    def test_our_id_is_read_where_the_exchange_repeats_it(self):
        raw = order(clientOrderId=None, info={"label": "theirs"})
        assert report(raw, id_key="label") is None
        assert report(raw, client_order_id=None, id_key="label").client_order_id == "theirs"

    def test_an_order_without_a_client_id_has_an_empty_one(self):
        assert report(order(clientOrderId=None), client_order_id=None).client_order_id == ""

    def test_a_reply_without_an_id_has_an_empty_one(self):
        assert report(order(id=None)).exchange_order_id == ""

    def test_a_reply_without_a_time_is_stamped_now(self):
        assert report(order(timestamp=None)).ts_event_ns == 5

    def test_executions_in_the_reply_are_fills_of_ours(self):
        trades = [
            {"id": "1", "amount": 0.4, "price": 50000, "fee": {"cost": 0.0004, "currency": "BTC"}, "timestamp": None}
        ]
        (fill,) = report(order(trades=trades, filled=0.4)).fills
        assert (fill.id, fill.client_order_id, fill.quantity, fill.fee) == (
            "1",
            "mine",
            Decimal("0.4"),
            Decimal("0.0004"),
        )
        assert fill.ts_event_ns == 1_700_000_000_123_000_000


class TestTrades:
    def trade(self, **fields):
        base = {"id": "9", "order": "77", "symbol": "BTC/USDT", "amount": 0.5, "price": 10.0, "timestamp": 1000}
        return base | fields

    def of(self, *raws, market=None):
        return trades_of(raws, market or listed(), now_ns=5)

    def test_a_fee_that_is_not_told_is_zero_in_the_quote_currency(self):
        (trade,) = self.of(self.trade())
        assert (trade.fee, trade.fee_currency) == (0, "USDT")

    def test_a_rebate_is_a_negative_fee(self):
        (trade,) = self.of(self.trade(fee={"cost": -0.1, "currency": "USDT"}))
        assert trade.fee == Decimal("-0.1")

    def test_several_fees_of_one_currency_are_one(self):
        (trade,) = self.of(self.trade(fees=[{"cost": 0.1, "currency": "BNB"}, {"cost": 0.2, "currency": "BNB"}]))
        assert (trade.fee, trade.fee_currency) == (Decimal("0.3"), "BNB")

    def test_contracts_become_base_units(self):
        (trade,) = self.of(self.trade(symbol="BTC/USDT:USDT", amount=3), market=listed(SWAP))
        assert trade.quantity == Decimal("0.03")

    def test_executions_without_an_id_get_the_same_ones_at_every_reading(self):
        twins = [self.trade(id=None), self.trade(id=None), self.trade(id=None, price=11.0)]
        ids = [trade.id for trade in self.of(*twins)]
        assert len(set(ids)) == 3
        assert [trade.id for trade in self.of(*twins)] == ids

    def test_what_has_no_quantity_or_price_is_passed_over(self):
        assert self.of(self.trade(amount=None), self.trade(price=None), self.trade(amount=0)) == []


class TestHoldings:
    def test_balances_that_are_zero_are_left_out(self):
        raw = {
            "free": {"USDT": 1.5, "BTC": 0.0},
            "used": {"USDT": 0.5, "BTC": 0.0},
            "total": {"USDT": 2.0, "BTC": 0.0},
        }
        (currency,) = balances = balances_of(raw)
        assert currency == "USDT"
        assert (balances["USDT"].free, balances["USDT"].used) == (Decimal("1.5"), Decimal("0.5"))

    def test_what_is_missing_follows_from_the_rest(self):
        raw = {"free": {"A": None, "B": 1, "C": None}, "used": {"A": 1, "B": None, "C": None}}
        balances = balances_of(raw | {"total": {"A": 3, "B": 4, "C": 5}})
        assert (balances["A"].free, balances["B"].used, balances["C"].free) == (2, 3, 5)

    @pytest.mark.parametrize(("side", "contracts"), [("short", 3), ("short", -3), (None, -3)])
    def test_a_short_position_is_below_zero_however_it_is_told(self, side, contracts):
        raw = {"symbol": "BTC/USDT:USDT", "side": side, "contracts": contracts}
        (position,) = positions_of([raw], {"BTC/USDT:USDT": listed(SWAP)}).values()
        assert position.quantity == Decimal("-0.03")

    def test_deribits_positions_are_counted_where_the_base_units_stand(self):
        swap = listed(SWAP | {"contractSize": 0.0001}, "deribit")
        raw = {"symbol": "BTC/USDT:USDT", "side": "short", "contracts": -1000.5, "info": {"size_currency": "-0.02"}}
        assert positions_of([raw], {"BTC/USDT:USDT": swap})["BTC/USDT:USDT"].quantity == Decimal("-0.02")
        with pytest.raises(KeyError):
            positions_of([raw | {"info": {}}], {"BTC/USDT:USDT": swap})

    def test_flat_and_foreign_positions_are_left_out(self):
        raws = [
            {"symbol": "BTC/USDT:USDT", "side": "long", "contracts": 0},
            {"symbol": "BTC/USD:BTC", "side": "long", "contracts": 5},
        ]
        assert positions_of(raws, {"BTC/USDT:USDT": listed(SWAP)}) == {}


class TestNumbers:
    @given(st.decimals(min_value=0, max_value=10**9, places=6))
    def test_decimal_text_survives_ccxts_floats(self, number):
        assert decimal_of(float(number)) == number

    @pytest.mark.parametrize("value", [None, "", "abc", float("nan"), float("inf"), True])
    def test_no_number_is_none(self, value):
        assert decimal_of(value) is None

    def test_the_first_time_that_is_there_counts(self):
        assert time_ns(None, 0, 12.5, 99) == 12_500_000
        assert time_ns(None, None) is None

    @pytest.mark.parametrize(
        ("raw", "prices"),
        [
            ({"bid": 9.5, "ask": 10}, (Decimal("9.5"), 10)),
            ({"bids": [[9.5, 1], [9, 1]], "asks": [[10, 1]]}, (Decimal("9.5"), 10)),
        ],
    )
    def test_a_quote_is_the_best_bid_and_ask(self, raw, prices):
        quote = quote_of(raw, "BTC/USDT", 7)
        assert (quote.bid, quote.ask, quote.ts_ns) == (*prices, 7)

    @pytest.mark.parametrize(
        "raw", [{}, {"bid": 9}, {"bid": 0, "ask": 9}, {"bid": 10, "ask": 9}, {"bids": [], "asks": [[1, 1]]}]
    )
    def test_half_a_quote_is_none(self, raw):
        assert quote_of(raw, "BTC/USDT", 7) is None
