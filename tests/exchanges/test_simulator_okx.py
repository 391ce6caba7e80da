"""The simulator's OKX venue: ccxt's own class works against it, and it keeps what clients trip over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.exchanges.venue_contract import Bench, VenueContract
from tests.simulator import faults
from tests.simulator.okx import OkxSwap
from tests.simulator.server import Simulator


class OkxBench(Bench):
    """One contract is 0.01 BTC."""

    ccxt_id = "okx"
    symbol = "BTC/USDT:USDT"
    skew_code = "50102"
    bad_signature_code = "50113"

    async def look_up(self, client_id: str) -> Any:
        try:
            return await self.exchange.fetch_order(None, self.symbol, {"clientOrderId": client_id})
        except ccxt.OrderNotFound as error:
            assert "51603" in str(error)  # noqa: PT017 - the code is the proof, the type is not
            return None

    async def position(self) -> Decimal:
        held = [Decimal(found["info"]["pos"]) for found in await self.exchange.fetch_positions([self.symbol])]
        return sum(held, Decimal(0)) * Decimal("0.01")

    async def look_up_algo(self, client_id: str) -> Any:
        return await self.exchange.fetch_order(None, self.symbol, {"clientOrderId": client_id, "trigger": True})


@pytest.fixture
async def bench() -> AsyncIterator[OkxBench]:
    async with Simulator(OkxSwap()) as simulator:
        bench = OkxBench(simulator)
        yield bench
        await bench.exchange.close()


class TestOkxIsAVenue(VenueContract):
    pass


async def test_sizes_are_contracts(bench: OkxBench) -> None:
    market = (await bench.exchange.load_markets())[bench.symbol]
    assert market["contractSize"] == 0.01
    await bench.place("fp1", size=0.01)
    assert await bench.position() == Decimal("0.0001")
    assert (await bench.exchange.public_get_public_instruments({"instType": "SPOT"}))["data"] == []


@pytest.mark.parametrize("method", ["privatePostTradeOrder", "privatePostTradeBatchOrders"])
async def test_orders_come_alone_or_in_a_batch(bench: OkxBench, method: str) -> None:
    bench.exchange.options["createOrder"] = method
    order = await bench.place("fp1")
    assert (order["clientOrderId"], bench.simulator.ledger.placed("fp1")) == ("fp1", 1)


async def test_a_used_id_is_refused_while_its_order_is_open_and_accepted_afterwards(bench: OkxBench) -> None:
    first = await bench.place("fp1", "limit", price=40_000)
    with pytest.raises(ccxt.InvalidOrder, match="51016"):
        await bench.place("fp1", "limit", price=40_000)
    await bench.cancel(first)
    second = await bench.place("fp1", "limit", price=41_000)
    assert bench.simulator.ledger.placed("fp1") == 2
    assert (await bench.look_up("fp1"))["id"] == second["id"]


async def test_a_market_order_that_a_proxy_delivers_twice_is_executed_twice(bench: OkxBench) -> None:
    bench.simulator.schedule.queue("place", faults.duplicate())
    await bench.place("fp1")
    assert bench.simulator.ledger.doubled() == {"fp1": 2}
    assert await bench.position() == 2 * bench.base


@pytest.mark.parametrize("client_id", ["fp-1", "x" * 33])
async def test_an_id_that_is_not_alphanumeric_or_too_long_is_refused(bench: OkxBench, client_id: str) -> None:
    with pytest.raises(ccxt.BadRequest, match=r"51000.*clOrdId"):
        await bench.place(client_id)


async def test_cancels_go_by_either_id(bench: OkxBench) -> None:
    await bench.place("fp1", "limit", price=40_000)
    canceled = await bench.exchange.cancel_order(None, bench.symbol, {"clientOrderId": "fp1"})
    assert canceled["status"] is None
    assert bench.simulator.count("cancel", "fp1") == 1
    assert bench.simulator.ledger.status("fp1") == "canceled"


@pytest.mark.parametrize(
    ("size", "price", "code"),
    [("0.001", "40000", "51020"), ("0.015", "40000", "51121"), ("12001", "40000", "51101"), ("1", "40000.05", "51150")],
)
async def test_sizes_and_prices_have_to_fit(bench: OkxBench, size: str, price: str, code: str) -> None:
    asked = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "side": "buy", "ordType": "limit", "clOrdId": "fp1"}
    with pytest.raises(ccxt.ExchangeError, match=code):
        await bench.exchange.private_post_trade_order(asked | {"sz": size, "px": price})
    assert bench.simulator.ledger.placed("fp1") == 0


async def test_a_stop_has_an_id_a_look_up_and_a_list_of_its_own(bench: OkxBench) -> None:
    await bench.place("fp1")
    stop = {"algoClOrdId": "fps", "stopLossPrice": 49_000, "reduceOnly": True}
    placed = await bench.exchange.create_order(bench.symbol, "market", "sell", 2, None, stop)
    waiting = await bench.look_up_algo("fps")
    assert (waiting["id"], waiting["status"]) == (placed["id"], "open")
    assert await bench.look_up("fps") is None
    assert await bench.exchange.fetch_open_orders(bench.symbol) == []
    (listed,) = await bench.exchange.fetch_open_orders(bench.symbol, None, None, {"ordType": "conditional"})
    assert listed["id"] == placed["id"]
    bench.simulator.engine.set_price("BTC-USDT-SWAP", "48999", "48999.1")
    done = await bench.look_up_algo("fps")
    assert (done["info"]["state"], await bench.position()) == ("effective", 0)
    order = await bench.exchange.fetch_order(done["info"]["ordId"], bench.symbol)
    assert (order["status"], order["filled"], order["info"]["algoClOrdId"]) == ("closed", 2, "fps")


async def test_a_stop_takes_its_client_id_from_the_algo_parameter_only(bench: OkxBench) -> None:
    await bench.place("fps", side="sell", stopLossPrice=49_000)
    assert bench.simulator.ledger.placed("fps") == 0
    with pytest.raises(ccxt.OrderNotFound, match="51603"):
        await bench.look_up_algo("fps")


@pytest.mark.parametrize(
    ("side", "parameter", "price", "code"),
    [
        ("sell", "stopLossPrice", 51_000, "51280"),
        ("buy", "stopLossPrice", 49_000, "51278"),
        ("sell", "takeProfitPrice", 49_000, "51279"),
        ("buy", "takeProfitPrice", 51_000, "51277"),
    ],
)
async def test_a_trigger_on_the_wrong_side_is_refused(
    bench: OkxBench, side: str, parameter: str, price: float, code: str
) -> None:
    with pytest.raises(ccxt.InvalidOrder, match=code):
        await bench.exchange.create_order(
            bench.symbol, "market", side, 2, None, {"algoClOrdId": "fps", parameter: price}
        )


async def test_a_stop_is_canceled_until_it_triggers(bench: OkxBench) -> None:
    await bench.place("fp1")
    params = {"algoClOrdId": "fps", "stopLossPrice": 49_000, "reduceOnly": True}
    await bench.exchange.create_order(bench.symbol, "market", "sell", 2, None, params)
    await bench.exchange.cancel_orders([], bench.symbol, {"trigger": True, "clientOrderId": ["fps"]})
    assert (await bench.look_up_algo("fps"))["status"] == "canceled"


async def test_reducing_in_the_direction_of_the_position_is_refused_with_its_own_code(bench: OkxBench) -> None:
    await bench.place("fp1")
    with pytest.raises(ccxt.ExchangeError, match="51170"):
        await bench.place("fp2", side="buy", reduceOnly=True)


async def test_the_account_tells_its_modes_and_leverage(bench: OkxBench) -> None:
    assert (await bench.exchange.fetch_position_mode())["hedged"] is False
    assert (await bench.exchange.fetch_leverage(bench.symbol))["longLeverage"] == 10
    await bench.exchange.set_leverage(5, bench.symbol)
    assert (await bench.exchange.fetch_leverage(bench.symbol))["longLeverage"] == 5
    venue = bench.simulator.venue
    assert isinstance(venue, OkxSwap)
    venue.orders.position_mode = "long_short_mode"
    assert (await bench.exchange.fetch_position_mode())["hedged"] is True
    with pytest.raises(ccxt.BadRequest, match="posSide"):
        await bench.place("fp1")


async def test_a_wrong_passphrase_is_refused(bench: OkxBench) -> None:
    bench.exchange.password = "another"
    with pytest.raises(ccxt.AuthenticationError, match="50105"):
        await bench.exchange.fetch_balance()


async def test_closed_orders_and_trades_are_listed_newest_first(bench: OkxBench) -> None:
    for number in (1, 2, 3):
        await bench.place(f"fp{number}")
    rows = await bench.exchange.private_get_trade_orders_history({"instType": "SWAP", "limit": "2"})
    assert [row["clOrdId"] for row in rows["data"]] == ["fp3", "fp2"]
    older = {"instType": "SWAP", "after": rows["data"][-1]["ordId"]}
    rest = await bench.exchange.private_get_trade_orders_history(older)
    assert [row["clOrdId"] for row in rest["data"]] == ["fp1"]
    fills = await bench.exchange.private_get_trade_fills_history({"instType": "SWAP"})
    assert [row["clOrdId"] for row in fills["data"]] == ["fp3", "fp2", "fp1"]
