from decimal import Decimal

import pytest

from service.core.markets import Balance
from service.core.orders import OrderStatus, OrderType, Side
from service.core.outcomes import Accepted, Found, NotFound, Refused, RejectReason
from service.exchanges.paper import FeeRates, PartialFills
from service.exchanges.paper.prices import RandomWalk
from tests.unit.exchanges.paper_lab import ACCOUNT, BTC, Lab

BUY, SELL = Side.BUY, Side.SELL
LIMIT, STOP_LOSS, TAKE_PROFIT = OrderType.LIMIT, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "books.sqlite")
    yield lab
    lab.close()


def balance(free, used="0"):
    return Balance(free=Decimal(free), used=Decimal(used))


def test_a_market_buy_fills_at_the_ask_and_pays_its_fee_in_what_it_received(lab):
    report = lab.place(BUY, "1").report
    assert (report.status, report.average_price) == (OrderStatus.FILLED, Decimal("100.01"))
    assert (report.fills[0].fee, report.fills[0].fee_currency) == (Decimal("0.001"), "BTC")
    assert lab.balance("BTC") == balance("0.999")
    assert lab.balance() == balance("899.99")


def test_a_market_sell_fills_at_the_bid_and_pays_its_fee_in_what_it_received(lab):
    lab.place(BUY, "1")
    report = lab.place(SELL, "0.999").report
    assert report.average_price == Decimal("99.99")
    assert report.fills[0].fee_currency == "USDT"
    assert lab.balance("BTC") == balance("0")
    assert lab.balance() == balance(Decimal("899.99") + Decimal("99.89001") * Decimal("0.999"))


def test_the_price_of_a_market_order_is_ignored(lab):
    assert lab.place(BUY, "1", price="1").report.average_price == Decimal("100.01")


def test_a_limit_reserves_rests_and_fills_at_its_limit_when_the_price_reaches_it(lab):
    order = lab.rest(BUY, "1", LIMIT, price="99")
    assert lab.balance() == balance("901", "99")
    lab.move("99.01")
    assert lab.report(order).status is OrderStatus.ACCEPTED
    lab.move("95")
    assert (lab.report(order).status, lab.report(order).average_price) == (OrderStatus.FILLED, Decimal(99))
    assert lab.balance() == balance("901")


def test_a_marketable_limit_fills_at_once_at_the_better_price(lab):
    report = lab.place(BUY, "1", LIMIT, price="105").report
    assert (report.status, report.average_price) == (OrderStatus.FILLED, Decimal("100.01"))
    assert lab.balance() == balance("899.99")


def test_a_rested_order_pays_the_makers_fee(tmp_path):
    lab = Lab(tmp_path / "books.sqlite", fee_rate=FeeRates(taker=Decimal("0.002"), maker=Decimal(0)))
    order = lab.rest(BUY, "1", LIMIT, price="99")
    lab.move("95")
    assert lab.report(order).fills[0].fee == 0
    lab.close()


@pytest.mark.parametrize(
    ("side", "kind", "stop", "quiet", "gap", "filled_at"),
    [
        (SELL, STOP_LOSS, "95", "95.02", "90", "89.99"),
        (SELL, TAKE_PROFIT, "105", "105", "110", "109.98"),
        (BUY, STOP_LOSS, "105", "104.97", "110", "110.02"),
        (BUY, TAKE_PROFIT, "95", "95", "90", "90.01"),
    ],
)
def test_a_stop_triggers_at_its_price_and_fills_at_the_one_found_then(lab, side, kind, stop, quiet, gap, filled_at):
    lab.place(BUY, "2")
    order = lab.rest(side, "1", kind, stop_price=stop)
    lab.move(quiet)
    assert lab.report(order).status is OrderStatus.ACCEPTED
    lab.move(gap)
    assert (lab.report(order).status, lab.report(order).average_price) == (OrderStatus.FILLED, Decimal(filled_at))
    assert lab.balance().used == lab.balance("BTC").used == 0


@pytest.mark.parametrize(
    ("side", "kind", "stop"),
    [(SELL, STOP_LOSS, "101"), (SELL, TAKE_PROFIT, "99"), (BUY, STOP_LOSS, "99"), (BUY, TAKE_PROFIT, "101")],
)
def test_a_stop_on_the_wrong_side_of_the_market_is_refused(lab, side, kind, stop):
    outcome = lab.place(side, "1", kind, stop_price=stop)
    assert outcome.reason is RejectReason.INVALID_ORDER
    assert "would trigger at once" in outcome.message


