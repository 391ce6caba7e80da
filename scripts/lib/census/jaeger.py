"""Asks Jaeger for the traces of an order, several questions at a time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx

from scripts.lib.census.spans import Trace, traces
from telemetry import conventions as c

_AT_ONCE = 4
_MARGIN_S = 60.0
_MOST = 20


class Jaeger:
    """The query interface at `url`; it is asked for what began since `since`, Unix seconds."""

    def __init__(self, url: str, *, since: float, service: str = "fillpath") -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._client = httpx.AsyncClient(base_url=url, timeout=60, trust_env=False)
        self._since = since
        self._service = service

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def of_order(self, order_id: str) -> Sequence[Trace]:
        """Every trace that has a span with this `order.id`, whole as far as it has arrived."""
        query = {
            "service": self._service,
            "tags": json.dumps({c.ATTR_ORDER_ID: order_id}),
            "start": str(int((self._since - _MARGIN_S) * 1e6)),
            "end": str(int((time.time() + _MARGIN_S) * 1e6)),
            "limit": str(_MOST),
        }
        async with self._free:
            answer = await self._client.get("/api/traces", params=query)
        answer.raise_for_status()
        return traces(answer.json())
