"""Counters and gauges as plain sums, and what may become a series at all; independent of the engine.

Nothing here raises for a value or a label: what cannot be recorded is counted as dropped, with a reason.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from threading import Lock
from typing import TYPE_CHECKING

from telemetry import conventions as c
from telemetry.bound import Finder
from telemetry.forking import in_children
from telemetry.labels import Key, LabelRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.facade import BoundCounter, Labels

LARGEST = 1e18
"""Larger than anything we measure, small enough that no sum of them leaves what a float can hold."""


_TOGETHER = 64
"""So many numbers are added up at once, or fewer where somebody asks for the sum."""


_NUMBERS = (int, float, Decimal)


def as_number(value: object) -> float | None:
    """A finite float of reasonable size; None for everything else. The only conversion that a value goes through."""
    return within(value, -LARGEST)


def within(value: object, least: float) -> float | None:
    """The same of what is no smaller than `least`."""
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        # A signaling NaN; an integer too large for a float.
        return None
    # What is not a number is on neither side.
    return number if least <= number <= LARGEST else None


class Drops:
    """What telemetry did not deliver, by signal and reason. A leaf: it never calls telemetry."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[Key, float] = {}
        in_children(self._after_fork)

    def count(self, signal: str, reason: str, items: float = 1) -> None:
        """`signal` and `reason` are values of the labels of TELEMETRY_DROPPED."""
        with self._lock:
            key = (signal, reason)
            self._counts[key] = self._counts.get(key, 0.0) + items

    def snapshot(self) -> dict[Key, float]:
        with self._lock:
            return dict(self._counts)

    def _after_fork(self) -> None:
        self._lock = Lock()


class Sum:
    """One series: a value that is added to, or the last one that was set.

    What is added is noted at once and added up together, a little later or when somebody asks for the value.
    """

    __slots__ = ("_add_up", "given", "least", "value")

    def __init__(self, least: float, add_up: Callable[[Sum], None]) -> None:
        self.least = least
        self.value = 0.0
        self.given: list[object] = []
        self._add_up = add_up

    def add(self, value: object = 1) -> None:
        given = self.given
        given.append(value)
        if len(given) >= _TOGETHER:
            self._add_up(self)


class Refused:
    """What wrong labels lead to: a record is counted as dropped."""

    def __init__(self, drops: Drops, least: float) -> None:
        self._drops = drops
        self._least = least

    def add(self, value: object = 1) -> None:
        valid = within(value, self._least) is not None
        self._drops.count("metrics", "invalid_labels" if valid else "invalid_value")

    def record(self, value: object, context: object = None) -> None:
        del context
        self.add(value)


class _Dropped:
    """A series of TELEMETRY_DROPPED, which `Drops` holds."""

    def __init__(self, drops: Drops, signal: str, reason: str) -> None:
        self._drops = drops
        self._signal, self._reason = signal, reason

    def add(self, value: object = 1) -> None:
        number = within(value, 0.0)
        if number is None:
            self._drops.count("metrics", "invalid_value")
        else:
            self._drops.count(self._signal, self._reason, number)


class _Values:
    """One instrument's values, and the reads that refresh them."""

    __slots__ = ("reads", "sums")

    def __init__(self) -> None:
        self.sums: dict[Key, Sum] = {}
        self.reads: list[tuple[Callable[[], Iterable[tuple[float, Labels]]], dict[Key, float]]] = []


