"""Reading all certificates holds up the event loop for a tenth of a second: it is done once in a process."""

from __future__ import annotations

import ssl

from service.exchanges.ccxt.clients import build_client
from service.exchanges.ccxt.profiles import profile_of
from service.exchanges.ccxt.session import open_session
from service.exchanges.settings import AccountSettings, ExchangeSettings
from service.secrets import Secret
from telemetry.off import OffTelemetry
from tests.unit.exchanges.ccxt.wire_lab import CONFIG, free

KEYS = {"apiKey": Secret("k" * 8), "secret": Secret("s" * 8)}
SETTINGS = ExchangeSettings(id="binance", accounts={"main": AccountSettings(market_type="spot")})


async def test_an_exchange_that_starts_again_does_not_read_the_certificates_again(session, monkeypatch):
    del session  # the first start of the process
    made: list[str | None] = []
    monkeypatch.setattr(ssl, "create_default_context", lambda cafile=None: made.append(cafile))

    async with open_session(OffTelemetry(CONFIG), connect_timeout=1) as again:
        client = build_client(
            "simulated", "main", SETTINGS, KEYS, profile_of("binance"), session=again, throttle=free, timeout=5
        )
        client.api.open()

    assert not made
