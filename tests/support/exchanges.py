"""An exchange that lies on demand: the paper exchange behind a wire that tests can cut, slow down or garble."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from service.clock import Clock
from service.core.outcomes import LookUp, Outcome, Unanswered
from service.exchanges.paper import PaperExchange
from service.exchanges.protocol import CancelOutcome, OrderRef, OrderRequest
from service.settings import Loaded

Place = Callable[[OrderRequest], Awaitable[Outcome]]


class LyingExchange(PaperExchange):
    """`script` holds what happens to the next order requests, oldest first; without one they pass.

    Each entry gets the request and the real `place`, and returns the outcome the caller is told.
    """

    def __init__(self, loaded: Loaded, clock: Clock) -> None:
        super().__init__("paper", loaded.settings.paper, loaded.data_dir / "paper.sqlite", clock)
        self.script: list[Callable[[OrderRequest, Place], Awaitable[Outcome]]] = []
        self.cancel_script: list[Callable[[OrderRef, Any], Awaitable[CancelOutcome]]] = []
        self.look_ups_fail = False
        self.placed: list[OrderRequest] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def create_order(self, request: OrderRequest) -> Outcome:
        await self.gate.wait()
        self.placed.append(request)
        if self.script:
            return await self.script.pop(0)(request, super().create_order)
        return await super().create_order(request)

    async def cancel_order(self, ref: OrderRef) -> CancelOutcome:
        if self.cancel_script:
            return await self.cancel_script.pop(0)(ref, super().cancel_order)
        return await super().cancel_order(ref)

    async def look_up(self, ref: OrderRef) -> LookUp:
        if self.look_ups_fail:
            return Unanswered(cause="connection closed")
        return await super().look_up(ref)