class Series:
    """Every counter and gauge, with 0 from the start where all label values are known."""

    def __init__(self, config: c.Known, drops: Drops) -> None:
        self._drops = drops
        self.rules = LabelRules(config)
        # One lock for all: it is held for a few additions or a copy, and the interpreter runs one thread at a time
        # anyway. Without it sums would be exact only where the interpreter happens not to switch threads inside `+=`.
        self._lock = Lock()
        in_children(self._after_fork)
        self._values = {i.name: _Values() for i in c.INSTRUMENTS if not isinstance(i, c.Histogram)}
        self._finder: Finder[BoundCounter] = Finder(
            self.rules, self._added_to, lambda instrument: Refused(drops, _least(instrument))
        )
        # Bound once: a call less for every record.
        self.counter, self.counters = self._finder.find, self._finder.family
        for instrument in c.INSTRUMENTS:
            known = [label.known(config) for label in instrument.labels]
            if _zero_at_start(instrument) and None not in known:
                self._preset(instrument, [values or () for values in known])
        self.set(c.BUILD_INFO, 1, {"version": config.service_version})

    def add(self, instrument: c.Counter | c.UpDownCounter, value: Decimal | float, labels: Labels) -> None:
        self.counter(instrument, labels).add(value)

    def set(self, instrument: c.Gauge, value: object, labels: Labels) -> None:
        entry = self.accept(instrument, value, labels)
        if entry is not None:
            with self._lock:
                self._sum(instrument, entry[0]).value = entry[1]

    def accept(self, instrument: c.Instrument, value: object, labels: Labels) -> tuple[Key, float] | None:
        """Key and number of a record that counts; None after counting it as dropped."""
        number = within(value, _least(instrument))
        if number is None:
            self._drops.count("metrics", "invalid_value")
            return None
        found = self.rules.find(instrument, labels)
        if found is None:
            self._drops.count("metrics", "invalid_labels")
            return None
        return found.key, number

    def observe(self, instrument: c.Gauge, read: Callable[[], Iterable[tuple[float, Labels]]]) -> None:
        with self._lock:
            self._values[instrument.name].reads.append((read, {}))

    def preset(self, instrument: c.Instrument, values: Mapping[str, Sequence[str]]) -> None:
        for combination in product(*values.values()):
            found = self.rules.find(instrument, dict(zip(values, combination, strict=True)))
            if found is None:
                self._drops.count("metrics", "invalid_labels")
            else:
                self._preset(instrument, [(value,) for value in found.key])

    def collect(self, instrument: c.Instrument) -> dict[Key, float]:
        """The values as they are now; a read that raises is counted, and its last values stand."""
        values = self._values[instrument.name]
        for read, last in tuple(values.reads):
            self._refresh(instrument, read, last)
        with self._lock:
            for each in values.sums.values():
                if each.given:
                    self._add_given(each)
            result = {key: each.value for key, each in values.sums.items()}
            for _, last in values.reads:
                result.update(last)
        if instrument.name == c.TELEMETRY_DROPPED.name:
            result.update(self._drops.snapshot())
        return result

    def _refresh(
        self, instrument: c.Instrument, read: Callable[[], Iterable[tuple[float, Labels]]], last: dict[Key, float]
    ) -> None:
        try:
            entries = [self.accept(instrument, value, labels) for value, labels in read()]
        except Exception:  # noqa: BLE001 - a caller's read must not stop the collection; it is counted
            self._drops.count("metrics", "read_failed")
            return
        with self._lock:
            last.clear()
            last.update(entry for entry in entries if entry is not None)

    def _preset(self, instrument: c.Instrument, values: Sequence[Sequence[str]]) -> None:
        with self._lock:
            for key in product(*values):
                self._sum(instrument, key)

    def _added_to(self, instrument: c.Instrument, key: Key) -> BoundCounter:
        if instrument.name == c.TELEMETRY_DROPPED.name:
            return _Dropped(self._drops, *key)
        with self._lock:
            return self._sum(instrument, key)

    def _sum(self, instrument: c.Instrument, key: Key) -> Sum:
        """The sum of `key`, new where there is none; under the lock."""
        sums = self._values[instrument.name].sums
        found = sums.get(key)
        if found is None:
            found = sums[key] = Sum(_least(instrument), self._add_up)
        return found

    def _add_up(self, series: Sum) -> None:
        with self._lock:
            self._add_given(series)

    def _add_given(self, series: Sum) -> None:
        # A list's appends, slices and deletions are whole, whichever threads run; what comes meanwhile stays for later.
        given, least = series.given[:], series.least
        del series.given[: len(given)]
        for value in given:
            number = value if type(value) is int and least <= value <= LARGEST else within(value, least)
            if number is None:
                self._drops.count("metrics", "invalid_value")
            else:
                series.value += number

    def _after_fork(self) -> None:
        self._lock = Lock()


def _least(instrument: c.Instrument) -> float:
    """The smallest number that may be added or recorded."""
    return 0.0 if isinstance(instrument, c.Counter | c.Histogram) else -LARGEST


def _zero_at_start(instrument: c.Instrument) -> bool:
    if isinstance(instrument, c.Histogram):
        return False
    return instrument.zero_at_start if isinstance(instrument, c.Gauge) else True
