"""Sampling by the service: a request's spans wait until it is known whether the request matters.

A trace whose SERVER span is open is undecided. It is kept as soon as somebody says so (authenticated, journaled) or
a span fails; otherwise the end of its SERVER span decides: a few a second are kept, the rest is dropped and counted.
Spans of traces that have no open SERVER span belong to orders: they are kept.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from telemetry.forking import in_children

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.series import Drops

S = TypeVar("S")

UNDECIDED_PER_SECOND = 10.0
HELD_SPANS = 8192
HELD_SPANS_OF_A_TRACE = 256
_ACTIONS_OF_A_TRACE = 256
_REMEMBERED_DROPS = 4096


@dataclass(slots=True)
class Held(Generic[S]):
    """One trace that is undecided or kept; once `kept` it stays so, and its spans need not be held any more."""

    open_requests: int = 0
    kept: bool = False
    spans: list[S] = field(default_factory=list)
    actions: list[Callable[[], None]] = field(default_factory=list)


class Budget:
    """A token bucket: `rate` a second, at most one second's worth at once."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = rate
        self._at = clock()

    def take(self) -> bool:
        now = self._clock()
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Holder(Generic[S]):
    """Holds spans of any kind (`S`) by trace id and passes those that are kept to `deliver`. Thread-safe, bounded."""

    def __init__(
        self,
        deliver: Callable[[S], None],
        drops: Drops,
        *,
        rate: float = UNDECIDED_PER_SECOND,
        max_spans: int = HELD_SPANS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deliver = deliver
        self._drops = drops
        self._budget = Budget(rate, clock)
        self._max_spans = max_spans
        self._count = 0
        self._traces: dict[int, Held[S]] = {}
        self._through: Held[S] = Held(kept=True)
        self._not_through: Held[S] = Held()
        # Late spans of a dropped trace are dropped too: half a trace misleads.
        self._dropped: OrderedDict[int, None] = OrderedDict()
        self._unlock()
        in_children(self._unlock)

    def _unlock(self) -> None:
        self._lock = Lock()

    @property
    def held(self) -> int:
        """How many spans wait for a decision."""
        return self._count

    def open(self, trace_id: int) -> Held[S]:
        """A SERVER span began; what decides over its trace."""
        with self._lock:
            held = self._traces.get(trace_id)
            if held is None:
                held = self._traces[trace_id] = Held()
            held.open_requests += 1
            self._dropped.pop(trace_id, None)
        return held

    def fate(self, trace_id: int) -> Held[S]:
        """What decides over a span that begins now: where it is `kept`, the span may be delivered without asking."""
        held = self._traces.get(trace_id)
        if held is not None:
            return held
        return self._not_through if trace_id in self._dropped else self._through

    def keep(self, trace_id: int) -> None:
        """Keep this trace: what was held goes on now, what follows goes through."""
        with self._lock:
            held = self._traces.get(trace_id)
            released = self._release(held) if held is not None else Held()
        self._pass_on(released)

    def ended(self, trace_id: int, span: S, *, failed: bool) -> None:
        """A span other than a SERVER span ended."""
        if failed:
            self.keep(trace_id)
        # Without the lock: what is kept stays kept, and a trace that is dropped is remembered before it is forgotten.
        held = self._traces.get(trace_id)
        through = trace_id not in self._dropped if held is None else held.kept
        if not through:
            with self._lock:
                held = self._traces.get(trace_id)
                through = trace_id not in self._dropped if held is None else held.kept
                if not through:
                    self._hold(held, span)
        if through:
            self._deliver(span)

    def closed(self, trace_id: int, span: S, *, failed: bool) -> None:
        """A SERVER span ended; the last one of a trace decides."""
        if failed:
            self.keep(trace_id)
        self.ended(trace_id, span, failed=False)
        with self._lock:
            held = self._traces.get(trace_id)
            if held is None:
                return
            held.open_requests -= 1
            if held.open_requests > 0:
                return
            if held.kept or self._budget.take():
                released = self._release(held)
            else:
                released = Held()
                self._drop(trace_id, held)
            del self._traces[trace_id]
        self._pass_on(released)

    def when_kept(self, trace_id: int, action: Callable[[], None]) -> None:
        """Run `action` once the trace is kept: now, later, or never."""
        with self._lock:
            held = self._traces.get(trace_id)
            if held is None:
                now = trace_id not in self._dropped
            else:
                now = held.kept
                if not now and len(held.actions) < _ACTIONS_OF_A_TRACE:
                    held.actions.append(action)
        if now:
            action()

    def _hold(self, held: Held[S] | None, span: S) -> None:
        if held is None:
            self._drops.count("traces", "sampling")
        elif self._count >= self._max_spans or len(held.spans) >= HELD_SPANS_OF_A_TRACE:
            self._drops.count("traces", "held_overflow")
        else:
            held.spans.append(span)
            self._count += 1

    def _release(self, held: Held[S]) -> Held[S]:
        """Mark as kept; what waited is handed out, to be passed on outside the lock."""
        released = Held(spans=held.spans, actions=held.actions)
        self._count -= len(held.spans)
        held.kept, held.spans, held.actions = True, [], []
        return released

    def _drop(self, trace_id: int, held: Held[S]) -> None:
        self._count -= len(held.spans)
        self._drops.count("traces", "sampling", len(held.spans))
        self._dropped[trace_id] = None
        if len(self._dropped) > _REMEMBERED_DROPS:
            self._dropped.popitem(last=False)

    def _pass_on(self, released: Held[S]) -> None:
        for span in released.spans:
            self._deliver(span)
        for action in released.actions:
            action()
