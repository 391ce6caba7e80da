"""Histograms over fixed bucket edges: counted since the last export, added up since the start.

A record is a note of the value, the time and the context around it. Notes are counted many at once, or as soon as an
export or `/metrics` asks; what belongs to these is worked out then.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from functools import partial
from math import inf
from threading import Lock
from time import time_ns
from typing import TYPE_CHECKING, Any

from telemetry import conventions as c
from telemetry.bound import Finder
from telemetry.forking import in_children
from telemetry.lean.block import Block
from telemetry.lean.current import current_context
from telemetry.lean.exemplars import sampled_ids
from telemetry.series import LARGEST, Refused, within

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from opentelemetry.context import Context

    from telemetry.facade import Labels
    from telemetry.holding import Holder
    from telemetry.labels import Key
    from telemetry.series import Drops, Series

_TOGETHER = 256
"""So many records are counted at once, or fewer where somebody asks for the counts."""

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
    """One series: `past` up to the last export, `window` since then, None until something is counted in it.

    All but `record` is for its owner, under the lock. `created_ns` is the time of the first record, 0 before.
    """

    __slots__ = ("bounds", "created_ns", "instrument", "key", "notes", "owner", "past", "window")

    def __init__(self, owner: Histograms, instrument: c.Histogram, key: Key) -> None:
        self.owner = owner
        self.notes = owner.notes
        self.instrument = instrument
        self.key = key
        self.bounds = instrument.buckets
        self.created_ns = 0
        self.past = Tally(len(self.bounds) + 1)
        self.window: Tally | None = None

    def record(self, value: object, context: Context | None = None) -> None:
        """`context` has the span of an exemplar; by default it is the caller's."""
        notes = self.notes
        notes.append((self, value, time_ns(), current_context() if context is None else context))
        if len(notes) >= _TOGETHER:
            self.owner.count()

    def close(self) -> Tally | None:
        """End the window and add it to what was before."""
        window, self.window = self.window, None
        if window is not None:
            self.past.absorb(window)
            # Late exemplars still go into the window's own; nobody looks there any more.
            window.exemplars = dict(window.exemplars)
        return window


Note = tuple[Cell, object, int, "Context"]
"""A record as it came: its series, the value, Unix nanoseconds, and what was around it."""


Undecided = tuple[Cell, Tally, int, float, int, "Context"]
"""A counted record whose trace is not known to be kept: series, window, bucket, number, Unix nanoseconds, context."""


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
        self._holder = holder
        self._drops = drops
        self._delta = delta
        self._lock = Lock()
        in_children(self._after_fork)
        # Appends and pops of a deque are whole, whichever threads run.
        self.notes: deque[Note] = deque()
        self._cells: dict[tuple[str, Key], Cell] = {}
        self._recorded: dict[str, Distribution] = {}
        finder: Finder[Cell | Refused] = Finder(series.rules, self._cell, lambda _: Refused(drops, 0.0))
        # Bound once: a call less for every record.
        self.histogram, self.histograms = finder.find, finder.family

    def record(
        self, instrument: c.Histogram, value: Decimal | float, labels: Labels, context: Context | None = None
    ) -> None:
        self.histogram(instrument, labels).record(value, context)

    def count(self) -> None:
        """Count what was noted, unless another thread is about to."""
        if self._lock.acquire(blocking=False):
            try:
                undecided = self._count_notes()
            finally:
                self._lock.release()
            self._sample(undecided)

    def recorded(self) -> list[Distribution]:
        """Those with records, in the order of their first one; what was noted until now is counted."""
        with self._lock:
            undecided = self._count_notes()
            recorded = list(self._recorded.values())
        self._sample(undecided)
        return recorded

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

    def _cell(self, instrument: c.Instrument, key: Key) -> Cell:
        assert isinstance(instrument, c.Histogram), "only histograms are recorded here"
        with self._lock:
            cell = self._cells.get((instrument.name, key))
            if cell is None:
                cell = self._cells[instrument.name, key] = Cell(self, instrument, key)
            return cell

    def _count_notes(self) -> list[Undecided]:
        """Under the lock; what comes meanwhile stays for later. Those whose exemplars are still to be sampled."""
        undecided: list[Undecided] = []
        notes = self.notes
        for _ in range(len(notes)):
            cell, value, at_ns, around = notes.popleft()
            number = value if type(value) is float and 0.0 <= value <= LARGEST else within(value, 0.0)
            if number is None:
                self._drops.count("metrics", "invalid_value")
                continue
            bucket = bisect_left(cell.bounds, number)
            window = cell.window
            if window is None:
                window = self._begin(cell, at_ns)
            window.counts[bucket] += 1
            window.total += number
            # Comparisons cost a fifth of the calls of min and max.
            if number < window.smallest:  # noqa: PLR1730 - see above
                window.smallest = number
            if number > window.largest:  # noqa: PLR1730 - see above
                window.largest = number
            if type(around) is Block and (its := around.trace).fate.kept:
                # As nearly always: in a span of ours, of a trace that is kept.
                exemplar = at_ns, number, its.number, around.span_id
                cell.past.exemplars[bucket] = exemplar
                if self._delta:
                    window.exemplars[bucket] = exemplar
            elif around:
                undecided.append((cell, window, bucket, number, at_ns, around))
        return undecided

    def _begin(self, cell: Cell, at_ns: int) -> Tally:
        """The first record of a window, and perhaps of its series and of its histogram."""
        instrument = cell.instrument
        distribution = self._recorded.get(instrument.name)
        if distribution is None:
            distribution = self._recorded[instrument.name] = Distribution(instrument)
        if not cell.created_ns:
            cell.created_ns = at_ns
            distribution.cells[cell.key] = cell
        window = cell.window = Tally(len(cell.bounds) + 1)
        distribution.waiting.append(cell)
        return window

    def _sample(self, undecided: Sequence[Undecided]) -> None:
        """Keep an exemplar of each that has a span, once it is known that the span's trace is kept."""
        for cell, window, bucket, number, at_ns, around in undecided:
            try:
                trace_id, span_id = sampled_ids(around)
                if trace_id:
                    kept = cell.past.exemplars
                    # A window's exemplars go with it: a trace kept only after the export is too late for it.
                    into = (kept, window.exemplars) if self._delta else (kept,)
                    exemplar = (at_ns, number, trace_id, span_id)
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