def test_a_stop_with_a_limit_rests_after_its_trigger_when_the_price_jumped_past_it(lab):
    lab.place(BUY, "2")
    order = lab.rest(SELL, "1", STOP_LOSS, stop_price="95", price="94")
    lab.move("90")
    assert lab.report(order).status is OrderStatus.TRIGGERED
    lab.restart()
    lab.move("94.02")
    assert (lab.report(order).status, lab.report(order).average_price) == (OrderStatus.FILLED, Decimal(94))


def test_a_stop_with_a_limit_fills_at_once_within_it(lab):
    lab.place(BUY, "2")
    order = lab.rest(SELL, "1", STOP_LOSS, stop_price="95", price="90")
    lab.move("94")
    assert lab.report(order).average_price == Decimal("93.99")


def test_a_stop_that_a_gap_made_too_dear_ends_rejected_and_releases_its_money(lab):
    order = lab.rest(BUY, "9", STOP_LOSS, stop_price="105")
    assert lab.balance() == balance("55", "945")
    lab.move("150")
    report = lab.report(order)
    assert (report.status, report.reject_reason) == (OrderStatus.REJECTED, RejectReason.INSUFFICIENT_FUNDS)
    assert lab.balance() == balance("1000")


def test_two_orders_of_one_tick_never_spend_the_same_money(lab):
    first, second = (lab.rest(BUY, "4", STOP_LOSS, stop_price="105") for _ in range(2))
    lab.move("140")
    assert [lab.report(order).status for order in (first, second)] == [OrderStatus.FILLED, OrderStatus.REJECTED]
    assert lab.balance().free == 1000 - 4 * Decimal("140.02")


def test_a_limit_may_fill_in_parts_of_whole_steps(tmp_path):
    lab = Lab(tmp_path / "books.sqlite", partial_fills=PartialFills(probability=1, parts=3))
    order = lab.rest(BUY, "0.010", LIMIT, price="99")
    seen = []
    for _ in range(3):
        lab.move("95")
        lab.restart()
        seen.append((lab.report(order).status, lab.report(order).filled_qty))
    partial = OrderStatus.PARTIALLY_FILLED
    assert seen == [(partial, Decimal("0.003")), (partial, Decimal("0.006")), (OrderStatus.FILLED, Decimal("0.010"))]
    lab.close()


def test_a_partly_filled_order_can_be_canceled(tmp_path):
    lab = Lab(tmp_path / "books.sqlite", partial_fills=PartialFills(probability=1, parts=2))
    order = lab.rest(BUY, "2", LIMIT, price="99")
    lab.move("95")
    report = lab.cancel(order)
    assert (report.status, report.filled_qty) == (OrderStatus.CANCELED, Decimal(1))
    assert lab.balance() == balance("901")
    lab.close()


def test_a_finished_or_unknown_order_cannot_be_canceled(lab):
    filled = lab.rest(BUY, "1")
    assert "FILLED already" in lab.cancel(filled).message
    assert "no order 'nothing'" in lab.cancel("nothing").message


@pytest.mark.parametrize("first", [(BUY, "1", OrderType.MARKET, None), (BUY, "9", LIMIT, "99")])
def test_a_used_client_order_id_is_refused_for_ever_whatever_comes_with_it(lab, first):
    side, quantity, kind, price = first
    lab.place(side, quantity, kind, price=price, client_order_id="once")
    for _ in range(2):
        again = lab.place(BUY, "100000", client_order_id="once")
        assert again.reason is RejectReason.DUPLICATE_CLIENT_ORDER_ID
        lab.cancel("once")
        lab.restart()


def test_a_refused_order_leaves_its_client_order_id_unused(lab):
    assert isinstance(lab.place(BUY, "1000", client_order_id="once"), Refused)
    assert isinstance(lab.engine.look_up(ACCOUNT, "once"), NotFound)
    assert isinstance(lab.place(BUY, "1", client_order_id="once"), Accepted)


