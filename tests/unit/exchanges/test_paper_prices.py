import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.exchanges.paper.prices import RandomWalk, quote_around, step
from tests.unit.exchanges.paper_lab import symbol

MARKET = symbol().market()


def path(walk: RandomWalk, ticks: range, mid: Decimal) -> list[Decimal]:
    mids = []
    for tick in ticks:
        mid = walk.next_mid("BTC/USDT", mid, tick)
        mids.append(mid)
    return mids


def test_the_same_seed_gives_the_same_prices():
    start = Decimal(100)
    assert path(RandomWalk(7, 0.001), range(50), start) == path(RandomWalk(7, 0.001), range(50), start)
    assert path(RandomWalk(7, 0.001), range(50), start) != path(RandomWalk(8, 0.001), range(50), start)


def test_a_restart_continues_the_same_walk():
    whole = path(RandomWalk(7, 0.001), range(20), Decimal(100))
    assert path(RandomWalk(7, 0.001), range(10, 20), whole[9]) == whole[10:]


def test_without_volatility_the_price_stands_still():
    assert step(Decimal("123.45"), random.Random(1), 0.0) == Decimal("123.45")


def test_small_moves_are_not_lost_on_a_coarse_tick():
    mids = path(RandomWalk(1, 0.0001), range(200), Decimal("0.12"))
    assert len(set(mids)) > 100


@given(st.integers(), st.floats(0, 0.1), st.decimals("0.000001", "1000000", places=6))
def test_a_price_is_always_positive_and_of_bounded_length(seed, volatility, price):
    moved = step(price, random.Random(seed), volatility)
    assert moved > 0
    assert len(moved.as_tuple().digits) <= 14


@given(st.decimals("0.000001", "1000000", places=6), st.decimals(0, 1000, places=2))
def test_a_quote_stands_on_the_tick_around_the_mid(mid, spread_bps):
    quote = quote_around(MARKET, mid, spread_bps, 5)
    assert MARKET.price_tick <= quote.bid < quote.ask
    assert quote.bid % MARKET.price_tick == quote.ask % MARKET.price_tick == 0
    assert quote.ask >= mid


@pytest.mark.parametrize(
    ("spread_bps", "bid", "ask"), [(0, "100.00", "100.01"), (2, "99.99", "100.01"), (100, "99.50", "100.50")]
)
def test_the_spread_is_the_whole_distance_between_bid_and_ask(spread_bps, bid, ask):
    quote = quote_around(MARKET, Decimal(100), Decimal(spread_bps), 5)
    assert (quote.bid, quote.ask) == (Decimal(bid), Decimal(ask))
