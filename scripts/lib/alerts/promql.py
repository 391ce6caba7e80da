"""Reads out of PromQL what can be compared with the telemetry contract: selectors, groupings, thresholds, windows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_METRIC = re.compile(r"(?<![\w:.$\"])(?P<name>[a-z_][\w:]*_[\w:]+|up)\b(?!\s*\()(?:\{(?P<matchers>[^}]*)\})?")
_MATCHER = re.compile(r'(?P<label>\w+)\s*(?P<operator>=~|!~|!=|=)\s*"(?P<value>[^"]*)"')
_GROUPING = re.compile(r"\b(?P<how>by|without)\s*\((?P<labels>[^)]*)\)")
_THRESHOLD = re.compile(r"(?P<operator>>=|<=|==|!=|>|<)\s*(?P<number>[\d.]+(?:\s*\*\s*[\d.]+)?)")
_WINDOW = re.compile(r"\[(\d+[smhd])\]|\boffset\s+(\d+[smhd])|:count(\d+[smhd])")


class Matcher(NamedTuple):
    label: str
    operator: str
    value: str

    @property
    def values(self) -> list[str]:
        """The values it names; a pattern's alternatives one by one."""
        return self.value.split("|") if "~" in self.operator else [self.value]


class Selector(NamedTuple):
    """A metric or a recorded series with its matchers."""

    name: str
    matchers: tuple[Matcher, ...]


def selectors(expression: str) -> Iterator[Selector]:
    """Every selector that names its metric."""
    plain = _GROUPING.sub(" ", expression)
    for match in _METRIC.finditer(plain):
        matchers = tuple(Matcher(**each.groupdict()) for each in _MATCHER.finditer(match["matchers"] or ""))
        yield Selector(match["name"], matchers)


def groupings(expression: str) -> list[tuple[str, tuple[str, ...]]]:
    """`by` or `without`, and the labels, of every aggregation."""
    return [
        (match["how"], tuple(label.strip() for label in match["labels"].split(",")))
        for match in _GROUPING.finditer(expression)
    ]


def thresholds(expression: str) -> list[str]:
    """Every comparison with a number, like `>= 10`."""
    return [f"{match['operator']} {match['number']}" for match in _THRESHOLD.finditer(_without_strings(expression))]


def windows(expression: str) -> set[str]:
    """Every range, offset, and window of a recorded count."""
    return {next(filter(None, match.groups())) for match in _WINDOW.finditer(expression)}


def _without_strings(expression: str) -> str:
    return re.sub(r"\{[^}]*\}", "", expression)
