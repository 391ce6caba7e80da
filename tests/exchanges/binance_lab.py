"""Orders for the simulator's Binance venue: through ccxt's own class, and over a bare socket."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import ccxt.async_support as ccxt

from tests.simulator.clients import point_at
from tests.simulator.server import Simulator
from tests.simulator.venue import API_KEY, API_SECRET
from tests.support.waiting import until

SYMBOL = "BTC/USDT"


def client_of(simulator: Simulator) -> Any:
    """ccxt's unmodified class, with an account at the simulator; to be closed."""
    client = ccxt.binance({"apiKey": API_KEY, "secret": API_SECRET, "enableRateLimit": False})
    client.options["fetchMarkets"] = {"types": ["spot"]}
    point_at(client, simulator.base_url)
    return client


def our(client_id: str, **params: object) -> dict[str, object]:
    return {"newClientOrderId": client_id, **params}


async def look_up(exchange: Any, client_id: str) -> Any:
    return await exchange.fetch_order(None, SYMBOL, {"origClientOrderId": client_id})


def market_order(client_id: str, quantity: str = "0.01") -> dict[str, str]:
    return {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity, "newClientOrderId": client_id}


def limit_order(client_id: str, price: str = "40000") -> dict[str, str]:
    return market_order(client_id) | {"type": "LIMIT", "price": price, "timeInForce": "GTC"}


def signed(params: Mapping[str, str]) -> str:
    text = urlencode({**params, "timestamp": str(time.time_ns() // 1_000_000)})
    return f"{text}&signature={hmac.new(API_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()}"


async def raw(simulator: Simulator, params: Mapping[str, str], within: float = 20.0) -> bytes:
    """One new order over a bare socket: every byte that comes back until the simulator ends the connection."""
    address = urlsplit(simulator.base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    body = signed(params)
    head = (
        f"POST /api/v3/order HTTP/1.1\r\nHost: {address.netloc}\r\nX-MBX-APIKEY: {API_KEY}\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write((head + body).encode())
        return await asyncio.wait_for(reader.read(), within)
    finally:
        writer.close()


async def until_arrived(simulator: Simulator) -> None:
    async def arrived() -> bool:
        return simulator.count("place") > 0

    await until(arrived)


def pass_time(simulator: Simulator, seconds: float) -> None:
    """Let the engine's clock jump, while the venue shows the same time as before."""
    now = simulator.engine.clock
    simulator.engine.clock = lambda: now() + int(seconds * 1e9)
    simulator.schedule.skew_ms -= int(seconds * 1000)


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def announced(answer: bytes) -> int:
    head = answer.partition(b"\r\n\r\n")[0].decode()
    return next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
