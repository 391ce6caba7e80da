"""More executions than an exchange tells at once are all read, whichever of them it tells first."""

from __future__ import annotations

import os
import time
from decimal import Decimal

import pytest

from service.core.ids import new_order_id
from service.core.orders import OrderType, Side
from service.exchanges.ccxt import reads
from service.exchanges.protocol import OrderRequest
from tests.exchanges.adapter import ACCOUNT, trading
from tests.simulator import faults

MARKETS = {
    "binance": ("spot", "BTC/USDT"),
    "okx": ("swap", "BTC/USDT:USDT"),
    "deribit": ("swap", "BTC/USDC:USDC"),
    "bybit": ("swap", "BTC/USDT:USDT"),
}
COUNT = 10


@pytest.mark.parametrize("venue", MARKETS)
async def test_all_pages_are_read(venue: str, monkeypatch):
    monkeypatch.setattr(reads, "_PAGE", 3)
    monkeypatch.setattr(reads, "_FEWEST", 1)
    async with _traded(venue) as (exchange, _, symbol, since_ns):
        trades = await exchange.fills_since(ACCOUNT, [symbol], since_ns)

    assert len({trade.id for trade in trades}) == len(trades) == COUNT


async def test_pages_that_came_are_kept_where_a_later_one_fails(monkeypatch):
    monkeypatch.setattr(reads, "_PAGE", 3)
    monkeypatch.setattr(reads, "_FEWEST", 1)
    async with _traded("bybit") as (exchange, simulator, symbol, since_ns):
        simulator.schedule.queue("trades", faults.delay(0), faults.status_before(503))
        trades = await exchange.fills_since(ACCOUNT, [symbol], since_ns)

        assert 3 <= len(trades) < COUNT
        assert len(await exchange.fills_since(ACCOUNT, [symbol], since_ns)) == COUNT


class _traded:  # noqa: N801 - used as a function
    """A started adapter, its simulator, the symbol, and a time before `COUNT` executions that differ in their time."""

    def __init__(self, venue: str) -> None:
        market_type, self._symbol = MARKETS[venue]
        self._trading = trading(venue, market_type, self._symbol)

    async def __aenter__(self):
        exchange, simulator = await self._trading.__aenter__()
        clock = _Steps()
        simulator.engine.clock = clock
        for _ in range(COUNT):
            clock.step()
            await exchange.create_order(
                OrderRequest(
                    account=ACCOUNT,
                    client_order_id=exchange.client_order_id(new_order_id(time.time_ns(), os.urandom(10))),
                    symbol=self._symbol,
                    side=Side.BUY,
                    order_type=OrderType.MARKET,
                    quantity=Decimal("0.01"),
                )
            )
        return exchange, simulator, self._symbol, clock.begun_ns

    async def __aexit__(self, *error: object):
        await self._trading.__aexit__(*error)


class _Steps:
    """A clock that a step moves by 5 ms: executions of one millisecond cannot be told apart by time."""

    def __init__(self) -> None:
        self.begun_ns = self._now_ns = time.time_ns()

    def __call__(self) -> int:
        return self._now_ns

    def step(self) -> None:
        self._now_ns += 5_000_000
