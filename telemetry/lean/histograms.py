"""Histograms over fixed bucket edges: counted since the last export, added up since the start.

A record costs one look-up, one bisection and a few additions under one lock; what belongs to an export or to
`/metrics` is worked out when they ask.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from decimal import Decimal
from functools import partial
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Any

from telemetry import conventions as c
from telemetry.forking import in_children
from telemetry.lean.block import Block
from telemetry.lean.current import current_context
from telemetry.lean.exemplars import Ids, sampled_ids
from telemetry.memo import Memo
from telemetry.series import LARGEST, Key, as_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.facade import Labels
    from telemetry.holding import Holder
    from telemetry.series import Drops, Series

Exemplar = tuple[int, float, int, int]
"""Unix nanoseconds, value, trace id, span id; a plain tuple, because one is made for nearly every record."""

Exemplars = dict[int, Exemplar]
"""The last exemplar of each bucket, by the bucket's index."""


class Tally:
    """What was recorded in one stretch of time; `counts` has one element more than there are edges."""

    __slots__ = ("counts", "exemplars", "largest", "smallest", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0
        self.smallest = inf
        self.largest = -inf
        self.exemplars: Exemplars = {}

    def absorb(self, later: Tally) -> None:
        """Add what was recorded later, but not its exemplars."""
        self.counts = [mine + its for mine, its in zip(self.counts, later.counts, strict=True)]
        # In this order, as the SDK adds: floats add up differently in another.
        self.total = later.total + self.total
        self.smallest = min(later.smallest, self.smallest)
        self.largest = max(later.largest, self.largest)

    def snapshot(self) -> Tally:
        """A copy for whoever reads it later; of what only `absorb` changes, because that makes new counts."""
        other = Tally(0)
        other.counts = self.counts
        other.total, other.smallest, other.largest = self.total, self.smallest, self.largest
        other.exemplars = dict(self.exemplars)
        return other


class Cell:
    """One series: `past` up to the last export, `window` since then, None until something is recorded in it.

    Its methods are called under the lock.
    """

    __slots__ = ("bounds", "created_ns", "key", "past", "waiting", "window")

    def __init__(self, key: Key, bounds: tuple[float, ...], waiting: list[Cell]) -> None:
        self.key = key
        self.bounds = bounds
        self.created_ns = time.time_ns()
        self.past = Tally(len(bounds) + 1)
        self.window: Tally | None = None
        self.waiting = waiting

    def begin(self) -> Tally:
        """The window's first record."""
        self.window = Tally(len(self.bounds) + 1)
        self.waiting.append(self)
        return self.window

    def close(self) -> Tally | None:
        """End the window and add it to what was before."""
        window, self.window = self.window, None
        if window is not None:
            self.past.absorb(window)
            # Late exemplars still go into the window's own; nobody looks there any more.
            window.exemplars = dict(window.exemplars)
        return window


class Distribution:
    """All series of one histogram, in the order of their first record."""

    __slots__ = ("cells", "instrument", "waiting")

    def __init__(self, instrument: c.Histogram) -> None:
        self.instrument = instrument
        self.cells: dict[Key, Cell] = {}
        # The cells with a window, in the order in which their windows began: the SDK's order of delta points.
        self.waiting: list[Cell] = []


class Histograms:
    """Every histogram of the contract. Thread-safe; never raises for a value or a label.

    The last exemplar of each bucket is kept across exports; only a trace that is kept gives one (see
    `telemetry.holding`). With `delta`, windows have exemplars of their own.
    """

    def __init__(self, series: Series, holder: Holder[Any], drops: Drops, *, delta: bool) -> None:
        self._series = series
        self._holder = holder
        self._drops = drops
        self._delta = delta
        self._lock = Lock()
        in_children(self._after_fork)
        self._memo: Memo[Cell] = Memo()
        self._recorded: dict[str, Distribution] = {}

    def record(self, instrument: c.Histogram, value: object, labels: Labels, ids: Ids | None = None) -> None:
        """`ids` are the trace and span of an exemplar; by default the current span's."""
        try:
            cell = self._memo[instrument.name, *labels, *labels.values()]
        except (KeyError, TypeError):
            # Not seen yet, or not hashable: the rules decide.
            self._record(instrument, value, labels, ids)
            return
        if type(value) is Decimal:
            value = as_number(value)
        if (type(value) is float or type(value) is int) and 0.0 <= value <= LARGEST:
            self._count(cell, float(value), ids)
        else:
            self._record(instrument, value, labels, ids)

    def recorded(self) -> list[Distribution]:
        """Those with records, in the order of their first one."""
        with self._lock:
            return list(self._recorded.values())

    def take(self, distribution: Distribution) -> list[tuple[Cell, Tally]]:
        """Close the windows; with `delta` what they held, else what every series holds since the start."""
        with self._lock:
            cells = list(distribution.waiting if self._delta else distribution.cells.values())
            distribution.waiting.clear()
        taken = []
        for cell in cells:
            # One series at a time: a record waits for one of them, not for all.
            with self._lock:
                window = cell.close()
                tally = window if self._delta else cell.past.snapshot()
            if tally is not None:
                taken.append((cell, tally))
        return taken

    def peek(self, distribution: Distribution) -> list[tuple[Cell, Tally]]:
        """What every series holds since the start; nothing changes."""
        with self._lock:
            cells = list(distribution.cells.values())
        result = []
        for cell in cells:
            with self._lock:
                now = cell.past.snapshot()
                if cell.window is not None:
                    now.absorb(cell.window)
            result.append((cell, now))
        return result

    def _record(self, instrument: c.Histogram, value: object, labels: Labels, ids: Ids | None) -> None:
        entry = self._series.accept(instrument, value, labels)
        if entry is None:
            return
        key, number = entry
        with self._lock:
            distribution = self._recorded.get(instrument.name)
            if distribution is None:
                distribution = self._recorded[instrument.name] = Distribution(instrument)
            cell = distribution.cells.get(key)
            if cell is None:
                cell = distribution.cells[key] = Cell(key, instrument.buckets, distribution.waiting)
        self._memo.remember(instrument, labels, key, cell)
        self._count(cell, number, ids)

    def _count(self, cell: Cell, number: float, ids: Ids | None) -> None:
        bucket = bisect_left(cell.bounds, number)
        exemplar: Exemplar | None = None
        around = current_context()
        if ids is None and type(around) is Block and around.trace.fate.kept:
            # As nearly always: in a span of ours, of a trace that is kept.
            exemplar = (time.time_ns(), number, around.trace.number, around.span_id)
        with self._lock:
            window = cell.window
            if window is None:
                window = cell.begin()
            window.counts[bucket] += 1
            window.total += number
            # Comparisons cost a fifth of the calls of min and max.
            if number < window.smallest:  # noqa: PLR1730 - see above
                window.smallest = number
            if number > window.largest:  # noqa: PLR1730 - see above
                window.largest = number
            if exemplar is not None:
                cell.past.exemplars[bucket] = exemplar
                if self._delta:
                    window.exemplars[bucket] = exemplar
                return
        self._sample(cell, window, bucket, number, ids)

    def _sample(self, cell: Cell, window: Tally, bucket: int, number: float, ids: Ids | None) -> None:
        """Keep an exemplar of the record where it has a span, once it is known that the span's trace is kept."""
        try:
            trace_id, span_id = sampled_ids() if ids is None else ids
            if not trace_id:
                return
            exemplar = (time.time_ns(), number, trace_id, span_id)
            kept = cell.past.exemplars
            # A window's exemplars go with it: one whose trace is kept only after the export is too late for it.
            into = (kept, window.exemplars) if self._delta else (kept,)
            self._holder.when_kept(trace_id, partial(self._place, into, bucket, exemplar))
        except Exception:  # noqa: BLE001 - a foreign span may raise; the record counts, its exemplar is counted as lost
            self._drops.count("metrics", "internal_error")

    def _place(self, into: Sequence[Exemplars], bucket: int, exemplar: Exemplar) -> None:
        with self._lock:
            for exemplars in into:
                last = exemplars.get(bucket)
                if last is None or last[0] <= exemplar[0]:
                    exemplars[bucket] = exemplar

    def _after_fork(self) -> None:
        self._lock = Lock()
        for distribution in self._recorded.values():
            # An export of the parent may have been in the middle of them.
            distribution.waiting[:] = [cell for cell in distribution.cells.values() if cell.window is not None]
