"""Counters and gauges as plain sums, and what may become a series at all; independent of the engine.

Nothing here raises for a value or a label: what cannot be recorded is counted as dropped, with a reason.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from math import isfinite
from threading import Lock
from typing import TYPE_CHECKING

from telemetry import conventions as c
from telemetry.bounds import AddressSlots, Slots, SymbolSlots
from telemetry.forking import in_children
from telemetry.memo import Memo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.facade import Labels

Key = tuple[str, ...]
"""Label values in the order of the instrument's labels."""

LARGEST = 1e18
"""Larger than anything we measure, small enough that no sum of them leaves what a float can hold."""


_PASSING = 1024


def as_number(value: object) -> float | None:
    """A finite float of reasonable size; None for everything else. The only conversion that a value goes through."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        # A signaling NaN; an integer too large for a float.
        return None
    return number if isfinite(number) and abs(number) <= LARGEST else None


class LabelRules:
    """Turns the labels of a call into a key, or into None where they are not the instrument's."""

    def __init__(self, config: c.Known) -> None:
        self._slots: dict[c.Bounded, Slots] = {
            c.Bounded.SYMBOL: SymbolSlots(config.symbols, c.EXTRA_SYMBOLS),
            c.Bounded.CLIENT_IP: AddressSlots(config.sender_addresses, c.EXTRA_ADDRESSES),
        }
        self._allowed = {
            instrument.name: tuple((label, _table(label.known(config))) for label in instrument.labels)
            for instrument in c.INSTRUMENTS
        }

    def key(self, instrument: c.Instrument, labels: Mapping[str, str]) -> Key | None:
        rules = self._allowed.get(instrument.name)
        if rules is None or len(labels) != len(rules):
            return None
        values = []
        for label, allowed in rules:
            raw = labels.get(label.name)
            if not isinstance(raw, str):
                return None
            value = allowed.get(raw) if label.bounded is None else self._bounded(label.bounded, raw, labels)
            if value is None:
                return None
            values.append(value)
        return tuple(values)

    @property
    def taken(self) -> int:
        """While this stays, every label set leads to the same key."""
        return sum(slots.taken for slots in self._slots.values())

    def after_fork(self) -> None:
        """In a forked child: a lock that another thread of the parent held would never be released."""
        for slots in self._slots.values():
            slots.after_fork()

    def _bounded(self, which: c.Bounded, raw: str, labels: Mapping[str, str]) -> str:
        # Places for addresses are for those that were limited or refused; the others are configured or `other`.
        harmless = which is c.Bounded.CLIENT_IP and (
            labels.get("allowed") == "true" or labels.get("result") == "success"
        )
        return self._slots[which].show(raw, may_take=not harmless)


def _table(values: Sequence[str] | None) -> dict[str, str]:
    return {value: value for value in values or ()}


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


class Cell:
    """The value of one series; `least` is the smallest number that may be added to it."""

    __slots__ = ("least", "value")

    def __init__(self, least: float) -> None:
        self.least = least
        self.value = 0.0


class _Values:
    """One instrument's values, and the reads that refresh them."""

    __slots__ = ("cells", "least", "reads")

    def __init__(self, instrument: c.Instrument) -> None:
        self.least = 0.0 if isinstance(instrument, c.Counter) else -LARGEST
        self.cells: dict[Key, Cell] = {}
        self.reads: list[tuple[Callable[[], Iterable[tuple[float, Labels]]], dict[Key, float]]] = []

    def cell(self, key: Key) -> Cell:
        """The cell of `key`, new where there is none; under the series' lock."""
        found = self.cells.get(key)
        if found is None:
            found = self.cells[key] = Cell(self.least)
        return found


