"""Series found by their labels: by all of them at each call, or bound once, but for those that vary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from telemetry.labels import Key, LabelRules, Memo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry.conventions import Instrument

K = TypeVar("K")
S = TypeVar("S")

Values = str | tuple[str, ...]
"""Of the labels that vary: the value of the only one, or those of several in their order."""


class Finder(Generic[S]):
    """Finds series of one kind (`S`).

    `make` gives the series of a key, a new one where there is none yet; `refused` what takes records of wrong labels.
    """

    def __init__(
        self, rules: LabelRules, make: Callable[[Instrument, Key], S], refused: Callable[[Instrument], S]
    ) -> None:
        self._rules = rules
        self._make = make
        self._refused = refused
        self._memo: Memo[tuple[str, ...], S] = Memo()
        rules.watch(self._memo)

    def find(self, instrument: Instrument, labels: Mapping[str, str]) -> S:
        try:
            # As they were given: nothing has to be sorted.
            return self._memo[instrument.name, *labels, *labels.values()]
        except (KeyError, TypeError):
            # Not seen yet, or not hashable: the rules decide.
            pass
        return self.look_up(instrument, labels, self._memo, lambda: (instrument.name, *labels, *labels.values()))

    def family(self, instrument: Instrument, varying: Sequence[str], labels: Mapping[str, str]) -> Family[S]:
        """The series that have these labels, by the values of the `varying` ones."""
        family = Family(self, instrument, varying, labels)
        self._rules.watch(family)
        return family

    def refused(self, instrument: Instrument) -> S:
        return self._refused(instrument)

    def look_up(self, instrument: Instrument, labels: Mapping[str, str], memo: Memo[K, S], given: Callable[[], K]) -> S:
        """By the rules; `memo` remembers under what was `given`."""
        found = self._rules.find(instrument, labels)
        if found is None:
            return self._refused(instrument)
        series = self._make(instrument, found.key)
        self._rules.remember(memo, given(), series, found)
        return series


class Family(Memo[Values, S]):
    """The series of one instrument that share some labels, by the values of the others; see the facade's `By`."""

    def __init__(
        self, finder: Finder[S], instrument: Instrument, varying: Sequence[str], labels: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._finder = finder
        self._instrument = instrument
        self._varying = tuple(varying)
        self._labels = dict(labels)

    def __missing__(self, values: Values) -> S:
        given = values if isinstance(values, tuple) else (values,)
        if len(given) != len(self._varying):
            return self._finder.refused(self._instrument)
        labels = {**self._labels, **dict(zip(self._varying, given, strict=True))}
        return self._finder.look_up(self._instrument, labels, self, lambda: values)
