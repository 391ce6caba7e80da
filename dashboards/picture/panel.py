"""One panel with the answers to its queries, ready to be drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dashboards.ask import Prometheus, Series
from dashboards.picture import units
from dashboards.queries import Kind, Query, Times, panels, queries

_PALETTE = (
    "#73bf69",
    "#5794f2",
    "#f2cc0c",
    "#ff9830",
    "#b877d9",
    "#f2495c",
    "#8ab8ff",
    "#fade2a",
    "#ff7383",
    "#96d98d",
)
_COLOURS = {
    "green": "#56a64b",
    "yellow": "#e0b400",
    "orange": "#ff780a",
    "red": "#e02f44",
    "blue": "#3274d9",
    "text": "#9fa7b3",
}
_LABEL = re.compile(r"\{\{(\w+)\}\}")


class Drawn(NamedTuple):
    """A series with its name and colour."""

    name: str
    colour: str
    series: Series


class Answered(NamedTuple):
    """`panel` is Grafana's JSON of it."""

    panel: Mapping[str, Any]
    drawn: Sequence[Drawn]

    @property
    def unit(self) -> str:
        return str(self._defaults["unit"])

    def shown(self, value: float) -> str:
        """A value as the panel says it: counts, which Prometheus extrapolates, as whole numbers."""
        decimals = self._defaults.get("decimals")
        return units.shown(value if decimals is None or math.isnan(value) else round(value, decimals), self.unit)

    @property
    def steps(self) -> list[tuple[float | None, str]]:
        """Thresholds with colours that a browser knows."""
        return [(step["value"], _COLOURS[step["color"]]) for step in self._defaults["thresholds"]["steps"]]

    @property
    def highest(self) -> float:
        """A gauge's end."""
        return float(self._defaults.get("max", 1))

    @property
    def words(self) -> dict[float, tuple[str, str]]:
        """What a state's value is called, with its colour."""
        return {
            float(value): (result["text"], _COLOURS[result["color"]])
            for mapping in self._defaults.get("mappings", ())
            if mapping["type"] == "value"
            for value, result in mapping["options"].items()
        }

    @property
    def word_for_nothing(self) -> str:
        found = (m["options"]["result"]["text"] for m in self._defaults.get("mappings", ()) if m["type"] == "special")
        return next(found, "-")

    @property
    def _defaults(self) -> Mapping[str, Any]:
        defaults: Mapping[str, Any] = self.panel["fieldConfig"]["defaults"]
        return defaults

    def colour_of(self, value: float) -> str:
        """The threshold's colour of a value."""
        return [colour for start, colour in self.steps if start is None or value >= start][-1]


def answered(server: Prometheus, document: Mapping[str, Any], times: Times, now: float) -> list[Answered]:
    """Every panel of the dashboard with its answers; raises AskError for a query that Prometheus refuses."""
    asked = [query for query in queries(document, times) if query.kind in {Kind.RANGE, Kind.INSTANT}]
    found = []
    for panel in panels(document):
        own = [query for query in asked if query.place.startswith(f"panel {panel['id']} ")]
        series = [(query, one) for query in own for one in server.ask(query, times, now)]
        drawn = [Drawn(_name(query, one), _PALETTE[n % len(_PALETTE)], one) for n, (query, one) in enumerate(series)]
        found.append(Answered(panel, drawn))
    return found


def _name(query: Query, series: Series) -> str:
    return _LABEL.sub(lambda label: series.labels.get(label[1], ""), query.legend).strip()
