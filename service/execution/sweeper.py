"""The sweeper: ends what waited too long, counts what is late, and shows that the executor is alive."""

from __future__ import annotations

import asyncio
import logging

from service.clock import Clock
from service.core import freshness
from service.core.orders import Action, OrderStatus
from service.core.refusals import ExpiryReason
from service.execution.halts import Halts
from service.execution.measures import ON_TIME_NS
from service.execution.register import LiveOrder, Register
from service.journal.protocol import JournalUnavailable
from telemetry import conventions as c
from telemetry.facade import Telemetry

log = logging.getLogger(__name__)

_TURN_S = 0.25


class Sweeper:
    def __init__(self, register: Register, halts: Halts, telemetry: Telemetry, clock: Clock) -> None:
        self._register = register
        self._halts = halts
        self._telemetry = telemetry
        self._clock = clock
        self.last_turn_ns = clock.now_ns()
        self.last_turn_monotonic_ns = clock.monotonic_ns()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            due_ns = self._clock.monotonic_ns() + int(_TURN_S * 1e9)
            await asyncio.sleep(_TURN_S)
            lag_ns = max(0, self._clock.monotonic_ns() - due_ns)
            self._telemetry.record(c.EVENT_LOOP_LAG, lag_ns / 1e9)
            try:
                await self.turn()
            except JournalUnavailable:
                log.warning("the journal is not writable; what expired is ended later")
            except Exception:  # the sweeper must outlive any one order's defect
                log.exception("a sweep failed")
            self.last_turn_ns = self._clock.now_ns()
            self.last_turn_monotonic_ns = self._clock.monotonic_ns()

    async def turn(self) -> None:
        now_ns = self._clock.monotonic_ns()
        await asyncio.gather(*(self._expire(live) for live in self._unsent() if self._is_over(live, now_ns)))
        late_ns = self._clock.monotonic_ns() - ON_TIME_NS
        late = [live for live in self._register.live.values() if live.received_monotonic_ns < late_ns]
        for live in late:
            if not live.order.outcome_counted and not live.lock.locked():
                async with live.lock:
                    await self._register.note(live, outcome_counted=True)

    async def expire_halted(self) -> int:
        """End everything queued that the kill switch now blocks, so that lifting it releases none; how many."""
        blocked = [live for live in self._unsent() if self._halts.blocks(live.order.account, live.order.intent)]
        await asyncio.gather(*(self._expire(live) for live in blocked))
        return len(blocked)

    def _unsent(self) -> list[LiveOrder]:
        """Waiting for their turn or for a next attempt; what is being executed checks for itself.

        Alerts that cancel are not among them: no kill switch holds them up.
        """
        return [
            live
            for live in list(self._register.live.values())
            if live.order.status is OrderStatus.RECEIVED
            and live.order.action is not Action.CANCEL
            and not live.executing
        ]

    def _is_over(self, live: LiveOrder, now_ns: int) -> bool:
        order = live.order
        age_ns = now_ns - live.received_monotonic_ns
        return freshness.too_old(order, order.received_ns + age_ns) or self._halts.blocks(order.account, order.intent)

    async def _expire(self, live: LiveOrder) -> None:
        async with live.lock:
            order = live.order
            if order.status is not OrderStatus.RECEIVED or live.executing:
                return
            halted = self._halts.blocks(order.account, order.intent)
            reason = ExpiryReason.HALTED if halted else ExpiryReason.MAX_AGE
            detail = (
                "the kill switch is engaged"
                if halted
                else f"waited in its lane longer than the {(order.max_age_ns or 0) / 1e9:g} s allowed"
            )
            await self._register.move(live, OrderStatus.EXPIRED, reason=reason.value, detail=detail)
