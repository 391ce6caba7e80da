"""A raw HTTP/1.1 server that misbehaves on demand, and guarded ccxt classes that talk to it with invented keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from service.exchanges.ccxt.guard import CallRecord, guarded_class, recording
from telemetry.config import TelemetryConfig

CONFIG = TelemetryConfig(
    service_version="1",
    instance_id="one",
    environment="test",
    sources=(),
    exchanges=(),
    accounts=(),
    symbols=(),
    sender_addresses=(),
)

API_KEY = "an-api-key-that-stays-secret"
ORDER_ID = "fp018f3c2ad6e57c3bb2c1a0d4e5f60718"

# A ccxt instance that was not closed says so; here there is nothing of its own to close.
_SILENT = logging.getLogger("tests.silent")
_SILENT.disabled = True


class Received(NamedTuple):
    """One request as it arrived; `connection` counts from 1."""

    method: str
    target: str
    headers: str
    body: str
    connection: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


def reply(status: int = 200, body: Any = "", *, headers: str = "", length: int | None = None) -> Behaviour:
    """An answer; `body` is text, or a value for JSON; `length` lies about its length, and the connection closes."""
    text = body if isinstance(body, str) else json.dumps(body)
    kind = "text/html" if isinstance(body, str) else "application/json"

    async def answer(writer: asyncio.StreamWriter) -> None:
        declared = len(text) if length is None else length
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {declared}\r\n{headers}\r\n"
        writer.write((head + text).encode())
        if length is not None:
            writer.close()

    return answer


async def close(writer: asyncio.StreamWriter) -> None:
    """Execute, and close without a word."""
    writer.close()


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never answer."""


class Server:
    """Notes every request before it behaves: by `script`, first entry first, then by `otherwise`."""

    listener: asyncio.Server

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: list[Behaviour] = []
        self.otherwise: Behaviour = reply(200, {})
        self.connections = 0
        self.url = ""
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split(" ", 2)
                lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                size = int(lengths[0].partition(":")[2]) if lengths else 0
                body = (await reader.readexactly(size)).decode()
                self.received.append(Received(method, target, head.lower(), body, number))
                behaviour = self.script.pop(0) if self.script else self.otherwise
                await behaviour(writer)

    async def has(self, count: int) -> bool:
        return len(self.received) >= count

    def stop(self) -> None:
        for writer in self._writers:
            writer.close()


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    listener = server.listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        server.stop()
        await listener.wait_closed()


def exchange(ccxt_id: str, session: Any, url: str, *, timeout: float = 10.0) -> Any:
    """A guarded instance with one market and invented keys, all of whose addresses lead to `url`."""
    api = guarded_class(ccxt_id)(
        {
            "apiKey": API_KEY,
            "secret": "c2VjcmV0",
            "password": "a-pass-phrase",
            "session": session,
            "logger": _SILENT,
            "enableRateLimit": False,
            "timeout": int(timeout * 1000),
        }
    )
    api.urls["api"] = _moved(api.urls["api"], url)
    api.set_markets([api.safe_market_structure(_MARKETS[ccxt_id])])
    return api


def _moved(urls: Any, base: str) -> Any:
    if isinstance(urls, dict):
        return {key: _moved(value, base) for key, value in urls.items()}
    return base + urlsplit(urls.replace("{hostname}", "x")).path


_SPOT = {"type": "spot", "spot": True, "active": True, "precision": {"amount": 1e-6, "price": 0.01}}
_TYPES = {"info": {"orderTypes": ["LIMIT", "MARKET"]}}
_BTC = {"base": "BTC", "quote": "USDT", "baseId": "BTC", "quoteId": "USDT"}
_MARKETS = {
    "binance": {"id": "BTCUSDT", "symbol": "BTC/USDT", **_BTC, **_SPOT, **_TYPES},
    "okx": {"id": "BTC-USDT", "symbol": "BTC/USDT", **_BTC, **_SPOT},
    "gate": {"id": "BTC_USDT", "symbol": "BTC/USDT", **_BTC, **_SPOT},
    "deribit": {
        "id": "BTC_USDC-PERPETUAL",
        "symbol": "BTC/USDC:USDC",
        "base": "BTC",
        "quote": "USDC",
        "settle": "USDC",
        "settleId": "USDC",
        "type": "swap",
        "swap": True,
        "contract": True,
        "linear": True,
        "contractSize": 1.0,
        "active": True,
        "precision": {"amount": 1e-4, "price": 0.1},
    },
}
SYMBOLS = {ccxt_id: str(market["symbol"]) for ccxt_id, market in _MARKETS.items()}
PLACE_PARAMS = {"binance": "newClientOrderId", "okx": "clOrdId", "deribit": "label", "gate": "text"}


async def place(api: Any, client_order_id: str = ORDER_ID) -> Any:
    """One limit order through ccxt."""
    params = {PLACE_PARAMS[api.id]: client_order_id}
    return await api.create_order(SYMBOLS[api.id], "limit", "buy", 0.01, 50_000, params)


DONE: dict[str, Any] = {
    "binance": {"symbol": "BTCUSDT", "orderId": 28, "clientOrderId": ORDER_ID, "status": "NEW", "origQty": "0.01"},
    "okx": {"code": "0", "msg": "", "data": [{"clOrdId": ORDER_ID, "ordId": "28", "sCode": "0", "sMsg": ""}]},
    "deribit": {
        "jsonrpc": "2.0",
        "result": {
            "trades": [],
            "order": {"order_id": "28", "label": ORDER_ID, "order_state": "open", "amount": 0.01, "direction": "buy"},
        },
    },
}
"""What each exchange answers to an order that it took."""


async def attempt(api: Any, client_order_id: str = ORDER_ID) -> tuple[CallRecord, Any, Exception | None]:
    """One order: the record, and the answer or what was raised."""
    with recording(client_order_id, attributes=None, placing=True) as record:
        try:
            return record, await place(api, client_order_id), None
        except Exception as error:  # noqa: BLE001 - what a call may raise is what is tested
            return record, None, error


async def free(cost: float | None = None) -> None:
    """A throttle where nobody counts."""
