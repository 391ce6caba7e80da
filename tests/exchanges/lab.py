"""A whole service that trades at a simulated exchange through ccxt, over real HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.simulator.__main__ import make_venue
from tests.simulator.server import Simulator
from tests.simulator.venue import API_KEY, API_PASSWORD, API_SECRET
from tests.support.service import ENVIRON, Client, running
from tests.support.waiting import until

ACCOUNT = "main"
KEYS = {
    "FILLPATH_EXCHANGE_MAIN_API_KEY": API_KEY,
    "FILLPATH_EXCHANGE_MAIN_SECRET": API_SECRET,
    "FILLPATH_EXCHANGE_MAIN_PASSWORD": API_PASSWORD,
}
FINAL = {"FILLED", "DENIED", "REJECTED", "CANCELED", "EXPIRED", "ABSENT"}


class Place(NamedTuple):
    """A venue as the service is configured for it; `quantity` is base units that its filters allow."""

    symbol: str
    market_type: str
    quantity: str
    low_price: str


PLACES = {
    "binance": Place("BTC/USDT", "spot", "0.01", "30000"),
    "okx": Place("BTC/USDT:USDT", "swap", "0.02", "30000"),
    "deribit": Place("BTC/USDC:USDC", "swap", "0.02", "30000"),
    "bybit": Place("BTC/USDT:USDT", "swap", "0.02", "30000"),
}
"""`low_price` is far below the simulators' price: a limit to buy there rests."""


class Lab(NamedTuple):
    name: str
    place: Place
    client: Client
    simulator: Simulator

    def alert(self, side: str = "buy", **fields: Any) -> dict[str, Any]:
        return {"symbol": self.place.symbol, "side": side, "quantity": self.place.quantity} | fields

    async def send(self, alert: dict[str, Any]) -> str:
        """The order id of an acknowledged alert."""
        response = await self.client.send(alert)
        assert response.status_code == 202, response.text
        return str(response.json()["order_id"])

    async def final(self, order_id: str, within: float = 180.0) -> dict[str, Any]:
        """The order once it has ended."""

        async def ended() -> dict[str, Any] | None:
            order = await self.client.order(order_id)
            # Proven absent and about to be sent again is not an end.
            return order if order["status"] in FINAL and order["reason"] != "absent_resend" else None

        order = await until(ended, within=within, every=0.2)
        assert order is not None
        return order

    async def has_prices(self) -> None:
        """Return when alerts can be taken: on a busy machine the exchange's first answers may come too late."""

        async def known() -> bool:
            (exchange,) = self.client.service.exchanges
            return exchange.quote(self.place.symbol) is not None

        await until(known, within=180, every=0.05)

    async def becomes(self, order_id: str, status: str, within: float = 30.0) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            order = await self.client.order(order_id)
            return order if order["status"] == status else None

        order = await until(there, within=within, every=0.02)
        assert order is not None
        return order


def settings(venue: str, base_url: str, **account: Any) -> dict[str, Any]:
    """A configuration that trades at a simulator only."""
    place = PLACES[venue]
    exchange = {
        "id": make_venue(venue).ccxt_id,
        "api_url": base_url,
        "symbols": [place.symbol],
        "follow_interval": 0.2,
        "accounts": {ACCOUNT: {"market_type": place.market_type} | account},
    }
    return {
        "server": {"port": 0, "operator_port": 0},
        "telemetry": {"engine": "off"},
        # The breaker has tests of its own; here it would let entries expire where faults come close together.
        "execution": {
            "reconcile_first_delay": 0.05,
            "reconcile_max_delay": 1,
            "request_timeout": 6,
            "breaker_failures": 1000,
        },
        "sources": {"default": {"auth": "standard", "accounts": [ACCOUNT], "rate": 2000, "burst": 4000}},
        "exchanges": {venue: exchange},
        "paper": {"accounts": []},
    }


@contextlib.asynccontextmanager
async def trading(
    data_dir: Path,
    venue: str,
    simulator: Simulator | None = None,
    *,
    engine: str = "off",
    ready: bool = True,
    **account: Any,
) -> AsyncIterator[Lab]:
    """A service and its simulator; with `simulator` one that runs already, so that the service alone restarts."""
    async with contextlib.AsyncExitStack() as stack:
        there = simulator or await stack.enter_async_context(Simulator(make_venue(venue)))
        document = settings(venue, there.base_url, **account) | {"telemetry": {"engine": engine}}
        client = await stack.enter_async_context(running(data_dir, environ=ENVIRON | KEYS, settings=document))
        lab = Lab(venue, PLACES[venue], client, there)
        if ready:
            await lab.has_prices()
        yield lab


def statuses(order: dict[str, Any]) -> list[str]:
    """Every state the order went through."""
    return [step["to"] for step in order["transitions"]]
