"""What a source holds is the exact sum of its fills, each counted once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.core.orders import OrderStatus, Side
from service.journal import holdings, together, writes
from service.journal.protocol import JournalConflict
from tests.unit.journal.examples import a_fill, journaled, moved


async def filled(journal, order, *fills):
    """The order one version on, with these fills."""
    after, transition = moved(order, OrderStatus.PARTIALLY_FILLED)
    await journal.record(after, transition, fills)
    return after


async def held_of(journal, order):
    return await journal.holding(
        source=order.source, exchange=order.exchange, account=order.account, symbol=order.symbol
    )


async def test_a_source_holds_what_it_bought_less_what_it_sold(journal):
    buy = await journaled(journal)
    sell = await journaled(journal, side=Side.SELL)
    assert await held_of(journal, buy) == 0
    buy = await filled(journal, buy, a_fill(buy, "1", quantity=Decimal("0.3")))
    await filled(journal, buy, a_fill(buy, "2", quantity=Decimal("0.1")), a_fill(buy, "3", quantity=Decimal("0.2")))
    assert await held_of(journal, buy) == Decimal("0.6")
    await filled(journal, sell, a_fill(sell, "4", quantity=Decimal("0.7")))
    assert await held_of(journal, sell) == Decimal("-0.1")


@pytest.mark.parametrize(
    ("side", "currency", "fee", "held"),
    [
        (Side.BUY, "BTC", "0.001", "0.999"),
        (Side.BUY, "USDT", "0.001", "1"),
        (Side.BUY, "BNB", "0.001", "1"),
        (Side.BUY, "BTC", "-0.001", "1.001"),
        (Side.SELL, "BTC", "0.001", "-1.001"),
        (Side.SELL, "USDT", "0.001", "-1"),
    ],
)
async def test_a_fee_counts_where_it_is_taken_from_the_base_currency(journal, side, currency, fee, held):
    order = await journaled(journal, side=side)
    await filled(journal, order, a_fill(order, "1", quantity=Decimal(1), fee=Decimal(fee), fee_currency=currency))
    assert await held_of(journal, order) == Decimal(held)


async def test_a_fill_that_comes_again_counts_once(journal):
    order = await journaled(journal)
    order = await filled(journal, order, a_fill(order, "1"), a_fill(order, "1"))
    await filled(journal, order, a_fill(order, "1", quantity=Decimal(9)), a_fill(order, "2", quantity=Decimal(1)))
    assert await held_of(journal, order) == Decimal("1.5")


@pytest.mark.parametrize("at_once", [True, False])
async def test_both_sides_of_a_trade_with_oneself_count(journal, at_once):
    buy = await journaled(journal, source="buyer")
    sell = await journaled(journal, source="seller", side=Side.SELL)
    sides = [
        filled(journal, order, a_fill(order, "1", quantity=Decimal(1), fee=Decimal("0.001"), fee_currency="BTC"))
        for order in (buy, sell)
    ]
    if at_once:
        await asyncio.gather(*sides)
    else:
        for side in sides:
            await side
    assert await held_of(journal, buy) == Decimal("0.999")
    assert await held_of(journal, sell) == Decimal("-1.001")


@pytest.mark.parametrize("field", ["source", "exchange", "account", "symbol"])
async def test_holdings_of_others_are_apart(journal, field):
    order = await journaled(journal)
    other = await journaled(journal, **{field: "ETH/USDT"})
    await filled(journal, order, a_fill(order, "1", quantity=Decimal(1)))
    await filled(journal, other, a_fill(other, "2", quantity=Decimal(2)))
    assert await held_of(journal, order) == 1
    assert await held_of(journal, other) == 2


async def test_a_position_of_a_swap_is_what_went_through_us_whatever_the_fee(journal):
    order = await journaled(journal, symbol="BTC/USDT:USDT", side=Side.SELL)
    await filled(journal, order, a_fill(order, "1", quantity=Decimal(2), fee=Decimal(1), fee_currency="BTC"))
    assert await held_of(journal, order) == -2


async def test_an_account_holds_what_its_sources_hold_together(journal):
    assert await journal.holdings("paper", "main") == {}
    for number, (amount, changes) in enumerate(
        [
            ("1.5", {}),
            ("0.25", {"source": "other"}),
            ("3", {"symbol": "ETH/USDT"}),
            ("10", {"account": "other"}),
            ("20", {"exchange": "other"}),
        ]
    ):
        order = await journaled(journal, **changes)
        await filled(journal, order, a_fill(order, str(number), quantity=Decimal(amount)))
    assert await journal.holdings("paper", "main") == {"BTC/USDT": Decimal("1.75"), "ETH/USDT": Decimal(3)}


amounts = st.decimals(min_value=0, max_value=10**12, places=18)
fills_of_a_symbol = st.lists(st.tuples(st.sampled_from(Side), amounts, amounts, st.sampled_from(["BTC", "USDT"])))


@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(amounts=fills_of_a_symbol)
async def test_the_sum_is_exact(journal, amounts):
    source = uuid4().hex
    expected = Fraction(0)
    for side, quantity, fee, currency in amounts:
        order = await journaled(journal, source=source, side=side)
        fill = a_fill(order, uuid4().hex, quantity=quantity, fee=fee, fee_currency=currency)
        await filled(journal, order, fill)
        expected += Fraction(quantity) * (1 if side is Side.BUY else -1) - Fraction(fee) * (currency == "BTC")
    held = await journal.holding(source=source, exchange="paper", account="main", symbol="BTC/USDT")
    assert Fraction(held) == expected


async def test_fills_of_one_group_commit_all_count(journal):
    orders = [await journaled(journal) for _ in range(100)]
    stale = await journaled(journal)
    await asyncio.gather(
        *(filled(journal, order, a_fill(order, order.id, quantity=Decimal("0.1"))) for order in orders)
    )
    assert await held_of(journal, stale) == 10


async def test_a_write_that_fails_after_the_holding_moved_undoes_it(journal, monkeypatch):
    order = await journaled(journal)
    good = await journaled(journal)

    def then_broken(works):
        def work(*args):
            works(*args)
            raise JournalConflict("broken")

        return work

    # Once with its group, once by itself.
    monkeypatch.setattr(together, "_record", then_broken(together._record))
    monkeypatch.setattr(writes, "_hold", then_broken(writes._hold))
    with pytest.raises(JournalConflict, match="broken"):
        await filled(journal, order, a_fill(order, "1"))
    monkeypatch.undo()
    assert await held_of(journal, order) == 0
    assert await journal.fills(order.id) == []
    await filled(journal, good, a_fill(good, "1"))
    assert await held_of(journal, order) == Decimal("0.5")


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC/USDT:USDT"])
async def test_a_fill_of_an_order_without_a_side_is_a_conflict(journal, symbol):
    order = await journaled(journal, side=None, symbol=symbol)
    with pytest.raises(JournalConflict, match=f"order {order.id} has no side"):
        await filled(journal, order, a_fill(order, "1"))
    assert await journal.find_order(order.id) == order
    assert await journal.fills(order.id) == []


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
@pytest.mark.parametrize("field", ["quantity", "fee"])
async def test_an_amount_that_is_no_number_is_a_conflict(journal, field, amount):
    order = await journaled(journal)
    with pytest.raises(JournalConflict, match="must be finite"):
        await filled(journal, order, a_fill(order, "1", **{field: Decimal(amount)}))
    assert await held_of(journal, order) == 0


def test_a_sum_of_nothing_is_zero():
    assert holdings.SumHeld().finalize() == "0"
