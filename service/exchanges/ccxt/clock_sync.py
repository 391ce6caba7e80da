"""The exchange's clock: read, and told to every account's ccxt instance, whose signed requests carry the time."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from service.exchanges.ccxt.convert import time_ns
from service.exchanges.ccxt.quotes import Quotes
from service.exchanges.ccxt.shared import Shared
from service.exchanges.protocol import ExchangeUnavailable

_log = logging.getLogger(__name__)

_READY_S = 2.0


class ClockSync:
    def __init__(self, shared: Shared, quotes: Quotes) -> None:
        self._shared = shared
        self._quotes = quotes
        self._task: asyncio.Task[None] | None = None

    async def read(self) -> int:
        """Unix nanoseconds; raises `ExchangeUnavailable`.

        An exchange that tells no time is asked for a price: it answers, and our own clock stands for its.
        """
        client = self._shared.any_client()
        clock = self._shared.clock
        if not client.answers("fetchTime"):
            await self._ask_a_price()
            return clock.now_ns()
        before_ns = clock.now_ns()
        theirs_ns = await self._shared.traffic.read(client.api.fetch_time, time_ns)
        if theirs_ns is None:
            raise ExchangeUnavailable(f"{self._shared.name} told no time")
        # Half of the round trip: the best guess of when the exchange read its clock.
        ours_ns = (before_ns + clock.now_ns()) // 2
        for each in self._shared.clients.values():
            each.set_clock((ours_ns - theirs_ns) // 1_000_000)
        return theirs_ns

    async def _ask_a_price(self) -> None:
        symbol = next(iter((*self._shared.settings.symbols, *self._shared.listings)), None)
        if symbol is not None:
            await self._quotes.fetch(symbol)

    def read_soon(self) -> None:
        """At once, in a task of its own: a request was refused for its time."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._reread(), name=f"clock {self._shared.name}")

    async def _reread(self) -> None:
        try:
            await self.read()
        except ExchangeUnavailable as error:
            _log.warning("the clock could not be read: %s", error)

    async def ready(self) -> None:
        """Return when no reading is under way, or it takes too long."""
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=_READY_S)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
