"""Faults of the simulated exchanges beside those of order requests, what hit in all, and an end of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from scripts.lib.chaos.evidence import Hit

_FUNDS = "1000000000"

_READS: Sequence[Mapping[str, Any]] = (
    {"kind": "close"},
    {"kind": "status", "status": 503},
    {"kind": "html", "status": 200},
    {"kind": "html", "status": 524},
    {"kind": "other_json"},
    {"kind": "empty", "after": True},
    {"kind": "truncated_json", "after": True},
    {"kind": "cut_body", "after": True},
    {"kind": "delay", "seconds": 0.5},
)
_CANCELS: Sequence[Mapping[str, Any]] = (
    {"kind": "close"},
    {"kind": "close", "after": True},
    {"kind": "status", "status": 502, "after": True},
    {"kind": "truncated_json", "after": True},
    {"kind": "rate_limited", "status": 429, "retry_after": 0.5},
)
_MIX = {
    "look_up": _READS,
    "open_orders": _READS,
    "trades": _READS,
    "balances": _READS,
    "cancel": _CANCELS,
}


class Disturbance:
    """`exchanges` talk to the simulators' admin interfaces; `seed` decides which faults come when and where."""

    def __init__(self, exchanges: Sequence[httpx.AsyncClient], seed: int) -> None:
        self._exchanges = exchanges
        self._chance = random.Random(f"{seed}:disturbance")  # noqa: S311 - replayed by its seed

    async def fund(self, currencies: frozenset[str]) -> None:
        """Enough of each that no order ever lacks money."""
        for exchange in self._exchanges:
            for currency in sorted(currencies):
                await _post(exchange, "/-/funds", {"currency": currency, "amount": _FUNDS})

    async def disturb(self, a_second: float) -> None:
        """So many faults a second on look-ups, lists, balances and cancels, until cancelled."""
        while True:
            await asyncio.sleep(self._chance.expovariate(a_second))
            endpoint = self._chance.choice(sorted(_MIX))
            fault = dict(self._chance.choice(_MIX[endpoint]))
            exchange = self._chance.choice(self._exchanges)
            await _post(exchange, "/-/faults", {"endpoint": endpoint, "faults": [fault]})

    async def end(self) -> None:
        """No more faults."""
        for exchange in self._exchanges:
            (await exchange.delete("/-/faults")).raise_for_status()

    async def hits(self) -> Sequence[Hit]:
        """Every fault that hit a request."""
        hits: list[Hit] = []
        for exchange in self._exchanges:
            answer = await exchange.get("/-/faults")
            answer.raise_for_status()
            hits += (
                Hit(hit["endpoint"], hit["client_id"], hit["fault"]["kind"], hit["executed"])
                for hit in answer.json()["history"]
            )
        return hits


async def _post(exchange: httpx.AsyncClient, path: str, document: Mapping[str, Any]) -> None:
    (await exchange.post(path, json=document)).raise_for_status()
