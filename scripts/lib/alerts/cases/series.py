"""What a series shows over time, and how promtool writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from scripts.lib.alerts.shortened import milliseconds
from telemetry import conventions as c

INTERVAL = "15s"
START = 80
"""The scrape after which faults begin: 20 minutes of traffic before it fill the windows."""

Values = Callable[[int], float | None]
"""The value at each scrape, counted from 0; None where the series is not there."""

World = Mapping[str, Values]
"""Series by selector."""


def scrapes(duration: str) -> int:
    """How many scrapes a duration takes."""
    return milliseconds(duration) // milliseconds(INTERVAL)


def flat(value: float = 0) -> Values:
    return lambda _: value


def steady(a_scrape: float) -> Values:
    """A counter that grows by so much each scrape."""
    return lambda i: i * a_scrape


def every(number: int) -> Values:
    """A counter of one event in so many scrapes."""
    return lambda i: i // number


def events(number: int, at: int = START + 1) -> Values:
    """A counter of so many events between two scrapes."""
    return lambda i: number if i >= at else 0


def level(value: float, lasts: str, rest: float = 0) -> Values:
    """A gauge that is at `value` for a while, and else at `rest`."""
    return lambda i: value if START < i <= START + scrapes(lasts) else rest


def during(a_scrape: float, lasts: str) -> Values:
    """A counter that grows by so much each scrape for a while."""
    return lambda i: a_scrape * min(max(i - START, 0), scrapes(lasts))


def gone(values: Values, first: int, last: int) -> Values:
    """The same, but not there from the `first` to the `last` scrape named."""
    return lambda i: None if first <= i <= last else values(i)


def restarted(values: Values, at: int, before: float) -> Values:
    """A counter that was at `before` until its process began anew."""
    return lambda i: before if i < at else values(i)


def histogram(instrument: c.Histogram, labels: str, records: Mapping[float, Values]) -> dict[str, Values]:
    """The buckets of a histogram; `records` says how many were recorded of each value."""
    edges = [*instrument.buckets, float("inf")]
    return {_bucket(instrument, labels, edge): _up_to(edge, records) for edge in edges}


def _up_to(edge: float, records: Mapping[float, Values]) -> Values:
    counted = [values for value, values in records.items() if value <= edge]
    return lambda i: sum(values(i) or 0 for values in counted)


def _bucket(instrument: c.Histogram, labels: str, edge: float) -> str:
    shown = "+Inf" if edge == float("inf") else f"{edge:.15g}"
    return f'{instrument.prometheus_name}_bucket{{{labels},le="{shown}"}}'


def notation(values: Values, number: int) -> str:
    """The first `number` scrapes as promtool reads them: `0x39 0+1x4 _x3`."""
    shown = [values(i) for i in range(number)]
    parts, at = [], 0
    while at < number:
        end, text = _run(shown, at)
        parts.append(text)
        at = end
    return " ".join(parts)


def _run(shown: Sequence[float | None], at: int) -> tuple[int, str]:
    """The longest run from `at` on that one word can say, and the word."""
    first, end = shown[at], at + 1
    if first is None:
        while end < len(shown) and shown[end] is None:
            end += 1
        # As Prometheus does where a series ends: else its last value would stand for five minutes.
        words = ["stale"] if at else []
        words += [f"_x{end - at - len(words)}"] if end - at > len(words) else []
        return end, " ".join(words)
    step = (shown[end] - first) if end < len(shown) and shown[end] is not None else 0  # type: ignore[operator]
    while end < len(shown) and shown[end] is not None and shown[end] == first + step * (end - at):
        end += 1
    if end == at + 1:
        return end, f"{first:.15g}"
    if end == at + 2 and step != 0:  # a step to the next run: better seen as two values
        return at + 1, f"{first:.15g}"
    word = f"{first:.15g}" if step == 0 else f"{first:.15g}{step:+.15g}"
    return end, f"{word}x{end - at - 1}"
