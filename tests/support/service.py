"""A whole service in the test's own event loop, on free ports, with real files and real HTTP."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from service.app import Service, make_exchanges, telemetry_config
from service.clock import Clock, SystemClock
from service.core.signatures import decode_secret, sign_standard
from service.exchanges.paper import PaperExchange
from service.exchanges.protocol import Exchange
from service.secrets import SecretStore
from service.settings import PAPER, Loaded, decode
from telemetry.facade import Telemetry
from telemetry.setup import build_telemetry

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiBmaWxscGF0aA=="
TOKEN = "a-token-in-the-body-of-the-alert"
HMAC = "a-secret-for-hex-signatures"
OPERATOR = "the-operators-token"
ENVIRON = {
    "FILLPATH_WEBHOOK_SECRET": SECRET,
    "FILLPATH_WEBHOOK_SECRET_TRADINGVIEW": TOKEN,
    "FILLPATH_WEBHOOK_SECRET_HEX": HMAC,
    "FILLPATH_OPERATOR_TOKEN": OPERATOR,
}
_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of plain HTTP: httpx would read all certificates for each, which takes 50 ms of the event loop."""
ACCOUNTS = ["paper-1", "paper-2", "paper-3", "paper-4"]


def document(**overrides: Any) -> dict[str, Any]:
    """Settings of a test service; nested tables are merged."""
    base: dict[str, Any] = {
        "server": {"port": 0, "operator_port": 0},
        "telemetry": {"engine": "sdk"},
        "execution": {"follow_interval": 0.05, "reconcile_first_delay": 0.02, "reconcile_max_delay": 0.1},
        "sources": {
            "default": {"auth": "standard", "accounts": ACCOUNTS, "rate": 2000, "burst": 4000},
            "tradingview": {"auth": "token", "accounts": ["paper-1"]},
            "hex": {"auth": "hmac", "accounts": ["paper-2"]},
        },
    }
    return _merged(base, overrides)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both else value
    return result


class Client:
    """Talks to a running test service as senders and operators do."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.public = httpx.AsyncClient(base_url=service.public_address, timeout=15, verify=_TRUSTS_NOBODY)
        self.operator = httpx.AsyncClient(
            base_url=service.operator_address,
            timeout=15,
            headers={"Authorization": f"Bearer {OPERATOR}"},
            verify=_TRUSTS_NOBODY,
        )
        self._count = 0

    async def close(self) -> None:
        await self.public.aclose()
        await self.operator.aclose()

    async def send(
        self,
        alert: dict[str, Any] | bytes,
        *,
        webhook_id: str | None = None,
        wait: float | None = None,
        source: str = "default",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """A signed alert; every call is another alert unless `webhook_id` says otherwise."""
        self._count += 1
        body = alert if isinstance(alert, bytes) else msgspec.json.encode(alert)
        msg_id = webhook_id or f"msg_{self._count}_{time.time_ns()}"
        now = int(time.time())
        signed = {
            "webhook-id": msg_id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign_standard(decode_secret(SECRET), msg_id=msg_id, timestamp=now, body=body),
            "content-type": "application/json",
        }
        if wait is not None:
            signed["prefer"] = f"wait={wait:g}"
        return await self.public.post(f"/webhook/{source}", content=body, headers=signed | (headers or {}))

    async def order(self, order_id: str) -> dict[str, Any]:
        response = await self.operator.get(f"/orders/{order_id}")
        response.raise_for_status()
        return dict(response.json())

    async def metrics(self) -> dict[str, float]:
        """Series of /metrics as text, `name{labels}`: value."""
        text = (await self.operator.get("/metrics")).text
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return {_sorted(name): float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    async def spans(self, order_id: str) -> list[dict[str, Any]]:
        document = (await self.operator.get(f"/orders/{order_id}/trace")).json()
        return [
            span
            for resource in document["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


def _sorted(series: str) -> str:
    """Labels in alphabetical order, so that a test need not know in which one they are exposed."""
    name, brace, labels = series.partition("{")
    return name + brace + ",".join(sorted(labels.removesuffix("}").split(","))) + "}" * bool(brace)


def paper(loaded: Loaded, clock: Clock) -> PaperExchange:
    return PaperExchange("paper", loaded.settings.paper, loaded.data_dir / "paper.sqlite", clock)


@contextlib.asynccontextmanager
async def running(
    data_dir: Path,
    *,
    make_exchange: Callable[[Loaded, Clock], Exchange] | None = None,
    environ: dict[str, str] | None = None,
    clock: Clock | None = None,
    settings: dict[str, Any] | None = None,
    **overrides: Any,
) -> AsyncIterator[Client]:
    """A service that runs for the length of the block; the same `data_dir` again is a restart.

    `settings` is a whole document; without one the usual one with `overrides`.
    """
    loaded = Loaded(settings=decode(settings or document(**overrides)), file=None, data_dir=data_dir)
    telemetry = build_telemetry(telemetry_config(loaded), {})

    def make(loaded: Loaded, secrets: SecretStore, telemetry: Telemetry, clock: Clock) -> Sequence[Exchange]:
        exchanges = make_exchanges(loaded, secrets, telemetry, clock)
        if make_exchange is None:
            return exchanges
        return [make_exchange(loaded, clock) if exchange.name == PAPER else exchange for exchange in exchanges]

    service = Service(loaded, telemetry, clock or SystemClock(), environ or ENVIRON, make)
    try:
        await service.start()
        client = Client(service)
        try:
            yield client
        finally:
            await client.close()
            await service.stop()
    finally:
        telemetry.close(timeout=2)
