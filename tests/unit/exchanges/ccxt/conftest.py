"""A server that misbehaves on demand and a guarded session, for every test of what leaves and what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from service.exchanges.ccxt.session import open_session
from telemetry.off import OffTelemetry
from tests.unit.exchanges.ccxt.wire_lab import CONFIG, Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session(OffTelemetry(CONFIG), connect_timeout=5) as session:
        yield session
