"""A real ccxt class without a network: what it would send is recorded, and answered with next to nothing."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote

import ccxt.async_support as ccxt_async
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.exchanges.ccxt.profile import LookUpMethod, Profile
from service.exchanges.ccxt.session import trusted

_TYPES = [
    "LIMIT",
    "MARKET",
    "STOP_LOSS",
    "TAKE_PROFIT",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT_LIMIT",
    "STOP_MARKET",
    "TAKE_PROFIT_MARKET",
]
_HELPERS = {
    "/v1/account/accounts": {"status": "ok", "data": [{"id": 1, "type": "spot", "subtype": "", "state": "working"}]},
}
"""Answers without which a class does not get to its order."""


class Sent(NamedTuple):
    method: str
    url: str
    body: str

    def shows(self, text: str) -> bool:
        return text in unquote(self.url) or text in unquote(self.body)

    def names(self, text: str, name: str) -> bool:
        """Whether `text` stands there under this name: in a query, a form or JSON, or after it in a path."""
        pattern = rf"(?<![A-Za-z]){name}(\"?\s*[:=]\s*\"?)?{re.escape(text)}(?![0-9A-Za-z])"
        return any(re.search(pattern, unquote(part)) for part in (self.url, self.body))


class Offline(NamedTuple):
    api: Any
    symbol: str
    sent: list[Sent]
    errors: list[Exception]

    async def place(
        self,
        params: dict[str, Any],
        *,
        order_type: str = "limit",
        side: str = "buy",
        price: float | None = 30_000.0,
        amount: float = 1.0,
    ) -> list[Sent]:
        await self._run(self.api.create_order(self.symbol, order_type, side, amount, price, params))
        return self.sent

    async def look_up(self, profile: Profile, client_order_id: str) -> list[Sent]:
        params: dict[str, Any] = dict(profile.read_params)
        if profile.look_up_param is not None:
            params[profile.look_up_param] = client_order_id
        match profile.look_up:
            case LookUpMethod.FETCH_ORDER:
                order_id = client_order_id if profile.look_up_param is None else profile.look_up_id
                await self._run(self.api.fetch_order(order_id, self.symbol, params))
            case LookUpMethod.OPEN_AND_CLOSED:
                for name in profile.look_up_lists:
                    await self._run(getattr(self.api, name)(self.symbol, None, None, dict(params)))
            case LookUpMethod.IMPLICIT:
                market = self.api.market(self.symbol)
                words = {"id": client_order_id, "market": market["id"], "settle": market["settleId"]}
                request = {key: value.format_map(words) for key, value in profile.look_up_request.items()}
                await self._run(getattr(self.api, str(profile.look_up_implicit))(request))
            case LookUpMethod.NONE:
                raise AssertionError("there is no look-up")
        return self.sent

    async def _run(self, call: Any) -> None:
        try:
            await call
        except Exception as error:  # noqa: BLE001 - the answers are empty: reading them fails, what was sent counts
            self.errors.append(error)

    async def close(self) -> None:
        await self.api.close()


def offline(ccxt_id: str, market_type: str, options: dict[str, object] | None = None) -> Offline:
    """`BTC/USDT` or `BTC/USDT:USDT` at `ccxt_id`, with keys that are none."""
    sent: list[Sent] = []

    class Recorder(getattr(ccxt_async, ccxt_id)):  # type: ignore[misc] - made at run time
        async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            text = body.decode() if isinstance(body, bytes) else str(body or "")
            sent.append(Sent(method, url, text))
            return next((answer for path, answer in _HELPERS.items() if path in url), {})

        async def load_markets(self, *_: Any, **__: Any) -> Any:
            return self.markets

    api = Recorder(
        {
            "apiKey": "k" * 20,
            "secret": _secret(ccxt_id),
            "password": "p",
            "uid": "1",
            "login": "l",
            "accountId": "1",
            # Nothing is sent: nobody has to be spared, no connection to be closed, and no certificate to be read.
            "enableRateLimit": False,
            "timeout_on_exit": 0,
            "ssl_context": trusted(),
        }
    )
    api.options.update({"defaultType": market_type, **(options or {})})
    api.set_markets([_market(market_type)])
    return Offline(api, "BTC/USDT:USDT" if market_type == "swap" else "BTC/USDT", sent, [])


def _secret(ccxt_id: str) -> str:
    if ccxt_id != "coinbase":
        return base64.b64encode(b"s" * 64).decode()
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def _market(market_type: str) -> dict[str, Any]:
    swap = market_type == "swap"
    return {
        "id": "BTCUSDT",
        "lowercaseId": "btcusdt",
        "symbol": "BTC/USDT:USDT" if swap else "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT" if swap else None,
        "baseId": "BTC",
        "quoteId": "USDT",
        "settleId": "USDT" if swap else None,
        "type": market_type,
        "spot": not swap,
        "margin": False,
        "swap": swap,
        "future": False,
        "option": False,
        "active": True,
        "contract": swap,
        "linear": True if swap else None,
        "inverse": False if swap else None,
        "contractSize": 1 if swap else None,
        "taker": 0.001,
        "maker": 0.001,
        "precision": {"amount": 1.0 if swap else 0.001, "price": 0.01},
        "limits": {
            "amount": {"min": 0.001, "max": 1_000},
            "price": {"min": 0.01, "max": 1_000_000},
            "cost": {"min": 1, "max": 10_000_000},
            "leverage": {},
        },
        "info": {"orderTypes": _TYPES},
    }


def exception_keys(ccxt_id: str) -> dict[str, type[BaseException]]:
    """Every key of the class's exception maps, nested ones too."""
    found: dict[str, type[BaseException]] = {}

    def collect(part: Any) -> None:
        for key, value in part.items():
            if isinstance(value, dict):
                collect(value)
            elif isinstance(value, type):
                found.setdefault(str(key), value)

    with suppress(AttributeError):
        collect(getattr(ccxt_async, ccxt_id)().describe()["exceptions"])
    return found
