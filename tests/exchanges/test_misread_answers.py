"""An answer that is not the exchange's own says nothing: no balance, no position, no order and no trade is no fact."""

from __future__ import annotations

import os
import time
from decimal import Decimal

import pytest

from service.core.ids import new_order_id
from service.core.orders import OrderType, Side
from service.core.outcomes import Accepted
from service.exchanges.protocol import ExchangeUnavailable, OrderRequest
from tests.exchanges.adapter import ACCOUNT, trading
from tests.simulator import faults

MARKETS = {
    "binance": ("spot", "BTC/USDT"),
    "okx": ("swap", "BTC/USDT:USDT"),
    "deribit": ("swap", "BTC/USDC:USDC"),
    "bybit": ("swap", "BTC/USDT:USDT"),
}
SPOILED = {
    "a page with 200": faults.html_200(),
    "a page with 524": faults.html_524(),
    "a page with 502": faults.status_after(502),
    "another JSON object": faults.other_json(),
    "an empty body": faults.empty_200(),
    "half of the JSON": faults.truncated_json(),
    "half of the body": faults.cut_body(),
}
CASES = [
    (venue, read)
    for venue, (market_type, _) in MARKETS.items()
    for read in ("balances", "positions", "open orders", "trades")
    if (market_type, read) != ("spot", "positions")
]


@pytest.mark.parametrize(("venue", "read"), CASES)
async def test_an_answer_that_is_not_the_exchanges_is_never_read_as_nothing(venue: str, read: str):
    market_type, symbol = MARKETS[venue]
    async with trading(venue, market_type, symbol, timeout=3) as (exchange, simulator):
        calls = {
            "balances": lambda: exchange.fetch_balances(ACCOUNT),
            "positions": lambda: exchange.fetch_positions(ACCOUNT),
            "open orders": lambda: exchange.open_orders(ACCOUNT),
            "trades": lambda: exchange.fills_since(ACCOUNT, [symbol], 0),
        }
        for price in (None, Decimal(30000)):
            assert isinstance(await exchange.create_order(_order(exchange, symbol, price)), Accepted)
        assert await calls[read]()  # there is something to be missed

        misread = {}
        for name, fault in SPOILED.items():
            simulator.schedule.queue("any", fault)
            try:
                misread[name] = await calls[read]()
            except ExchangeUnavailable:
                assert simulator.schedule.waiting() == 0

    assert misread == {}


@pytest.mark.parametrize("venue", MARKETS)
async def test_an_account_without_orders_positions_and_trades_is_read_as_such(venue: str):
    market_type, symbol = MARKETS[venue]
    async with trading(venue, market_type, symbol) as (exchange, _):
        assert await exchange.fetch_positions(ACCOUNT) == {}
        assert await exchange.open_orders(ACCOUNT) == []
        assert await exchange.fills_since(ACCOUNT, [symbol], 0) == []


def _order(exchange, symbol: str, price: Decimal | None) -> OrderRequest:
    return OrderRequest(
        account=ACCOUNT,
        client_order_id=exchange.client_order_id(new_order_id(time.time_ns(), os.urandom(10))),
        symbol=symbol,
        side=Side.BUY,
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=Decimal("0.01"),
        price=price,
    )
