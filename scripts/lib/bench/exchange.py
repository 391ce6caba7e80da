"""`exchange`: what an order at an exchange costs: ccxt's own call, the adapter around it, and the whole order.

CPU microseconds an order, all threads of this process. The exchange is the tests' simulator, the sender of alerts a
process of its own: neither counts.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from subprocess import PIPE
from typing import Any

import ccxt.async_support as ccxt

from scripts.lib.bench.exchange_orders import ENVIRON, QUANTITY, SYMBOLS, document, whole_order
from scripts.lib.bench.figures import ratio
from scripts.lib.bench.machine import cores, watched
from scripts.lib.bench.options import Asked
from scripts.lib.bench.processes import BenchError, clean_environment, running
from scripts.lib.bench.results import Result, Table
from service.clock import SystemClock
from service.core.ids import new_order_id
from service.core.orders import OrderType, Side
from service.core.outcomes import Accepted
from service.exchanges.ccxt.factory import make_ccxt_exchanges
from service.exchanges.protocol import Exchange, OrderRequest
from service.secrets import SecretStore
from service.settings import decode
from telemetry.config import TelemetryConfig
from telemetry.setup import build_telemetry
from tests.simulator.clients import point_at
from tests.simulator.venue import API_KEY, API_PASSWORD, API_SECRET

_BARE, _ADAPTER = "ccxt alone", "adapter, ccxt within"
_WARM = 100
_FUNDS = "1000000000"
_TURNS = 4


def run(asked: Asked, folder: Path, result: Result) -> None:
    """A simulator of its own; the engines of `--engines` one after another."""
    result.notes = [f"{asked.exchange_orders} orders each at a simulated {asked.venue}"]
    costs: dict[str, float] = {}
    with simulator(asked.venue) as url, watched([]) as load:
        costs |= asyncio.run(_calls(asked.venue, url, folder / "calls", asked.exchange_orders))
        _tell(result, costs)
        for engine in asked.engines:
            cost = whole_order(asked.venue, url, folder / engine, asked.exchange_orders, engine)
            costs[f"whole order, telemetry {engine}"] = asyncio.run(cost)
            _tell(result, costs)
    result.notes.append(str(load))
    result.figures |= load.figures()


@contextmanager
def simulator(venue: str) -> Iterator[str]:
    """A simulated exchange as a process; its address."""
    command = [sys.executable, "-m", "tests.simulator", "--venue", venue]
    with running(command, clean_environment(), cores(), stdout=PIPE) as process:
        assert process.stdout is not None, "made with a pipe"
        url = process.stdout.readline().decode().strip()
        if not url:
            raise BenchError("the simulated exchange did not start; its words are above")
        for currency in ("USDT", "USDC"):
            body = json.dumps({"currency": currency, "amount": _FUNDS}).encode()
            urllib.request.urlopen(urllib.request.Request(f"{url}/-/funds", data=body), timeout=10).close()  # noqa: S310 - our own process
        yield url


def _tell(result: Result, costs: dict[str, float]) -> None:
    bare = costs[_BARE]
    rows = [(what, cpu, ratio(cpu, bare)) for what, cpu in costs.items()]
    result.tables = [Table("CPU us an order", ("", "CPU us", "of ccxt's own call"), rows)]
    result.figures = {"cpu_us_per_order": dict(costs), "conditions": result.notes}


async def _calls(venue: str, url: str, folder: Path, orders: int) -> dict[str, float]:
    """The create_order of ccxt and the adapter's, in turn."""
    settings = decode(document(venue, url, "off"))
    telemetry = build_telemetry(TelemetryConfig(service_version="0", instance_id="bench", engine="off"), {})
    (exchange,) = make_ccxt_exchanges(settings, SecretStore(folder, ENVIRON), telemetry, SystemClock())
    await exchange.start()
    bare = await _bare(venue, url, exchange)
    try:
        adapter_us = ccxt_us = 0.0
        for _ in range(_TURNS):  # a slow moment of the machine meets both
            ccxt_us += await _timed(lambda: _place_bare(bare, venue), orders // _TURNS)
            adapter_us += await _timed(lambda: _place(exchange, venue), orders // _TURNS)
    finally:
        await bare.close()
        await exchange.close()
    return {_BARE: ccxt_us / _TURNS, _ADAPTER: adapter_us / _TURNS}


async def _bare(venue: str, url: str, exchange: Exchange) -> Any:
    """The unmodified class, as a program would use it."""
    bare = getattr(ccxt, venue)({"apiKey": API_KEY, "secret": API_SECRET, "password": API_PASSWORD})
    bare.enableRateLimit = False
    bare.has["fetchCurrencies"] = False
    bare.options |= {"fetchMarkets": {"types": ["spot"]}} if venue == "binance" else {}
    point_at(bare, url)
    await bare.load_markets()
    assert SYMBOLS[venue] in exchange.markets, "the adapter trades what the bare class trades"
    return bare


async def _place_bare(bare: Any, venue: str) -> None:
    market = bare.market(SYMBOLS[venue])
    amount = float(Decimal(QUANTITY) / Decimal(str(market["contractSize"] or 1)))
    key = {"binance": "newClientOrderId", "okx": "clOrdId", "deribit": "label", "bybit": "orderLinkId"}[venue]
    order = await bare.create_order(SYMBOLS[venue], "market", "buy", amount, None, {key: secrets.token_hex(16)})
    assert order["id"], "placed"


async def _place(exchange: Exchange, venue: str) -> None:
    order_id = new_order_id(time.time_ns(), secrets.token_bytes(10))
    request = OrderRequest(
        account="main",
        client_order_id=exchange.client_order_id(order_id),
        symbol=SYMBOLS[venue],
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity=Decimal(QUANTITY),
    )
    assert isinstance(await exchange.create_order(request), Accepted), "placed"


async def _timed(call: Callable[[], Awaitable[None]], count: int) -> float:
    for _ in range(min(_WARM, count)):
        await call()
    began = time.process_time()
    for _ in range(count):
        await call()
    return (time.process_time() - began) / count * 1e6