class Series:
    """Every counter and gauge, with 0 from the start where all label values are known."""

    def __init__(self, config: c.Known, drops: Drops) -> None:
        self._drops = drops
        self._rules = LabelRules(config)
        # One lock for all: it is held for an addition or a copy, and the interpreter runs one thread at a time anyway.
        # Without it sums would be exact only where the interpreter happens not to switch threads inside `+=`.
        self._lock = Lock()
        in_children(self._after_fork)
        self._memo: Memo[Cell] = Memo()
        self._passing: dict[tuple[str, ...], tuple[int, Cell]] = {}
        self._values = {i.name: _Values(i) for i in c.INSTRUMENTS if not isinstance(i, c.Histogram)}
        for instrument in c.INSTRUMENTS:
            known = [label.known(config) for label in instrument.labels]
            if _zero_at_start(instrument) and None not in known:
                self._preset(instrument, [values or () for values in known])
        self.set(c.BUILD_INFO, 1, {"version": config.service_version})

    def add(self, instrument: c.Counter | c.UpDownCounter, value: object, labels: Labels) -> None:
        try:
            cell = self._memo[instrument.name, *labels, *labels.values()]
        except (KeyError, TypeError):
            # Not seen yet, or not hashable: the rules decide.
            self._add(instrument, value, labels)
            return
        # The exact types: a bool is no number here. NaN fails both sides.
        if type(value) is Decimal:
            value = as_number(value)
        if (type(value) is int or type(value) is float) and cell.least <= value <= LARGEST:
            with self._lock:
                cell.value += value
        else:
            self._add(instrument, value, labels)

    def set(self, instrument: c.Gauge, value: object, labels: Labels) -> None:
        entry = self.accept(instrument, value, labels)
        if entry is not None:
            with self._lock:
                self._values[instrument.name].cell(entry[0]).value = entry[1]

    def _add(self, instrument: c.Counter | c.UpDownCounter, value: object, labels: Labels) -> None:
        taken = self._rules.taken
        passing = self._passing_cell(instrument, labels, taken)
        if passing is not None and type(value) is int and passing.least <= value <= LARGEST:
            with self._lock:
                passing.value += value
            return
        entry = self.accept(instrument, value, labels)
        if entry is None:
            return
        key, number = entry
        if instrument.name == c.TELEMETRY_DROPPED.name:
            self._drops.count(signal=key[0], reason=key[1], items=number)
            return
        with self._lock:
            cell = self._values[instrument.name].cell(key)
            cell.value += number
        if not self._memo.remember(instrument, labels, key, cell):
            if len(self._passing) >= _PASSING:
                self._passing.clear()
            self._passing[instrument.name, *labels, *labels.values()] = taken, cell

    def _passing_cell(self, instrument: c.Instrument, labels: Labels, taken: int) -> Cell | None:
        """Where a label set leads that shows differently than it was given, as an address that has no place yet."""
        try:
            then, cell = self._passing[instrument.name, *labels, *labels.values()]
        except (KeyError, TypeError):
            return None
        return cell if then == taken else None

    def accept(self, instrument: c.Instrument, value: object, labels: Labels) -> tuple[Key, float] | None:
        """Key and number of a record that counts; None after counting it as dropped."""
        number = as_number(value)
        if number is None or (number < 0 and isinstance(instrument, c.Counter | c.Histogram)):
            self._drops.count("metrics", "invalid_value")
            return None
        key = self._rules.key(instrument, labels)
        if key is None:
            self._drops.count("metrics", "invalid_labels")
            return None
        return key, number

    def observe(self, instrument: c.Gauge, read: Callable[[], Iterable[tuple[float, Labels]]]) -> None:
        with self._lock:
            self._values[instrument.name].reads.append((read, {}))

    def preset(self, instrument: c.Instrument, values: Mapping[str, Sequence[str]]) -> None:
        for combination in product(*values.values()):
            key = self._rules.key(instrument, dict(zip(values, combination, strict=True)))
            if key is None:
                self._drops.count("metrics", "invalid_labels")
            else:
                self._preset(instrument, [(value,) for value in key])

    def collect(self, instrument: c.Instrument) -> dict[Key, float]:
        """The values as they are now; a read that raises is counted, and its last values stand."""
        values = self._values[instrument.name]
        for read, last in tuple(values.reads):
            self._refresh(instrument, read, last)
        with self._lock:
            result = {key: cell.value for key, cell in values.cells.items()}
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
        mine = self._values[instrument.name]
        with self._lock:
            for key in product(*values):
                mine.cell(key)

    def _after_fork(self) -> None:
        self._lock = Lock()
        self._rules.after_fork()


def _zero_at_start(instrument: c.Instrument) -> bool:
    if isinstance(instrument, c.Histogram):
        return False
    return instrument.zero_at_start if isinstance(instrument, c.Gauge) else True
