"""The time by which idempotency keys are kept: it runs while the service runs, and no step of the wall clock moves it.

A wall clock that jumps ahead would end a key early, and an alert that is sent again would be executed again; one that
jumps back would keep the key of a body without a time for so much longer, and swallow the next signal. So this time
counts what the monotonic clock counts, from the wall's time at the very first start on. What passed between two
processes only the wall clock tells: it is believed up to a day at a time, and never backwards.
"""

from __future__ import annotations

from typing import NamedTuple

from service.clock import Clock

MOST_BETWEEN_NS = 86_400 * 1_000_000_000
"""A wall clock that is wrong at a start takes at most this from the life of a key; a service that was down for longer
keeps its keys for longer, which harms nobody."""


class Beat(NamedTuple):
    """One moment by both clocks, nanoseconds: kept time, and the wall's Unix time."""

    kept_ns: int
    wall_ns: int


class KeptTime:
    """Goes on from `last`, the last beat in the journal; None: from the wall's time."""

    def __init__(self, clock: Clock, last: Beat | None) -> None:
        self._clock = clock
        wall_ns = clock.now_ns()
        start_ns = wall_ns if last is None else last.kept_ns + min(max(wall_ns - last.wall_ns, 0), MOST_BETWEEN_NS)
        self._begun_ns = start_ns - clock.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds, near Unix time but not it: only to be compared with other times of its kind."""
        return self._begun_ns + self._clock.monotonic_ns()

    def beat(self) -> Beat:
        return Beat(self.now_ns(), self._clock.now_ns())
