"""The simulator's Binance spot venue: ccxt's own class works against all of it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.exchanges.binance_lab import (
    SYMBOL,
    body_of,
    client_of,
    limit_order,
    look_up,
    market_order,
    our,
    pass_time,
    raw,
)
from tests.simulator.binance import BinanceSpot
from tests.simulator.clients import point_at
from tests.simulator.model import FillPlan
from tests.simulator.server import Simulator
from tests.simulator.venue import API_KEY, API_SECRET


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(BinanceSpot()) as running:
        yield running


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    client = client_of(simulator)
    yield client
    await client.close()


async def test_ccxt_loads_the_markets_with_its_own_options(simulator: Simulator) -> None:
    client = ccxt.binance({"apiKey": API_KEY, "secret": API_SECRET})
    point_at(client, simulator.base_url)
    try:
        markets = await client.load_markets()
    finally:
        await client.close()
    assert set(markets) == {"BTC/USDT", "ETH/USDT"}
    assert set(client.currencies) >= {"BTC", "ETH", "USDT"}


async def test_with_spot_only_one_request_loads_the_markets(exchange: Any, simulator: Simulator) -> None:
    exchange.options["fetchCurrencies"] = False
    exchange.options["fetchMargins"] = False
    market = (await exchange.load_markets())[SYMBOL]
    assert [seen.path for seen in simulator.requests] == ["/api/v3/exchangeInfo"]
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.00001, 0.01)
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.00001, 5)


async def test_prices_and_the_time_are_those_of_the_engine(exchange: Any, simulator: Simulator) -> None:
    simulator.engine.set_price("BTCUSDT", "60000", "60001.5")
    assert (await exchange.fetch_bids_asks([SYMBOL]))[SYMBOL]["ask"] == 60001.5
    assert len(await exchange.fetch_bids_asks()) == 2
    ticker = await exchange.fetch_ticker(SYMBOL)
    assert (ticker["bid"], ticker["ask"], ticker["last"]) == (60000, 60001.5, 60000.75)
    assert (await exchange.fetch_last_prices([SYMBOL]))[SYMBOL]["price"] == 60000.75
    assert (await exchange.fetch_order_book(SYMBOL))["bids"][0][0] == 60000
    assert abs(await exchange.fetch_time() - time.time() * 1000) < 60_000


async def test_a_market_order_fills_at_the_touch_and_pays_its_fee_in_what_it_buys(
    exchange: Any, simulator: Simulator
) -> None:
    order = await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    assert (order["status"], order["average"], order["clientOrderId"]) == ("closed", 50001, "fp-1")
    assert order["fee"] == {"currency": "BTC", "cost": 0.00001}
    balance = await exchange.fetch_balance()
    assert balance["BTC"]["free"] == 10.00999
    assert balance["USDT"]["free"] == 999499.99
    assert (simulator.ledger.placed("fp-1"), simulator.ledger.filled("fp-1")) == (1, Decimal("0.01"))
    assert simulator.ledger.status("fp-1") == "filled"


async def test_a_limit_rests_until_the_price_crosses_it_and_is_the_maker(exchange: Any, simulator: Simulator) -> None:
    placed = await exchange.create_order(SYMBOL, "limit", "sell", 0.5, 51000, our("fp-1"))
    assert placed["status"] == "open"
    assert [order["clientOrderId"] for order in await exchange.fetch_open_orders(SYMBOL)] == ["fp-1"]
    assert (await exchange.fetch_balance())["BTC"]["used"] == 0.5
    simulator.engine.set_price("BTCUSDT", "51500", "51501")
    order = await look_up(exchange, "fp-1")
    assert (order["status"], order["average"]) == ("closed", 51000)
    (trade,) = await exchange.fetch_my_trades(SYMBOL)
    assert (trade["price"], trade["takerOrMaker"], trade["fee"]) == (51000, "maker", {"currency": "USDT", "cost": 25.5})
    assert await exchange.fetch_open_orders(SYMBOL) == []
    assert (await exchange.fetch_balance())["BTC"]["used"] == 0


async def test_a_canceled_order_is_found_as_canceled_and_the_cancel_has_an_id_of_its_own(exchange: Any) -> None:
    order = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 40000, our("fp-1"))
    canceled = await exchange.cancel_order(order["id"], SYMBOL)
    assert (canceled["status"], canceled["info"]["origClientOrderId"]) == ("canceled", "fp-1")
    assert canceled["clientOrderId"] != "fp-1"
    found = await look_up(exchange, "fp-1")
    assert (found["status"], found["clientOrderId"]) == ("canceled", "fp-1")
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        await exchange.cancel_order(order["id"], SYMBOL)
    assert (await exchange.fetch_balance())["USDT"] == {"free": 1_000_000, "used": 0, "total": 1_000_000}


async def test_an_order_is_canceled_by_client_order_id(exchange: Any, simulator: Simulator) -> None:
    await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 40000, our("fp-1"))
    await exchange.cancel_order(None, SYMBOL, {"origClientOrderId": "fp-1"})
    assert simulator.ledger.status("fp-1") == "canceled"
    assert simulator.count("cancel", "fp-1") == 1


async def test_an_unknown_client_order_id_is_not_found(exchange: Any) -> None:
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        await look_up(exchange, "fp-never")


@pytest.mark.parametrize(
    ("parameter", "side", "trigger", "bid", "ask"),
    [
        ("stopLossPrice", "sell", "49000", "48990", "48991"),
        ("takeProfitPrice", "sell", "52000", "52010", "52011"),
        ("stopLossPrice", "buy", "52000", "52010", "52011"),
        ("takeProfitPrice", "buy", "49000", "48990", "48991"),
    ],
)
@pytest.mark.parametrize("limit", [None, "50500"])
async def test_a_conditional_order_trades_once_the_price_comes_to_its_trigger(
    exchange: Any, simulator: Simulator, parameter: str, side: str, trigger: str, bid: str, ask: str, limit: str | None
) -> None:
    kind = "market" if limit is None else "limit"
    marketable = (
        limit is None or (side == "sell" and Decimal(bid) >= 50500) or (side == "buy" and Decimal(ask) <= 50500)
    )
    await exchange.create_order(SYMBOL, kind, side, 0.01, limit, our("fp-1", **{parameter: trigger}))
    assert (await look_up(exchange, "fp-1"))["triggerPrice"] == float(trigger)
    assert simulator.ledger.status("fp-1") == "new"
    simulator.engine.set_price("BTCUSDT", bid, ask)
    order = await look_up(exchange, "fp-1")
    assert order["status"] == ("closed" if marketable else "open")
    assert order["info"]["isWorking"]
    if marketable:
        assert order["average"] == float(ask if side == "buy" else bid)


REFUSALS = {
    "lot size": (market_order("fp-1") | {"quantity": "0.000015"}, -1013, "Filter failure: LOT_SIZE"),
    "price filter": (limit_order("fp-1", "40000.001"), -1013, "Filter failure: PRICE_FILTER"),
    "notional": (market_order("fp-1") | {"quantity": "0.00009"}, -1013, "Filter failure: NOTIONAL"),
    "funds": (market_order("fp-1") | {"quantity": "100"}, -2010, "Account has insufficient balance"),
    "trigger": (market_order("fp-1") | {"type": "STOP_LOSS", "stopPrice": "40000"}, -2010, "would trigger immediately"),
    "post only": (limit_order("fp-1", "60000") | {"type": "LIMIT_MAKER"}, -2010, "immediately match and take"),
    "symbol": (market_order("fp-1") | {"symbol": "XYZUSDT"}, -1121, "Invalid symbol."),
    "client id": (market_order("fp 1"), -1100, "newClientOrderId"),
    "long client id": (market_order("f" * 37), -1100, "newClientOrderId"),
    "side": (market_order("fp-1") | {"side": "HOLD"}, -1117, "Invalid side."),
    "no price": ({**market_order("fp-1"), "type": "LIMIT", "timeInForce": "GTC"}, -1102, "'price'"),
    "precision": (market_order("fp-1") | {"quantity": "0.0100000001"}, -1111, "too much precision"),
}


@pytest.mark.parametrize("name", list(REFUSALS))
async def test_a_refusal_has_the_exchanges_code_and_changes_nothing(simulator: Simulator, name: str) -> None:
    params, code, words = REFUSALS[name]
    answer = await raw(simulator, params)
    assert answer.startswith(b"HTTP/1.1 400 ")
    refusal = json.loads(body_of(answer))
    assert refusal["code"] == code
    assert words in refusal["msg"]
    assert simulator.ledger.client_ids() == []
    assert all(not balance.locked for balance in simulator.engine.balances().values())


async def test_a_client_order_id_is_refused_while_its_order_is_open_and_taken_again_after(
    exchange: Any, simulator: Simulator
) -> None:
    first = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 40000, our("fp-1"))
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 40000, our("fp-1"))
    assert simulator.ledger.placed("fp-1") == 1
    await exchange.cancel_order(first["id"], SYMBOL)
    second = await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    assert simulator.ledger.placed("fp-1") == 2
    assert (await look_up(exchange, "fp-1"))["id"] == second["id"]


async def test_a_wrong_signature_key_or_time_is_refused_and_not_executed(exchange: Any, simulator: Simulator) -> None:
    exchange.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        await exchange.fetch_open_orders(SYMBOL)
    exchange.secret, exchange.apiKey = API_SECRET, "wrong"
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    exchange.apiKey = API_KEY
    exchange.nonce = lambda: exchange.milliseconds() - 600_000
    with pytest.raises(ccxt.InvalidNonce, match="outside of the recvWindow"):
        await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    exchange.nonce = lambda: exchange.milliseconds() + 600_000
    with pytest.raises(ccxt.InvalidNonce, match="ahead of the server"):
        await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    assert simulator.ledger.events == []


async def test_orders_and_trades_are_listed_from_a_time_on(exchange: Any, simulator: Simulator) -> None:
    for client_id in ("fp-1", "fp-2"):
        await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our(client_id))
    await exchange.create_order("ETH/USDT", "market", "buy", 1, None, our("fp-3"))
    assert [order["clientOrderId"] for order in await exchange.fetch_orders(SYMBOL, 1)] == ["fp-1", "fp-2"]
    first, second = await exchange.fetch_my_trades(SYMBOL, 1)
    assert first["order"] != second["order"]
    assert await exchange.fetch_my_trades(SYMBOL, exchange.milliseconds() + 60_000) == []
    assert await exchange.fetch_my_trades(SYMBOL, None, 1) == [second]


async def test_an_order_fills_in_parts_over_time(exchange: Any, simulator: Simulator) -> None:
    simulator.engine.next_fill(FillPlan.in_parts(3, every=60), "fp-1")
    placed = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 60000, our("fp-1"))
    assert (placed["status"], placed["filled"]) == ("open", 0.00333)
    pass_time(simulator, 60)
    assert (await look_up(exchange, "fp-1"))["filled"] == 0.00666
    pass_time(simulator, 60)
    assert (await look_up(exchange, "fp-1"))["status"] == "closed"
    trades = await exchange.fetch_my_trades(SYMBOL)
    assert [trade["amount"] for trade in trades] == [0.00333, 0.00333, 0.00334]
    assert all(trade["price"] == 50001 for trade in trades)
