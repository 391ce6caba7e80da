"""When a request may leave: an exchange's request limit, shared out by priority."""

from __future__ import annotations

import asyncio
import math
from heapq import heapify, heappop, heappush
from itertools import count
from typing import NamedTuple

from service.clock import Clock
from service.exchanges.protocol import Priority

_RESERVED = 0.25
"""The share of the burst that only orders and cancels may use: polls that went first leave them something."""

_HURRIED = frozenset({Priority.CANCEL, Priority.ORDER})
_ROUNDING = 1e-6  # of a unit: what the float arithmetic of times may lose
_SHORTEST_WAIT_S = 0.001
"""Below it a timer and the clock may disagree about whether the time has come."""

_LONGEST_PAUSE_S = 7 * 86_400.0
"""Beyond any ban that exchanges announce: a nonsensical header must not stop an exchange for ever."""


class _Waiter(NamedTuple):
    priority: Priority
    number: int
    cost: float
    gone: asyncio.Future[None]


class Limiter:
    """One an exchange and address, shared by all its accounts: exchanges count requests by address.

    Gains `rate` units a second up to `burst`; starts full. Used from one event loop. Lower priority values go first,
    the same ones in the order they came; nobody overtakes the first, so that a dear request is not passed by cheap
    ones for ever.
    """

    def __init__(self, *, rate: float, burst: float, clock: Clock) -> None:
        if not (rate > 0 and burst >= 1 and math.isfinite(rate) and math.isfinite(burst)):
            raise ValueError(f"a limiter needs a rate above 0 and a burst of at least 1, got {rate} and {burst}")
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._units = float(burst)
        self._counted_ns = clock.monotonic_ns()
        self._paused_until_ns = 0
        self._waiters: list[_Waiter] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, priority: Priority, cost: float = 1.0) -> None:
        """Return when a request of `cost` units may leave, which is then charged.

        A cost above the burst leaves when the burst is full, and the rest is owed. Cancelled, it takes nothing.
        """
        _check(cost)
        if not self._waiters:
            self._gain()
            if self._wait_s(priority, cost) == 0:
                self._units -= cost
                return
        waiter = _Waiter(priority, next(self._numbers), cost, asyncio.get_running_loop().create_future())
        heappush(self._waiters, waiter)
        self._let_go()
        if waiter.gone.done():
            return
        try:
            await waiter.gone
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    def charge(self, cost: float) -> None:
        """Count a cost that was learned after the request had left; what is not there is owed."""
        _check(cost)
        self._gain()
        self._units -= cost

    def pause(self, seconds: float) -> None:
        """Let nothing leave for so long, as the answers 429 and 418 ask; a shorter pause does not end a longer one."""
        if not seconds >= 0:
            raise ValueError(f"a pause is 0 seconds or more, got {seconds}")
        until_ns = self._clock.monotonic_ns() + int(min(seconds, _LONGEST_PAUSE_S) * 1e9)
        self._paused_until_ns = max(self._paused_until_ns, until_ns)

    def _let_go(self) -> None:
        """Let go whoever may, and set the timer for the next."""
        self._gain()
        while self._waiters:
            first = self._waiters[0]
            wait_s = self._wait_s(first.priority, first.cost)
            if wait_s > 0:
                self._wake_after(wait_s)
                return
            waiter = heappop(self._waiters)
            # A cancelled task hears of it a little later: until then its place is still here.
            if not waiter.gone.cancelled():
                self._units -= waiter.cost
                waiter.gone.set_result(None)
        self._stop_timer()

    def _wait_s(self, priority: Priority, cost: float) -> float:
        paused_s = (self._paused_until_ns - self._counted_ns) / 1e9
        kept = 0.0 if priority in _HURRIED else self._burst * _RESERVED
        missing = min(cost + kept, self._burst) - self._units
        short_s = missing / self._rate if missing > _ROUNDING else 0.0
        return max(paused_s, short_s, 0.0)

    def _gain(self) -> None:
        now_ns = self._clock.monotonic_ns()
        passed_s = max(now_ns - self._counted_ns, 0) / 1e9
        self._units = min(self._units + passed_s * self._rate, self._burst)
        self._counted_ns = now_ns

    def _wake_after(self, wait_s: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(max(wait_s, _SHORTEST_WAIT_S), self._let_go)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _withdraw(self, waiter: _Waiter) -> None:
        """Give up a place, or the units of one that was let go but never heard of it."""
        if not waiter.gone.cancelled():
            self._units += waiter.cost
        elif waiter in self._waiters:
            self._waiters.remove(waiter)
            heapify(self._waiters)
        self._let_go()


def _check(cost: float) -> None:
    if not 0 <= cost < math.inf:
        raise ValueError(f"a cost is 0 units or more, got {cost}")
