"""The operator interface as the run uses it: cancel, wait for the ends, read what became of each order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx

from scripts.lib.chaos.processes import Service

ENDED = frozenset({"FILLED", "DENIED", "REJECTED", "CANCELED", "EXPIRED", "ABSENT"})

_OPEN = "RECEIVED,SUBMITTED,IN_DOUBT,ABSENT,ACCEPTED,TRIGGERED,PARTIALLY_FILLED,PENDING_CANCEL"
_RESTING = frozenset({"ACCEPTED", "TRIGGERED", "PARTIALLY_FILLED"})
_CANCEL_ATTEMPTS = 60
_PAUSE_S = 1.0
_PAGE = 500
_AT_ONCE = 8

Order = Mapping[str, Any]


def has_ended(order: Order) -> bool:
    """Whether nothing more is expected; proven absent and about to be sent again is no end."""
    return order["status"] in ENDED and order["reason"] != "absent_resend"


class Operator:
    """Of one service, whichever process answers."""

    def __init__(self, service: Service) -> None:
        self._client = httpx.AsyncClient(
            base_url=service.operator, headers=service.authorization, timeout=30, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def cancel(self, order_id: str) -> None:
        """Until some process takes the request; an order that is done already is left as it is."""
        for _ in range(_CANCEL_ATTEMPTS):
            try:
                answer = await self._client.delete(f"/orders/{order_id}")
            except httpx.HTTPError:
                pass  # killed meanwhile: the next process is asked
            else:
                if answer.is_success or answer.status_code == HTTPStatus.CONFLICT:
                    return
            await asyncio.sleep(_PAUSE_S)

    async def unfinished(self) -> Sequence[Order]:
        return [order async for order in self._listed(_OPEN) if not has_ended(order)]

    async def all_tried(self, within: float) -> None:
        """Return once no order waits for its first order request, at the latest after so many seconds."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            if not [order async for order in self._listed("RECEIVED")]:
                return
            await asyncio.sleep(_PAUSE_S)

    async def settle(self, within: float) -> frozenset[str]:
        """Cancel what rests and wait until every order has ended; ids of those that did not in time."""
        until = time.monotonic() + within
        while unfinished := await self.unfinished():
            if time.monotonic() > until:
                return frozenset(order["order_id"] for order in unfinished)
            for order in unfinished:
                if order["status"] in _RESTING and order["order_type"] == "limit":
                    await self.cancel(order["order_id"])
            await asyncio.sleep(_PAUSE_S)
        return frozenset()

    async def orders(self, source: str, fills_within: float) -> Sequence[Order]:
        """All orders of a source with transitions and fills; fills that are not told yet are waited for."""
        ids = [order["order_id"] async for order in self._listed("") if order["source"] == source]
        free = asyncio.Semaphore(_AT_ONCE)
        until = time.monotonic() + fills_within

        async def read(order_id: str) -> Order:
            async with free:
                order = await self._order(order_id)
                while _lacks_fills(order) and time.monotonic() < until:
                    await asyncio.sleep(_PAUSE_S)
                    order = await self._order(order_id)
                return order

        return await asyncio.gather(*(read(order_id) for order_id in ids))

    async def _order(self, order_id: str) -> Order:
        answer = await self._client.get(f"/orders/{order_id}")
        answer.raise_for_status()
        return dict(answer.json())

    async def _listed(self, statuses: str) -> AsyncIterator[Order]:
        """Newest first, all pages."""
        parameters = {"limit": str(_PAGE), **({"status": statuses} if statuses else {})}
        while True:
            answer = await self._client.get("/orders", params=parameters)
            answer.raise_for_status()
            page = answer.json()
            for order in page["orders"]:
                yield order
            if page["next"] is None:
                return
            parameters["after"] = page["next"]


def _lacks_fills(order: Order) -> bool:
    return filled_by_fills(order) != Decimal(order["filled_qty"])


def filled_by_fills(order: Order) -> Decimal:
    """Base units that its fills add up to."""
    return sum((Decimal(fill["quantity"]) for fill in order["fills"]), Decimal(0))
