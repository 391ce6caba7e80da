"""Labels: which are an instrument's, what they show as, and for how long that may be remembered."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from telemetry import conventions as c
from telemetry.bounds import AddressSlots, Slots, SymbolSlots
from telemetry.forking import in_children

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Key = tuple[str, ...]
"""Label values in the order of the instrument's labels."""

# Far more label sets than the rules let through; without it, keywords in ever new orders would be remembered for ever.
_SIZE = 65_536
_PASSING = 1024

K = TypeVar("K")
T = TypeVar("T")


class Found(NamedTuple):
    """Labels as they show; `as_given` where they show as they were given, `taken` so many places ago."""

    key: Key
    as_given: bool
    taken: int


class Memo(dict[K, T]):
    """What label values lead to, by these as they were given, so that the rules are asked once.

    Values that show as they were given do so for ever, because a place is never given back, and there are no more of
    them than series. All others, such as an address that has no place, pass: they are forgotten with the next place.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passing: list[K] = []

    def remember(self, given: K, target: T, *, passes: bool) -> None:
        if passes:
            if len(self._passing) >= _PASSING:
                self.forget()
            self._passing.append(given)
        elif len(self) >= _SIZE:
            return
        self[given] = target

    def forget(self) -> None:
        """What passes."""
        for given in self._passing:
            self.pop(given, None)
        self._passing.clear()


class LabelRules:
    """Turns the labels of a call into a key, or into None where they are not the instrument's. Thread-safe."""

    def __init__(self, config: c.Known) -> None:
        self._slots: dict[c.Bounded, Slots] = {
            c.Bounded.SYMBOL: SymbolSlots(config.symbols, c.EXTRA_SYMBOLS),
            c.Bounded.CLIENT_IP: AddressSlots(config.sender_addresses, c.EXTRA_ADDRESSES),
        }
        self._allowed = {
            instrument.name: tuple((label, _table(label.known(config))) for label in instrument.labels)
            for instrument in c.INSTRUMENTS
        }
        self._memos: list[Memo[Any, Any]] = []
        self._lock = Lock()
        in_children(self._after_fork)

    def find(self, instrument: c.Instrument, labels: Mapping[str, object]) -> Found | None:
        """Where these labels lead; a value that is new may take a place."""
        rules = self._allowed.get(instrument.name)
        if rules is None or len(labels) != len(rules):
            return None
        taken, as_given, values = self._taken, True, []
        for label, allowed in rules:
            raw = labels.get(label.name)
            if not isinstance(raw, str):
                return None
            value = allowed.get(raw) if label.bounded is None else self._bounded(label.bounded, raw, labels)
            if value is None:
                return None
            as_given = as_given and value == raw
            values.append(value)
        if self._taken != taken:
            self._forget()
        return Found(tuple(values), as_given, self._taken)

    def watch(self, memo: Memo[Any, Any]) -> None:
        """What passes in `memo` is forgotten as soon as it may show differently."""
        with self._lock:
            self._memos.append(memo)

    def remember(self, memo: Memo[K, T], given: K, target: T, found: Found) -> None:
        """That `given` leads there, unless another thread took a place since."""
        with self._lock:
            if found.as_given or found.taken == self._taken:
                memo.remember(given, target, passes=not found.as_given)

    @property
    def _taken(self) -> int:
        """While this stays, every label set leads to the same key."""
        return sum(slots.taken for slots in self._slots.values())

    def _forget(self) -> None:
        with self._lock:
            for memo in self._memos:
                memo.forget()

    def _bounded(self, which: c.Bounded, raw: str, labels: Mapping[str, object]) -> str:
        # Places for addresses are for those that were limited or refused; the others are configured or `other`.
        harmless = which is c.Bounded.CLIENT_IP and (
            labels.get("allowed") == "true" or labels.get("result") == "success"
        )
        return self._slots[which].show(raw, may_take=not harmless)

    def _after_fork(self) -> None:
        """In a forked child: a lock that another thread of the parent held would never be released."""
        self._lock = Lock()
        for slots in self._slots.values():
            slots.after_fork()


def _table(values: Sequence[str] | None) -> dict[str, str]:
    return {value: value for value in values or ()}
