"""The circuit breaker of one exchange: after failures in a row no entries are sent until reads succeed again."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class BreakerState(IntEnum):
    """The values are those of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class BreakerTransition(NamedTuple):
    from_state: BreakerState
    to_state: BreakerState


class Breaker:
    """Opens after `failures` in a row, half-opens `open_s` seconds later, closes after `successes` in a row.

    Writes (orders, cancels) and reads fail in rows of their own. An answered read does not make up for failed writes:
    an exchange may show balances and take no orders. And where few orders are sent, one that failed must not let the
    odd failed read among hundreds of answered ones count on until it opens. An answered write ends both rows.

    While it is half open the caller probes with a read; one failure opens it again. Times are seconds of a clock that
    does not go back. Each method that changes the state returns the transition; where the time was over and an answer
    moves on from half open at once, that is the later of two: who counts every one calls `advance` first.
    """

    __slots__ = (
        "_allowed",
        "_failed_reads",
        "_failed_writes",
        "_open_s",
        "_opened_s",
        "_state",
        "_succeeded",
        "_successes",
    )

    def __init__(self, failures: int = 5, open_s: float = 60, successes: int = 2) -> None:
        if failures < 1 or successes < 1 or open_s < 0:
            raise ValueError(f"expected counts of at least 1 and a time from 0, got {failures}, {successes}, {open_s}")
        self._allowed = failures
        self._open_s = open_s
        self._successes = successes
        self._state = BreakerState.CLOSED
        self._failed_reads = self._failed_writes = 0  # in a row while closed
        self._succeeded = 0  # in a row while half open
        self._opened_s = 0.0

    def state(self, now_s: float) -> BreakerState:
        """An open breaker is half open as soon as its time is over, whether or not `advance` was called."""
        if self._state is BreakerState.OPEN and now_s - self._opened_s >= self._open_s:
            return BreakerState.HALF_OPEN
        return self._state

    def allows_entry(self, now_s: float) -> bool:
        return self.state(now_s) is BreakerState.CLOSED

    def advance(self, now_s: float) -> BreakerTransition | None:
        """Open to half open where the time is over: returned once, for who counts transitions."""
        if self.state(now_s) is self._state:
            return None
        return self._move(BreakerState.HALF_OPEN, now_s)

    def on_success(self, now_s: float, *, write: bool = False) -> BreakerTransition | None:
        """The transition that an answer causes; answers while open prove nothing about entries and count nothing."""
        half_opened = self.advance(now_s)
        if self._state is BreakerState.CLOSED:
            self._failed_reads = 0
            if write:
                self._failed_writes = 0
        elif self._state is BreakerState.HALF_OPEN:
            self._succeeded += 1
            if self._succeeded >= self._successes:
                return self._move(BreakerState.CLOSED, now_s)
        return half_opened

    def on_failure(self, now_s: float, *, write: bool = False) -> BreakerTransition | None:
        """The transition that a failure causes; failures while open do not prolong it."""
        self.advance(now_s)
        if self._state is BreakerState.HALF_OPEN:
            return self._move(BreakerState.OPEN, now_s)
        if self._state is BreakerState.CLOSED:
            self._failed_writes += write
            self._failed_reads += not write
            if max(self._failed_writes, self._failed_reads) >= self._allowed:
                return self._move(BreakerState.OPEN, now_s)
        return None

    def _move(self, to_state: BreakerState, now_s: float) -> BreakerTransition:
        transition = BreakerTransition(self._state, to_state)
        self._state = to_state
        self._failed_reads = self._failed_writes = self._succeeded = 0
        if to_state is BreakerState.OPEN:
            self._opened_s = now_s
        return transition
