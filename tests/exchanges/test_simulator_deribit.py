"""The simulator's Deribit venue: ccxt's own class works against it, and it keeps what clients trip over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.exchanges.venue_contract import Bench, VenueContract
from tests.simulator import faults
from tests.simulator.deribit import DeribitLinear
from tests.simulator.server import Simulator


class DeribitBench(Bench):
    """Amounts are base units."""

    ccxt_id = "deribit"
    symbol = "BTC/USDC:USDC"
    id_parameter = "label"
    size = 0.02
    resends = True
    skew_code = "13009"
    bad_signature_code = "13009"

    async def look_up(self, client_id: str) -> Any:
        await self.exchange.load_markets()
        asked = {"currency": "USDC", "label": client_id}
        answer = await self.exchange.private_get_get_order_state_by_label(asked)
        return self.exchange.parse_order(answer["result"][-1]) if answer["result"] else None

    async def position(self) -> Decimal:
        held = await self.exchange.fetch_positions([self.symbol])
        return sum((Decimal(str(found["info"]["size_currency"])) for found in held), Decimal(0))


@pytest.fixture
async def bench() -> AsyncIterator[DeribitBench]:
    async with Simulator(DeribitLinear()) as simulator:
        bench = DeribitBench(simulator)
        yield bench
        await bench.exchange.close()


class TestDeribitIsAVenue(VenueContract):
    pass


async def test_amounts_are_base_units_whatever_the_contract_size(bench: DeribitBench) -> None:
    market = (await bench.exchange.load_markets())[bench.symbol]
    assert market["contractSize"] == 0.0001
    await bench.place("fp1", size=0.5)
    assert bench.simulator.ledger.filled("fp1") == Decimal("0.5")
    (trade,) = await bench.exchange.fetch_my_trades(bench.symbol)
    assert (trade["amount"], trade["info"]["label"]) == (0.5, "fp1")


async def test_the_size_of_a_position_is_quote_and_negative_when_short(bench: DeribitBench) -> None:
    await bench.place("fp1", side="sell", size=0.5)
    (held,) = await bench.exchange.fetch_positions([bench.symbol])
    assert (held["side"], held["contracts"]) == ("short", -25_000.025)
    assert held["info"]["size_currency"] == -0.5
    assert (await bench.exchange.fetch_position(bench.symbol))["side"] == "short"


async def test_a_used_label_is_always_accepted_and_a_look_up_lists_all_its_orders(bench: DeribitBench) -> None:
    await bench.place("fp1", "limit", price=40_000)
    await bench.place("fp1", "limit", price=41_000)
    assert bench.simulator.ledger.doubled() == {"fp1": 2}
    found = await bench.exchange.private_get_get_order_state_by_label({"currency": "USDC", "label": "fp1"})
    assert [row["price"] for row in found["result"]] == [40_000, 41_000]


async def test_an_order_that_a_proxy_delivers_twice_is_executed_twice(bench: DeribitBench) -> None:
    bench.simulator.schedule.queue("place", faults.duplicate())
    await bench.place("fp1")
    assert bench.simulator.ledger.doubled() == {"fp1": 2}


async def test_a_label_is_only_found_in_the_currency_that_its_order_settles_in(bench: DeribitBench) -> None:
    await bench.place("fp1")
    found = await bench.exchange.private_get_get_order_state_by_label({"currency": "BTC", "label": "fp1"})
    assert found["result"] == []
    with pytest.raises(ccxt.BadRequest, match="-32602"):
        await bench.exchange.private_get_get_order_state_by_label({"currency": "XXX", "label": "fp1"})


async def test_orders_are_requests_that_aiohttp_repeats(bench: DeribitBench) -> None:
    await bench.place("fp1", "limit", price=40_000)
    (seen,) = [seen for seen in bench.simulator.requests if seen.endpoint == "place"]
    assert (seen.method, seen.client_id) == ("GET", "fp1")


async def test_an_order_id_that_never_was_is_not_found(bench: DeribitBench) -> None:
    with pytest.raises(ccxt.OrderNotFound, match="10004"):
        await bench.exchange.fetch_order("USDC-1", bench.symbol)
    with pytest.raises(ccxt.OrderNotFound, match="10004"):
        await bench.exchange.cancel_order("USDC-1", bench.symbol)


async def test_a_cancel_of_what_is_done_says_that_it_is_not_open(bench: DeribitBench) -> None:
    order = await bench.place("fp1")
    with pytest.raises(ccxt.InvalidOrder, match="11044"):
        await bench.cancel(order)


async def test_orders_are_canceled_by_label(bench: DeribitBench) -> None:
    await bench.place("fp1", "limit", price=40_000)
    answer = await bench.exchange.private_get_cancel_by_label({"currency": "USDC", "label": "fp1"})
    assert answer["result"] == 1
    assert bench.simulator.ledger.status("fp1") == "canceled"


async def test_the_history_leaves_out_what_was_never_filled(bench: DeribitBench) -> None:
    await bench.place("fp1")
    await bench.cancel(await bench.place("fp2", "limit", price=40_000))
    closed = await bench.exchange.fetch_closed_orders(bench.symbol)
    assert [order["info"]["label"] for order in closed] == ["fp1"]
    whole = await bench.exchange.fetch_closed_orders(bench.symbol, params={"include_unfilled": True})
    assert {order["info"]["label"] for order in whole} == {"fp1", "fp2"}


async def test_trades_come_ten_at_a_time_unless_more_are_asked_for(bench: DeribitBench) -> None:
    for number in range(12):
        await bench.place(f"fp{number}", size=0.001)
    assert len(await bench.exchange.fetch_my_trades(bench.symbol)) == 10
    first = await bench.exchange.fetch_my_trades(bench.symbol, since=1, limit=2)
    assert [trade["info"]["label"] for trade in first] == ["fp0", "fp1"]
    assert len(await bench.exchange.fetch_my_trades(bench.symbol, limit=100)) == 12


async def test_prices_of_all_are_listed_by_settlement_currency(bench: DeribitBench) -> None:
    await bench.exchange.load_markets()
    assert list(await bench.exchange.fetch_tickers(params={"code": "USDC"})) == [bench.symbol]
    assert await bench.exchange.fetch_tickers([bench.symbol]) == {}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"amount": "0.00015", "price": "40000"}, "must be a multiple of the minimum order size"),
        ({"amount": "0.01", "price": "40000.05"}, "must conform to tick size"),
        ({"amount": "0.01", "price": "40000", "label": "x" * 65}, "label"),
        ({"amount": "0.01", "price": "40000", "instrument_name": "BTC-NEVER"}, "instrument not found"),
    ],
)
async def test_what_does_not_fit_is_refused(bench: DeribitBench, params: dict[str, str], words: str) -> None:
    asked = {"instrument_name": "BTC_USDC-PERPETUAL", "type": "limit", "label": "fp1"} | params
    with pytest.raises(ccxt.BadRequest, match=f"-32602.*{words}"):
        await bench.exchange.private_get_buy(asked)
    assert bench.simulator.ledger.client_ids() == []


async def test_a_key_that_is_not_known_is_refused(bench: DeribitBench) -> None:
    bench.exchange.apiKey = "another"
    with pytest.raises(ccxt.AuthenticationError, match="13004"):
        await bench.exchange.fetch_balance()
