"""What an order at an exchange costs: ccxt's own call, the adapter around it, and the whole order.

    .venv/bin/python -m scripts.lib.bench_exchange [--venue binance] [--orders 1000] [--json FILE]

CPU microseconds an order, all threads of this process. The exchange is the tests' simulator, the sender of alerts a
process of its own: neither counts. Everything stays on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from service.app import Service, telemetry_config
from service.clock import SystemClock
from service.core.ids import new_order_id
from service.core.orders import FINAL, OrderType, Side
from service.core.outcomes import Accepted
from service.core.signatures import sign_standard
from service.exchanges.ccxt.factory import make_ccxt_exchanges
from service.exchanges.protocol import Exchange, OrderRequest
from service.secrets import SecretStore
from service.settings import Loaded, decode
from telemetry.config import TelemetryConfig
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
_FUNDS = "1000000000"


class Cost(NamedTuple):
    what: str
    cpu_us: float


@contextmanager
def simulator(venue: str) -> Iterator[str]:
    """A simulated exchange as a process; its address."""
    command = [sys.executable, "-m", "tests.simulator", "--venue", venue]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            for currency in ("USDT", "USDC"):
                body = json.dumps({"currency": currency, "amount": _FUNDS}).encode()
                urllib.request.urlopen(urllib.request.Request(f"{url}/-/funds", data=body), timeout=10).close()  # noqa: S310 - our own process
            yield url
        finally:
            process.terminate()


def document(venue: str, url: str, engine: str) -> dict[str, Any]:
    """Settings of a service with this exchange alone."""
    symbol = SYMBOLS[venue]
    account = {"market_type": "swap" if ":" in symbol else "spot"}
    exchange = {"id": venue, "api_url": url, "symbols": [symbol], "rate": 100_000, "accounts": {"main": account}}
    return {
        "server": {"port": 0, "operator_port": 0},
        "telemetry": {"engine": engine, "log_level": "warning"},
        "sources": {"bench": {"auth": "standard", "accounts": ["main"], "rate": 1_000_000, "burst": 1_000_000}},
        "exchanges": {venue: exchange},
        "paper": {"accounts": []},
    }


async def calls(venue: str, url: str, folder: Path, orders: int) -> Sequence[Cost]:
    """The create_order of ccxt and the adapter's, in turn."""
    settings = decode(document(venue, url, "off"))
    telemetry = build_telemetry(TelemetryConfig(service_version="0", instance_id="bench", engine="off"), {})
    (exchange,) = make_ccxt_exchanges(settings, SecretStore(folder, ENVIRON), telemetry, SystemClock())
    await exchange.start()
    bare = await _bare(venue, url, exchange)
    try:
        adapter_us = ccxt_us = 0.0
        for _ in range(4):  # in turn, so that a slow moment of the machine meets both
            ccxt_us += await _timed(lambda: _place_bare(bare, venue), orders // 4)
            adapter_us += await _timed(lambda: _place(exchange, venue), orders // 4)
    finally:
        await bare.close()
        await exchange.close()
    return [Cost("ccxt alone", ccxt_us / 4), Cost("adapter, ccxt within", adapter_us / 4)]


async def _bare(venue: str, url: str, exchange: Exchange) -> Any:
    """The unmodified class, as a program would use it."""
    import ccxt.async_support as ccxt  # noqa: PLC0415 - loads all exchanges

    from tests.simulator.clients import point_at  # noqa: PLC0415 - beside the class that it points

    bare = getattr(ccxt, venue)({"apiKey": API_KEY, "secret": API_SECRET, "password": API_PASSWORD})
    bare.enableRateLimit = False
    bare.has["fetchCurrencies"] = False
    bare.options |= {"fetchMarkets": {"types": ["spot"]}} if venue == "binance" else {}
    point_at(bare, url)
    await bare.load_markets()
    assert SYMBOLS[venue] in exchange.markets
    return bare


async def _place_bare(bare: Any, venue: str) -> None:
    market = bare.market(SYMBOLS[venue])
    amount = float(Decimal(QUANTITY) / Decimal(str(market["contractSize"] or 1)))
    key = {"binance": "newClientOrderId", "okx": "clOrdId", "deribit": "label", "bybit": "orderLinkId"}[venue]
    order = await bare.create_order(SYMBOLS[venue], "market", "buy", amount, None, {key: secrets.token_hex(16)})
    assert order["id"]


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
    assert isinstance(await exchange.create_order(request), Accepted)


async def _timed(call: Any, count: int) -> float:
    for _ in range(min(_WARM, count)):
        await call()
    began = time.process_time()
    for _ in range(count):
        await call()
    return (time.process_time() - began) / count * 1e6


async def whole(venue: str, url: str, folder: Path, orders: int, engine: str) -> Cost:
    """From the alert's first byte to the fill in the journal, following and telemetry included."""
    secret = secrets.token_bytes(32)
    environ = ENVIRON | {"FILLPATH_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secret).decode()}
    loaded = Loaded(settings=decode(document(venue, url, engine)), file=None, data_dir=folder)
    telemetry = build_telemetry(telemetry_config(loaded), {})
    service = Service(loaded, telemetry, SystemClock(), environ)
    await service.start()
    try:
        await _send_and_wait(service, secret, venue, min(_WARM, orders), "warm")
        began = time.process_time()
        await _send_and_wait(service, secret, venue, orders, "load")
        return Cost(f"whole order, telemetry {engine}", (time.process_time() - began) / orders * 1e6)
    finally:
        await service.stop()
        telemetry.close(timeout=5)


async def _send_and_wait(service: Service, secret: bytes, venue: str, count: int, name: str) -> None:
    sender = multiprocessing.get_context("spawn").Process(
        target=send, args=(service.public_address, secret, SYMBOLS[venue], count, name)
    )
    sender.start()
    live = service.execution.register.live
    while sender.is_alive() or any(order.order.status not in FINAL for order in list(live.values())):  # noqa: ASYNC110 - two conditions, one in another process
        await asyncio.sleep(0.1)
    assert sender.exitcode == 0, "the sender failed; its words are above"


def send(address: str, secret: bytes, symbol: str, count: int, name: str) -> None:
    """So many signed alerts, one after another; in a process of its own."""
    import httpx  # noqa: PLC0415 - for the sender alone

    body = json.dumps({"symbol": symbol, "side": "buy", "quantity": QUANTITY}).encode()
    with httpx.Client(base_url=address, timeout=30) as client:
        for number in range(count):
            msg_id, now = f"{name}_{number}_{time.time_ns()}", int(time.time())
            signature = sign_standard(secret, msg_id=msg_id, timestamp=now, body=body)
            headers = {"webhook-id": msg_id, "webhook-timestamp": str(now), "webhook-signature": signature}
            client.post("/webhook/bench", content=body, headers=headers).raise_for_status()


def report(costs: Mapping[str, float]) -> str:
    """The table and the ratios."""
    bare, adapter = costs["ccxt alone"], costs["adapter, ccxt within"]
    lines = ["CPU us/order", *(f"{cpu:>12.0f}  {what}" for what, cpu in costs.items()), ""]
    lines.append(f"the adapter adds to ccxt's own call: {(adapter - bare) / bare:.2f} of it")
    lines += [f"{what}: {cpu / bare:.1f} times ccxt's own call" for what, cpu in costs.items() if "whole" in what]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench_exchange", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--venue", choices=sorted(SYMBOLS), default="binance")
    parser.add_argument("--orders", type=int, default=1000, help="for each measurement (1000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args(arguments)
    costs: dict[str, float] = {}
    with simulator(given.venue) as url, tempfile.TemporaryDirectory(prefix="fillpath-bench-") as folder:
        costs |= dict(asyncio.run(calls(given.venue, url, Path(folder) / "calls", given.orders)))
        for engine in ("off", "sdk"):
            where = Path(folder) / engine
            costs |= dict([asyncio.run(whole(given.venue, url, where, given.orders, engine))])
    print(report(costs))
    if given.json:
        given.json.write_text(json.dumps(costs, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
