"""Where panels lead: a rule's runbook, and traces in Jaeger through Grafana's Explore page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from dashboards.sdk import Builder, dashboard, models
from telemetry import conventions as c

SERVICE = "fillpath"
"""`service.name`, as traces are stored under it."""

RUNBOOKS = "/public/runbooks"
"""Where the pages of docs/runbooks are served, below Grafana's own address: the first value of the variable
`runbooks`. A page opened with `?var-runbooks=https://...` leads elsewhere."""

JAEGER = "${jaeger}"
WEBHOOK = c.server_span_name("")


class Traces(NamedTuple):
    """A search in Jaeger: the service's traces that hold a span of this name with these attributes."""

    operation: str
    tags: Mapping[str, str] = {}

    @property
    def query(self) -> dict[str, Any]:
        """As Grafana's Jaeger data source has it; tags are logfmt."""
        found: dict[str, Any] = {
            "refId": "A",
            "datasource": {"type": "jaeger", "uid": JAEGER},
            "queryType": "search",
            "service": SERVICE,
            "operation": self.operation,
            "limit": 20,
        }
        if self.tags:
            found["tags"] = " ".join(f"{key}={value}" for key, value in self.tags.items())
        return found

    @property
    def url(self) -> str:
        """Explore with this search, over the time that the dashboard shows."""
        pane = {
            "datasource": JAEGER,
            "queries": [self.query],
            "range": {"from": "${__from}", "to": "${__to}"},
        }
        return f"/explore?schemaVersion=1&orgId=1&panes={_quoted(json.dumps({'traces': pane}, separators=(',', ':')))}"


def _quoted(text: str) -> str:
    """Percent-encoded but for Grafana's variables, which are only replaced as they are written."""
    return re.sub(r"%24%7B(\w+)%7D", r"${\1}", quote(text, safe=""))


def panel_links(rules: tuple[str, ...], traces: Traces) -> list[Builder[models.DashboardLink]]:
    """One link a rule, then the traces."""
    found: list[Builder[models.DashboardLink]] = [
        dashboard.DashboardLink(f"Runbook: {rule}").url(f"${{runbooks}}/{rule}.md").target_blank(True)  # noqa: FBT003 - the SDK's signature
        for rule in rules
    ]
    return [*found, dashboard.DashboardLink("Traces in Jaeger").url(traces.url).target_blank(True)]  # noqa: FBT003 - the SDK's signature
