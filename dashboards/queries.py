"""Every query of a dashboard's panels, variables and links, its variables filled in, ready to be asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from dashboards.promql import filled

ANYTHING = ".*"


class Kind(StrEnum):
    """How a query is asked, and of whom."""

    RANGE = "range"
    INSTANT = "instant"
    LABEL_VALUES = "label_values"
    LOKI = "loki"
    JAEGER_SEARCH = "jaeger_search"
    JAEGER_TRACE = "jaeger_trace"


class Query(NamedTuple):
    """`place` says where it stands. `text` is PromQL or LogQL, a trace id, or for LABEL_VALUES the metric whose label
    `label` is asked; a Jaeger search's fields are in `search`.
    """

    dashboard: str
    place: str
    kind: Kind
    text: str
    legend: str = ""
    exemplars: bool = False
    label: str = ""
    search: Mapping[str, str] = {}


class Times(NamedTuple):
    """What Grafana derives from the time shown, in seconds: `shown`, its `step`, and how often Prometheus scrapes."""

    shown: int = 3600
    step: int = 15
    scrape: int = 5

    @property
    def values(self) -> dict[str, str]:
        """Grafana's built-in variables (https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/)."""
        window = max(self.step + self.scrape, 4 * self.scrape)
        return {"__rate_interval": f"{window}s", "__interval": f"{self.step}s", "__range": f"{self.shown}s"}

    def ends(self, now: float) -> tuple[float, float]:
        """The first and the last moment that a panel asks for at `now`, in Unix seconds.

        Both are whole steps, as Grafana rounds them: with a start between two, the last value would lie up to a step
        before the end, and what happened after it would not show.
        """
        start = now - self.shown
        return start - start % self.step, now - now % self.step


USUAL = Times()
"""The last hour, as the dashboards open."""


def queries(document: Mapping[str, Any], times: Times = USUAL, chosen: Mapping[str, str] | None = None) -> list[Query]:
    """All of them, in the dashboard's order; `chosen` are values of its variables, else everything is shown."""
    values = _values(document) | times.values | dict(chosen or {})
    uid = document["uid"]
    return [
        *_of_variables(uid, document, values),
        *(query for panel in panels(document) for query in _of_panel(uid, panel, values)),
        *(query for panel in panels(document) for query in _of_links(uid, panel, values)),
    ]


def panels(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its panels without the rows' headings."""
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def _values(document: Mapping[str, Any]) -> dict[str, str]:
    """Each variable's first value; for those that offer all of them, all."""
    return {
        variable["name"]: variable.get("allValue") or str(variable["current"]["value"])
        for variable in document["templating"]["list"]
    }


def _of_variables(uid: str, document: Mapping[str, Any], values: dict[str, str]) -> Iterator[Query]:
    for variable in document["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert found is not None, "variables.label_values writes no other query"
            metric, label = filled(found[1], values), found[2]
            yield Query(uid, f"variable {variable['name']}", Kind.LABEL_VALUES, metric, label=label)


def _of_panel(uid: str, panel: Mapping[str, Any], values: dict[str, str]) -> Iterator[Query]:
    for target in panel["targets"]:
        place = f"panel {panel['id']} {panel['title']}, {target['refId']}"
        match target["datasource"]["type"]:
            case "prometheus":
                kind = Kind.INSTANT if target.get("instant") else Kind.RANGE
                text = filled(target["expr"], values)
                yield Query(uid, place, kind, text, target["legendFormat"], bool(target["exemplar"]))
            case "loki":
                yield Query(uid, place, Kind.LOKI, filled(target["expr"], values))
            case "jaeger" if target.get("queryType") == "search":
                yield Query(uid, place, Kind.JAEGER_SEARCH, "", search=_search(target, values))
            case "jaeger":
                yield Query(uid, place, Kind.JAEGER_TRACE, filled(target["query"], values))
            case other:
                raise ValueError(f"{uid}, {place}: no query of a {other} data source is known here")


def _of_links(uid: str, panel: Mapping[str, Any], values: dict[str, str]) -> Iterator[Query]:
    for link in panel.get("links", ()):
        panes = parse_qs(urlsplit(link["url"]).query).get("panes")
        if panes:
            query = json.loads(panes[0])["traces"]["queries"][0]
            place = f"panel {panel['id']} {panel['title']}, link {link['title']}"
            yield Query(uid, place, Kind.JAEGER_SEARCH, "", search=_search(query, values))


def _search(query: Mapping[str, Any], values: dict[str, str]) -> dict[str, str]:
    """Service, operation where there is one, and tags as Jaeger takes them."""
    tags = re.findall(r'([\w.]+)=(?:"([^"]*)"|(\S+))', filled(query.get("tags", ""), values))
    found = {"service": query["service"], "operation": query.get("operation", "")}
    return found | {"tags": json.dumps({key: quoted or plain for key, quoted, plain in tags})}
