"""The ccxt adapter pointed at a simulator."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

import msgspec

from service.clock import SystemClock
from service.exchanges.ccxt.exchange import CcxtExchange
from service.exchanges.ccxt.profiles import profile_of
from service.exchanges.limiter import Limiter
from service.exchanges.settings import AccountSettings, ExchangeSettings
from service.secrets import Secret
from telemetry.config import TelemetryConfig
from telemetry.off import OffTelemetry
from tests.simulator.__main__ import make_venue
from tests.simulator.server import Simulator
from tests.simulator.venue import API_KEY, API_PASSWORD, API_SECRET

ACCOUNT = "main"
KEYS = {"apiKey": Secret(API_KEY), "secret": Secret(API_SECRET), "password": Secret(API_PASSWORD)}

MarketKind = Literal["spot", "swap"]


def adapter(
    ccxt_id: str,
    market_type: MarketKind,
    *symbols: str,
    api_url: str = "",
    timeout: float = 10.0,
    limiter: Any = None,
    keys: Mapping[str, Secret] = KEYS,
    account: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    **profile: Any,
) -> CcxtExchange:
    """Not started; `account`, `settings` and the other fields replace those of the account, exchange and profile."""
    # A simulator executes at once or not at all: nothing need be waited for.
    fields = {"request_validity_s": 0.2, "visibility_delay_s": 0.1} | profile
    return CcxtExchange(
        ccxt_id,
        ExchangeSettings(
            id=ccxt_id,
            accounts={ACCOUNT: AccountSettings(market_type=market_type, **(account or {}))},
            symbols=symbols,
            api_url=api_url,
            **(settings or {}),
        ),
        {ACCOUNT: keys},
        msgspec.structs.replace(profile_of(ccxt_id), **fields),
        limiter or Limiter(rate=10_000, burst=10_000, clock=SystemClock()),
        OffTelemetry(TelemetryConfig(service_version="0", instance_id="adapter")),
        SystemClock(),
        request_timeout=timeout,
    )


@contextlib.asynccontextmanager
async def trading(
    venue: str, market_type: MarketKind, *symbols: str, **options: Any
) -> AsyncIterator[tuple[CcxtExchange, Simulator]]:
    """A started adapter and its simulator; see `adapter` for the options."""
    async with Simulator(make_venue(venue)) as simulator:
        exchange = adapter(simulator.venue.ccxt_id, market_type, *symbols, api_url=simulator.base_url, **options)
        await exchange.start()
        try:
            yield exchange, simulator
        finally:
            await exchange.close()
