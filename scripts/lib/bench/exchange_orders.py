"""Whole orders at a simulated exchange, by a service in this process."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from pathlib import Path
from typing import Any

from scripts.lib.bench.lanes import SOURCE, Lane
from scripts.lib.bench.machine import cores
from scripts.lib.bench.processes import BenchError, send
from scripts.lib.bench.sending import Plan, Sent
from service.app import Service, telemetry_config
from service.clock import SystemClock
from service.core.orders import FINAL
from service.settings import Loaded, decode
from telemetry.setup import build_telemetry
from tests.simulator.venue import API_KEY, API_PASSWORD, API_SECRET

SYMBOLS = {"binance": "BTC/USDT", "okx": "BTC/USDT:USDT", "deribit": "BTC/USDC:USDC", "bybit": "BTC/USDT:USDT"}
QUANTITY = "0.01"
ENVIRON = {
    "FILLPATH_EXCHANGE_MAIN_API_KEY": API_KEY,
    "FILLPATH_EXCHANGE_MAIN_SECRET": API_SECRET,
    "FILLPATH_EXCHANGE_MAIN_PASSWORD": API_PASSWORD,
}
_WARM = 100
_SLOWEST_ORDER_S = 0.5
_LOOK_EVERY_S = 0.1


def document(venue: str, url: str, engine: str) -> dict[str, Any]:
    """Settings of a service with this exchange alone."""
    symbol = SYMBOLS[venue]
    account = {"market_type": "swap" if ":" in symbol else "spot"}
    exchange = {"id": venue, "api_url": url, "symbols": [symbol], "rate": 100_000, "accounts": {"main": account}}
    return {
        "server": {"port": 0, "operator_port": 0},
        "telemetry": {"engine": engine, "log_level": "warning"},
        "sources": {SOURCE: {"auth": "standard", "accounts": ["main"], "rate": 1_000_000, "burst": 1_000_000}},
        "exchanges": {venue: exchange},
        "paper": {"accounts": []},
    }


async def whole_order(venue: str, url: str, folder: Path, orders: int, engine: str) -> float:
    """CPU microseconds from the alert's first byte to the fill in the journal, following and telemetry included."""
    secret = secrets.token_bytes(32)
    environ = ENVIRON | {"FILLPATH_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secret).decode()}
    loaded = Loaded(settings=decode(document(venue, url, engine)), file=None, data_dir=folder)
    telemetry = build_telemetry(telemetry_config(loaded), {})
    service = Service(loaded, telemetry, SystemClock(), environ)
    await service.start()
    try:
        await _send_and_wait(service, _plan(service, secret, venue, "warm", min(_WARM, orders)))
        began = time.process_time()
        await _send_and_wait(service, _plan(service, secret, venue, "load", orders))
        return (time.process_time() - began) / orders * 1e6
    finally:
        await service.stop()
        telemetry.close(timeout=5)


def _plan(service: Service, secret: bytes, venue: str, name: str, count: int) -> Plan:
    """One connection, one alert after another."""
    return Plan(
        port=int(service.public_address.rpartition(":")[2]),
        secret=secret,
        lanes=[Lane("main", SYMBOLS[venue], QUANTITY, "0")],
        connections=1,
        seconds=count * _SLOWEST_ORDER_S,
        count=count,
        name=name,
    )


async def _send_and_wait(service: Service, plan: Plan) -> None:
    sent: list[Sent] = await asyncio.to_thread(send, [plan], cores())
    if len(sent[0].latencies) != plan.count:
        raise BenchError(f"of {plan.count} alerts {len(sent[0].latencies)} were accepted ({sent[0].statuses})")
    live = service.execution.register.live
    while any(order.order.status not in FINAL for order in list(live.values())):  # noqa: ASYNC110 - many orders at once
        await asyncio.sleep(_LOOK_EVERY_S)
