"""The simulator's engine by itself: swaps, used ids, reductions, and that the same calls give the same trades."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simulator.engine import Engine, FillPlan, Instrument, RejectCode, Rejection, SimOrder
from tests.simulator.model import OrderStatus, SimBalance, UsedIds

SWAP = Instrument(
    symbol="BTC-SWAP",
    base="BTC",
    quote="USDT",
    kind="swap",
    contract_size=Decimal("0.01"),
    tick=Decimal("0.1"),
    step=Decimal(1),
    min_qty=Decimal(1),
    taker_fee=Decimal("0.0005"),
    maker_fee=Decimal("0.0002"),
)
SPOT = Instrument(symbol="BTCUSDT", base="BTC", quote="USDT")
SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000 * SECOND

    def __call__(self) -> int:
        return self.now


def engine(used_ids: UsedIds = "refused_while_open", clock: Clock | None = None, **options: Any) -> Engine:
    made = Engine(
        [SWAP, SPOT],
        used_ids=used_ids,
        funds={"USDT": Decimal(10_000), "BTC": Decimal(1)},
        clock=clock or Clock(),
        **options,
    )
    made.set_price("BTC-SWAP", "50000", "50000.1")
    made.set_price("BTCUSDT", "50000", "50001")
    return made


def taken(order: SimOrder | Rejection) -> SimOrder:
    assert isinstance(order, SimOrder), order
    return order


def refused(order: SimOrder | Rejection) -> RejectCode:
    assert isinstance(order, Rejection), order
    return order.code


def test_a_swaps_quantity_is_contracts_and_its_fee_and_profit_are_quote() -> None:
    one = engine()
    taken(one.place("BTC-SWAP", "buy", "market", Decimal(10)))
    position = one.positions()["BTC-SWAP"]
    assert (position.quantity, position.entry_price) == (Decimal(10), Decimal("50000.1"))
    (trade,) = one.trades()
    assert (trade.fee, trade.fee_currency) == (Decimal("0.0005") * Decimal("5000.01"), "USDT")
    one.set_price("BTC-SWAP", "51000", "51000.1")
    taken(one.place("BTC-SWAP", "sell", "market", Decimal(10)))
    assert one.positions() == {}
    fees = sum(trade.fee for trade in one.trades())
    assert one.balances()["USDT"] == SimBalance(free=Decimal(10_000) + Decimal("99.99") - fees, locked=Decimal(0))


def test_a_position_turns_over_and_keeps_the_price_of_what_is_left() -> None:
    one = engine()
    taken(one.place("BTC-SWAP", "buy", "market", Decimal(4)))
    one.set_price("BTC-SWAP", "49000", "49000.1")
    taken(one.place("BTC-SWAP", "sell", "market", Decimal(10)))
    position = one.positions()["BTC-SWAP"]
    assert (position.quantity, position.entry_price) == (Decimal(-6), Decimal(49000))
    taken(one.place("BTC-SWAP", "sell", "limit", Decimal(6), price=Decimal(49000)))
    assert one.positions()["BTC-SWAP"].quantity == Decimal(-12)


def test_margin_limits_what_a_swap_can_open_but_not_what_it_closes() -> None:
    one = engine()
    assert refused(one.place("BTC-SWAP", "buy", "market", Decimal(250))) is RejectCode.INSUFFICIENT_FUNDS
    taken(one.place("BTC-SWAP", "buy", "market", Decimal(190)))
    assert one.balances()["USDT"].free < Decimal(600)
    assert refused(one.place("BTC-SWAP", "buy", "market", Decimal(20))) is RejectCode.INSUFFICIENT_FUNDS
    taken(one.place("BTC-SWAP", "sell", "market", Decimal(190)))
    assert one.positions() == {}


def test_reduce_only_never_opens_and_stops_at_flat() -> None:
    one = engine()
    assert refused(one.place("BTC-SWAP", "sell", "market", Decimal(5), reduce_only=True)) is RejectCode.REDUCE_ONLY
    taken(one.place("BTC-SWAP", "buy", "market", Decimal(3)))
    assert refused(one.place("BTC-SWAP", "buy", "market", Decimal(5), reduce_only=True)) is RejectCode.REDUCE_ONLY
    closing = taken(one.place("BTC-SWAP", "sell", "market", Decimal(5), reduce_only=True))
    assert (closing.filled, closing.status) == (Decimal(3), OrderStatus.CANCELED)
    assert one.positions() == {}


@pytest.mark.parametrize(
    ("rule", "while_open", "after"),
    [("refused_forever", False, False), ("refused_while_open", False, True), ("accepted", True, True)],
)
def test_used_client_ids_are_dealt_with_by_rule(rule: UsedIds, while_open: bool, after: bool) -> None:
    one = engine(rule)
    first = taken(one.place("BTCUSDT", "buy", "limit", Decimal("0.01"), price=Decimal(40000), client_id="fp-1"))
    again = one.place("BTCUSDT", "buy", "limit", Decimal("0.01"), price=Decimal(40000), client_id="fp-1")
    assert isinstance(again, SimOrder) is while_open
    one.cancel(order_id=first.id)
    if isinstance(again, SimOrder):
        one.cancel(order_id=again.id)
    assert isinstance(one.place("BTCUSDT", "buy", "market", Decimal("0.01"), client_id="fp-1"), SimOrder) is after


def test_fills_that_are_due_are_made_up_for_at_the_price_of_now() -> None:
    clock = Clock()
    one = engine(clock=clock)
    one.next_fill(FillPlan.in_parts(2, every=10))
    order = taken(one.place("BTCUSDT", "buy", "market", Decimal("0.02")))
    assert (order.filled, order.status) == (Decimal("0.01"), OrderStatus.PARTIALLY_FILLED)
    one.set_price("BTCUSDT", "60000", "60001")
    clock.now += 10 * SECOND
    assert one.open_orders() == []
    assert [trade.price for trade in one.trades()] == [Decimal(50001), Decimal(60001)]
    assert order.average == Decimal(55001)


def test_fills_can_be_given_by_hand_and_an_order_ended_by_the_venue() -> None:
    one = engine()
    order = taken(one.place("BTCUSDT", "sell", "limit", Decimal("0.4"), price=Decimal(52000)))
    one.fill(order, Decimal("0.1"))
    assert (order.average, order.trades[0].maker) == (Decimal(52000), True)
    one.end(order, "expired")
    assert (order.status, order.filled, order.reserved) == (OrderStatus.EXPIRED, Decimal("0.1"), Decimal(0))
    assert one.balances()["BTC"] == SimBalance(free=Decimal("0.9"), locked=Decimal(0))


def test_immediate_orders_never_rest() -> None:
    one = engine()
    missed = taken(one.place("BTCUSDT", "buy", "limit", Decimal("0.01"), price=Decimal(40000), time_in_force="ioc"))
    assert (missed.status, missed.filled) == (OrderStatus.EXPIRED, Decimal(0))
    one.next_fill(FillPlan.partly("0.5", then="rest"))
    half = taken(one.place("BTCUSDT", "buy", "limit", Decimal("0.01"), price=Decimal(60000), time_in_force="ioc"))
    assert (half.status, half.filled) == (OrderStatus.EXPIRED, Decimal("0.005"))
    assert one.balances()["USDT"].locked == 0


def test_a_cancel_can_come_half_too_late() -> None:
    one = engine()
    one.next_fill(FillPlan.resting(on_cancel="fill_part"))
    order = taken(one.place("BTCUSDT", "buy", "market", Decimal("0.02")))
    assert taken(one.cancel(order_id=order.id)).status is OrderStatus.CANCELED
    assert order.filled == Decimal("0.01")


def test_the_same_calls_give_the_same_trades_and_another_seed_other_ones() -> None:
    def run(seed: int) -> list[tuple[str, Decimal, OrderStatus]]:
        one = engine(seed=seed)
        one.random_rate = 0.5
        orders = [taken(one.place("BTCUSDT", "buy", "market", Decimal("0.01"), client_id=f"fp-{n}")) for n in range(12)]
        return [(order.id, order.filled, order.status) for order in orders]

    assert run(1) == run(1)
    assert len({str(run(seed)) for seed in range(4)}) > 1


def test_no_money_is_made_or_lost_by_resting_orders() -> None:
    one = engine()
    before = one.balances()
    bought = taken(one.place("BTCUSDT", "buy", "limit", Decimal("0.1"), price=Decimal(40000)))
    sold = taken(one.place("BTCUSDT", "sell", "stop_loss", Decimal("0.1"), trigger=Decimal(45000)))
    assert (one.balances()["USDT"].locked, one.balances()["BTC"].locked) == (Decimal(4000), Decimal("0.1"))
    for order in (bought, sold):
        one.cancel(order_id=order.id)
    assert one.balances() == before


def test_a_partly_filled_order_holds_only_what_the_rest_needs() -> None:
    one = engine()
    order = taken(one.place("BTCUSDT", "buy", "limit", Decimal("0.1"), price=Decimal(40000)))
    one.fill(order, Decimal("0.025"))
    assert one.balances()["USDT"] == SimBalance(free=Decimal(6000), locked=Decimal(3000))
    assert one.balances()["BTC"].free == Decimal("1.024975")
