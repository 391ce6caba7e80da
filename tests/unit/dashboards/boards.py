"""The dashboards as Grafana reads them, and what their expressions name."""

from __future__ import annotations

import json
import re
from typing import Any

from dashboards.files import DASHBOARDS, FOLDER
from dashboards.health import COLLECTOR_METRICS
from dashboards.queries import panels
from telemetry import conventions as c

BOARDS: dict[str, dict[str, Any]] = {uid: json.loads((FOLDER / f"{uid}.json").read_text("utf-8")) for uid in DASHBOARDS}
PANELS = [(uid, panel) for uid, board in BOARDS.items() for panel in panels(board)]
EXPRESSIONS = [
    (f"{uid}: {panel['title']}, {target['refId']}", target["expr"])
    for uid, panel in PANELS
    for target in panel["targets"]
    if target["datasource"]["type"] == "prometheus"
]
INSTRUMENTS = {
    name: instrument
    for instrument in c.INSTRUMENTS
    for name in (
        [f"{instrument.prometheus_name}_{part}" for part in ("bucket", "sum", "count")]
        if isinstance(instrument, c.Histogram)
        else [instrument.prometheus_name]
    )
}
SELECTOR = re.compile(r"\b(execution_\w+|otelcol_\w+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"')


def name_of(case: tuple[str, Any]) -> str:
    return case[0] if isinstance(case[1], str) else f"{case[0]}: {case[1]['title']}"


def is_of_the_collector(metric: str) -> bool:
    return any(metric == name or (name.endswith("_") and metric.startswith(name)) for name in COLLECTOR_METRICS)
