"""The simulator's Bybit venue: ccxt's own class works against it, and it keeps what clients trip over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.exchanges.venue_contract import Bench, VenueContract
from tests.simulator import faults
from tests.simulator.bybit import BybitLinear
from tests.simulator.model import FillPlan
from tests.simulator.server import Simulator


class BybitBench(Bench):
    ccxt_id = "bybit"
    symbol = "BTC/USDT:USDT"
    size = 0.02
    skew_code = "10002"
    bad_signature_code = "10004"

    async def look_up(self, client_id: str) -> Any:
        found = await self.exchange.fetch_open_orders(self.symbol, params={"orderLinkId": client_id})
        return found[0] if found else None

    async def position(self) -> Decimal:
        held = await self.exchange.fetch_positions([self.symbol])
        sizes = [(Decimal(found["info"]["size"]), found["side"]) for found in held]
        return sum((-size if side == "short" else size for size, side in sizes), Decimal(0))


@pytest.fixture
async def bench() -> AsyncIterator[BybitBench]:
    async with Simulator(BybitLinear()) as simulator:
        bench = BybitBench(simulator)
        yield bench
        await bench.exchange.close()


class TestBybitIsAVenue(VenueContract):
    pass


async def test_a_used_id_is_refused_for_ever(bench: BybitBench) -> None:
    await bench.cancel(await bench.place("fp1", "limit", price=40_000))
    with pytest.raises(ccxt.InvalidOrder, match="110072"):
        await bench.place("fp1", "limit", price=40_000)
    assert bench.simulator.ledger.placed("fp1") == 1


async def test_what_a_proxy_delivers_twice_is_executed_once(bench: BybitBench) -> None:
    bench.simulator.schedule.queue("place", faults.duplicate())
    with pytest.raises(ccxt.InvalidOrder, match="110072"):
        await bench.place("fp1")
    assert (bench.simulator.ledger.placed("fp1"), bench.simulator.schedule.history[0].delivered) == (1, 2)


async def test_answers_to_new_orders_and_cancels_have_no_state(bench: BybitBench) -> None:
    order = await bench.place("fp1", "limit", price=40_000)
    assert (order["status"], order["clientOrderId"]) == (None, "fp1")
    assert (await bench.cancel(order))["status"] is None


async def test_new_orders_come_after_two_requests_that_carry_no_id(bench: BybitBench) -> None:
    await bench.exchange.load_markets()
    bench.simulator.requests.clear()
    await bench.place("fp1")
    asked = [(seen.path, seen.client_id) for seen in bench.simulator.requests]
    assert asked == [("/v5/user/query-api", None), ("/v5/account/info", None), ("/v5/order/create", "fp1")]


async def test_what_has_ended_is_found_by_its_id_only(bench: BybitBench) -> None:
    await bench.place("fp1")
    await bench.place("fp2", "limit", price=40_000)
    assert [order["clientOrderId"] for order in await bench.exchange.fetch_open_orders(bench.symbol)] == ["fp2"]
    assert (await bench.look_up("fp1"))["status"] == "closed"
    assert [order["clientOrderId"] for order in await bench.exchange.fetch_closed_orders(bench.symbol)] == ["fp1"]
    assert (bench.simulator.count("look_up", "fp1"), bench.simulator.count("open_orders")) == (1, 1)


async def test_an_order_filled_in_part_and_canceled_is_canceled(bench: BybitBench) -> None:
    bench.simulator.engine.next_fill(FillPlan.partly("0.5"))
    await bench.place("fp1")
    found = await bench.look_up("fp1")
    assert (found["status"], found["filled"], found["info"]["orderStatus"]) == ("canceled", 0.01, "Cancelled")


async def test_cancels_go_by_client_id(bench: BybitBench) -> None:
    await bench.place("fp1", "limit", price=40_000)
    await bench.exchange.cancel_order(None, bench.symbol, {"orderLinkId": "fp1"})
    assert bench.simulator.count("cancel", "fp1") == 1
    with pytest.raises(ccxt.OrderNotFound, match="110001"):
        await bench.exchange.cancel_order(None, bench.symbol, {"orderLinkId": "fp1"})


async def test_an_order_below_the_minimum_value_is_refused(bench: BybitBench) -> None:
    bench.simulator.engine.set_price("BTCUSDT", "4000", "4000.1")
    with pytest.raises(ccxt.InvalidOrder, match="110094"):
        await bench.place("fp1", size=0.001)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"orderLinkId": "x" * 37}, "OrderLinkId"),
        ({"qty": "0.0015"}, "Qty invalid"),
        ({"price": "40000.05"}, "Price invalid"),
        ({"positionIdx": 1}, "position idx"),
        ({"symbol": "NEVER"}, "symbol"),
        ({"category": "spot"}, "Category"),
    ],
)
async def test_what_does_not_fit_is_refused(bench: BybitBench, fields: dict[str, Any], words: str) -> None:
    asked = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    with pytest.raises(ccxt.ExchangeError, match=f"10001.*{words}"):
        await bench.exchange.private_post_v5_order_create(asked | {"price": "40000", "orderLinkId": "fp1"} | fields)
    assert bench.simulator.ledger.client_ids() == []


@pytest.mark.parametrize(
    ("side", "parameter", "price"),
    [("sell", "stopLossPrice", 49_000), ("sell", "takeProfitPrice", 51_000), ("buy", "stopLossPrice", 51_000)],
)
async def test_a_conditional_order_waits_under_the_same_id(
    bench: BybitBench, side: str, parameter: str, price: int
) -> None:
    await bench.place("fp1", side="buy" if side == "sell" else "sell")
    await bench.place("fps", side=side, **{parameter: price})
    waiting = await bench.look_up("fps")
    assert (waiting["status"], waiting["info"]["orderStatus"]) == ("open", "Untriggered")
    bench.simulator.engine.set_price("BTCUSDT", str(price), str(price))
    assert (await bench.look_up("fps"))["info"]["orderStatus"] == "Filled"
    assert await bench.position() == 0


async def test_a_trigger_on_the_wrong_side_is_refused(bench: BybitBench) -> None:
    with pytest.raises(ccxt.InvalidOrder, match="110093"):
        await bench.place("fps", side="sell", stopLossPrice=51_000)
    with pytest.raises(ccxt.InvalidOrder, match="110092"):
        await bench.place("fps", side="buy", stopLossPrice=49_000)


async def test_a_flat_position_is_listed_by_symbol_only(bench: BybitBench) -> None:
    (flat,) = await bench.exchange.fetch_positions([bench.symbol])
    assert (flat["contracts"], flat["side"]) == (0, None)
    assert await bench.exchange.fetch_positions() == []
    assert (await bench.exchange.fetch_leverage(bench.symbol))["longLeverage"] == 10


async def test_a_banned_address_gets_no_json(bench: BybitBench) -> None:
    await bench.exchange.load_markets()
    bench.simulator.schedule.queue("ticker", faults.banned())
    with pytest.raises(ccxt.BaseError, match="403"):
        await bench.exchange.fetch_ticker(bench.symbol)
    bench.simulator.schedule.queue("ticker", faults.rate_limited())
    with pytest.raises(ccxt.RateLimitExceeded, match="10006"):
        await bench.exchange.fetch_ticker(bench.symbol)
