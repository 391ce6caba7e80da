"""The monitor: probes exchanges so that breaker, connection and clock skew are known without traffic."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from service.clock import Clock
from service.core.breaker import BreakerState
from service.exchanges.protocol import ExchangeUnavailable
from service.execution.calls import ExchangeCalls

log = logging.getLogger(__name__)

PROBE_EVERY_NS = 30_000_000_000
CONNECTED_FOR_NS = 60_000_000_000
_TURN_S = 1.0


class Monitor:
    """Reads each exchange's clock every 30 s, and every second while its breaker is half open."""

    def __init__(self, exchanges: Sequence[ExchangeCalls], clock: Clock) -> None:
        self._exchanges = exchanges
        self._clock = clock
        self._probed_ns: dict[str, int] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.gather(*(self._probe_if_due(calls) for calls in self._exchanges))
            await asyncio.sleep(_TURN_S)

    def connected(self, calls: ExchangeCalls) -> bool:
        """Whether a call was answered within the last 60 s."""
        answered_ns = calls.answered_ns
        return answered_ns is not None and self._clock.monotonic_ns() - answered_ns <= CONNECTED_FOR_NS

    async def _probe_if_due(self, calls: ExchangeCalls) -> None:
        calls.advance_breaker()
        now_ns = self._clock.monotonic_ns()
        last_ns = self._probed_ns.get(calls.name)
        half_open = calls.breaker_state() is BreakerState.HALF_OPEN
        if last_ns is not None and now_ns - last_ns < PROBE_EVERY_NS and not half_open:
            return
        self._probed_ns[calls.name] = now_ns
        before_ns = self._clock.now_ns()
        try:
            theirs_ns = await calls.fetch_time()
        except ExchangeUnavailable as error:
            log.warning("probe failed: %s", error)
            return
        # Half of the round trip: the best guess of when the exchange read its clock.
        ours_ns = (before_ns + self._clock.now_ns()) // 2
        calls.clock_skew = (theirs_ns - ours_ns) / 1e9
