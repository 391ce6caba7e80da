"""Where `api_url` points is where requests go, whatever addresses stand in a class's own code."""

from __future__ import annotations

import ccxt
import pytest

from service.exchanges.ccxt.clients import build_client
from service.exchanges.ccxt.profiles import profile_of
from service.exchanges.settings import AccountSettings, ExchangeSettings
from service.secrets import Secret
from tests.unit.exchanges.ccxt.wire_lab import free


async def test_a_class_with_an_address_in_its_code_sends_nothing_beside_api_url(server, session):
    # Keys of this form make ccxt's class send to www.deribit.com, which is in none of its `urls`.
    keys = {"apiKey": Secret("k" * 8), "secret": Secret("s" * 43)}

    settings = ExchangeSettings(
        id="coinbaseinternational", api_url=server.url, accounts={"main": AccountSettings(market_type="spot")}
    )
    client = build_client(
        "simulated",
        "main",
        settings,
        keys,
        profile_of("coinbaseinternational"),
        session=session,
        throttle=free,
        timeout=5,
    )

    with pytest.raises(ccxt.NotSupported, match=f"www.deribit.com.*expected an address below {server.url}"):
        await client.api.fetch_time()

    assert not server.received
