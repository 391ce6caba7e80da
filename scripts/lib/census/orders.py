"""The operator interface: what became of each order, and what telemetry the service dropped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

FINAL = frozenset({"FILLED", "DENIED", "REJECTED", "CANCELED", "EXPIRED"})
_AT_ONCE = 8
_PAUSE_S = 0.25
_DROPPED = "execution_telemetry_dropped_total"

Order = Mapping[str, Any]


class Dropped(NamedTuple):
    """Telemetry that the service dropped, for one signal and reason."""

    signal: str
    reason: str
    items: int


class Operator:
    """Of the service at `url`."""

    def __init__(self, url: str, token: str) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def order(self, order_id: str) -> Order:
        """With its transitions."""
        async with self._free:
            answer = await self._client.get(f"/orders/{order_id}")
        answer.raise_for_status()
        return dict(answer.json())

    async def ended(self, order_id: str, within: float) -> Order:
        """The order once it is final, or as it is after so many seconds."""
        until = time.monotonic() + within
        while True:
            order = await self.order(order_id)
            if order["status"] in FINAL or time.monotonic() > until:
                return order
            await asyncio.sleep(_PAUSE_S)

    async def cancel(self, order_id: str) -> None:
        """Ask for it; an order that is done already is left as it is."""
        async with self._free:
            answer = await self._client.delete(f"/orders/{order_id}")
        if answer.status_code != HTTPStatus.CONFLICT:
            answer.raise_for_status()

    async def dropped(self) -> Sequence[Dropped]:
        """What it has dropped since its start, without what is 0."""
        answer = await self._client.get("/metrics", headers={"Accept": "text/plain"})
        answer.raise_for_status()
        return dropped_in(answer.text)


def dropped_in(exposition: str) -> Sequence[Dropped]:
    """From Prometheus text."""
    samples = (
        sample
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == _DROPPED and sample.value
    )
    return [Dropped(one.labels["signal"], one.labels["reason"], int(one.value)) for one in samples]


def total(dropped: Iterable[Dropped], signal: str) -> int:
    """Dropped against the service's will: what it samples away on purpose is none of it."""
    return sum(one.items for one in dropped if one.signal == signal and one.reason != "sampling")