@pytest.mark.parametrize(
    ("side", "quantity", "kind", "price"),
    [
        (BUY, "10", OrderType.MARKET, None),
        (BUY, "20", LIMIT, "99"),
        (SELL, "1", OrderType.MARKET, None),
        (SELL, "1", LIMIT, "101"),
    ],
)
def test_what_is_not_there_cannot_be_spent(lab, side, quantity, kind, price):
    outcome = lab.place(side, quantity, kind, price=price)
    assert outcome.reason is RejectReason.INSUFFICIENT_FUNDS
    assert "free, too little" in outcome.message
    assert lab.balance() == balance("1000")


def test_reserved_money_cannot_be_spent_again(lab):
    lab.rest(BUY, "10", LIMIT, price="99")
    assert lab.place(BUY, "1").reason is RejectReason.INSUFFICIENT_FUNDS


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"quantity": "0.0005"}, "multiple of 0.001"),
        ({"quantity": "0"}, "positive"),
        ({"quantity": "-1"}, "positive"),
        ({"quantity": "NaN"}, "positive"),
        ({"quantity": "sNaN"}, "positive"),
        ({"quantity": "Infinity"}, "positive"),
        ({"quantity": "1e999999999"}, "below 1e13"),
        ({"quantity": "1e-999999999"}, "multiple of 0.001"),
        ({"kind": LIMIT, "price": "99.001"}, "multiple of 0.01"),
        ({"kind": LIMIT, "price": "1e999999999"}, "below 1e13"),
        ({"kind": LIMIT, "price": "1", "quantity": "0.001"}, "minimum of 0.1 USDT"),
        ({"kind": LIMIT}, "needs a price"),
        ({"kind": LIMIT, "price": "99", "stop_price": "98"}, "takes no stop price"),
        ({"kind": STOP_LOSS}, "needs a stop price"),
        ({"reduce_only": True}, "cannot reduce"),
        ({"symbol": "NOT/TRADED"}, "not traded here"),
        ({"client_order_id": "with space"}, "client order id"),
        ({"client_order_id": "x" * 65}, "client order id"),
    ],
)
def test_an_invalid_order_is_refused_with_what_is_wrong(lab, fields, message):
    given = {"side": BUY, "quantity": "1"} | fields
    outcome = lab.place(**given)
    assert outcome.reason is RejectReason.INVALID_ORDER
    assert message in outcome.message


def test_an_unknown_account_may_not_trade(lab):
    assert lab.place(BUY, "1", account="paper-9").reason is RejectReason.NOT_PERMITTED


def test_open_orders_are_listed_oldest_first_and_fills_from_their_time_on(lab):
    resting = [lab.rest(BUY, "1", LIMIT, price=price) for price in ("90", "91")]
    lab.place(BUY, "1")
    since = lab.now_ns + 1
    last = lab.rest(BUY, "1")
    assert [report.client_order_id for report in lab.engine.open_orders(ACCOUNT)] == resting
    assert [fill.client_order_id for fill in lab.engine.fills_since(ACCOUNT, [BTC], since)] == [last]


def test_finished_orders_are_found_when_they_left_memory(lab):
    first = lab.place(BUY, "0.001").report
    for _ in range(1_100):
        lab.place(BUY, "0.001")
    assert (ACCOUNT, first.client_order_id) not in lab.engine._memory.finished
    assert lab.engine.look_up(ACCOUNT, first.client_order_id) == Found(first)


def test_only_open_orders_are_loaded_at_a_restart(lab):
    lab.place(BUY, "1")
    resting = lab.rest(BUY, "1", LIMIT, price="90")
    assert [order.client_order_id for order in lab.books.load().open_orders] == [resting]


def test_an_account_is_credited_once(lab):
    lab.place(BUY, "1")
    lab.restart()
    assert lab.balance() == balance("899.99")


def test_prices_go_on_from_where_they_were(lab):
    lab.move("123")
    before = lab.engine.quote("BTC/USDT")
    lab.restart()
    after = lab.engine.quote("BTC/USDT")
    assert (after.bid, after.ask) == (before.bid, before.ask)


def test_a_restart_continues_the_random_walk_where_it_was(tmp_path):
    quotes = []
    for restarts in (False, True):
        lab = Lab(tmp_path / f"{restarts}.sqlite")
        lab.prices = RandomWalk(1, 0.01)
        lab.restart()
        for _ in range(6):
            lab.engine.tick(1)
            if restarts:
                lab.restart()
        assert lab.books.load().prices[BTC].tick == 6
        quotes.append(lab.engine.quote(BTC).bid)
        lab.close()
    assert quotes[0] == quotes[1] != Decimal("99.99")
