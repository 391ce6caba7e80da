"""Checks: each server is there and does its part."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx

from dashboards import pipeline
from dashboards.files import FOLDER
from scripts.lib.alerts import Alert, alerts
from scripts.lib.validate.asking import Server, until
from scripts.lib.validate.orders import START, Sent, Service
from scripts.lib.validate.results import CheckError

GRAFANA_FIX = (
    "start it: docker compose up (it runs as a container only); elsewhere, give --grafana; or leave it out of the "
    "verdict: --without grafana"
)
TOKEN = "FILLPATH_GRAFANA_TOKEN"  # noqa: S105 - a variable's name
_WATCHDOG = "Watchdog"
_LOAD = "load alerts/rules: ./scripts/stack down and up copies them; in a Prometheus of your own, rule_files"


class Rule(NamedTuple):
    """An alert rule as it has to be: entries of one name differ by `own` labels."""

    name: str
    severity: str
    own: frozenset[tuple[str, str]]

    @property
    def text(self) -> str:
        return f"{self.name} ({', '.join([self.severity, *sorted(value for _, value in self.own)])})"


def check_prometheus(prometheus: Server, by: float) -> str:
    """Ready, and reaching what it scrapes; a server that is down fails a check of its own and is only named here."""
    prometheus.well("/-/ready")
    version = prometheus.data("/api/v1/status/buildinfo")["version"]

    def look() -> list[dict[str, Any]]:
        targets: list[dict[str, Any]] = prometheus.data("/api/v1/targets", state="active")["activeTargets"]
        return targets

    # Right after a start no target is known yet, then none was scraped.
    targets = until(look, lambda found: bool(found) and all(one["health"] != "unknown" for one in found), by)
    lacking = sorted({str(one["labels"]["job"]) for one in targets if one["health"] != "up"})
    up = sum(one["health"] == "up" for one in targets)
    found = f"{version}; {up} of {len(targets)} targets up" + (f", not {', '.join(lacking)}" if lacking else "")
    if not up:
        raise CheckError(found, "give it deploy/prometheus.yml, and see Status > Target health on its page")
    return found


def check_rules(prometheus: Server, by: float) -> str:
    """Every rule of alerts/rules is loaded with its severity, and evaluates."""

    def look() -> list[dict[str, Any]]:
        groups = prometheus.data("/api/v1/rules", type="alert")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    # Right after a start no rule was evaluated yet.
    loaded = until(look, lambda rules: all(rule["health"] != "unknown" for rule in rules), by)
    wanted = {_rule(alert) for alert in alerts()}
    there = {_loaded(rule) for rule in loaded}
    if lacking := wanted - there:
        raise CheckError(f"not loaded: {', '.join(sorted(rule.text for rule in lacking))}", _LOAD)
    unwell = {rule["name"]: rule.get("lastError") or rule["health"] for rule in loaded if rule["health"] != "ok"}
    if unwell:
        raise CheckError(
            "; ".join(f"{name}: {why}" for name, why in unwell.items()),
            "mend the rule and look again: promtool test rules alerts/tests/*.yml",
        )
    names = {rule.name: rule.severity for rule in wanted}
    counts = Counter(names.values())
    return f"{len(names)} rules: " + ", ".join(f"{counts[severity]} {severity}" for severity in sorted(counts))


def check_grafana(grafana: Server) -> str:
    health = grafana.document("/api/health")
    if not isinstance(health, dict) or health.get("database") != "ok":
        raise CheckError(f"Grafana says of its database: {_said(health, 'database')}", grafana.fix)
    return _said(health, "version")


def check_dashboard(grafana: Server) -> str:
    """By its uid, with the panels that are committed."""
    response = grafana.get(f"/api/dashboards/uid/{pipeline.UID}")
    if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise CheckError(
            f"Grafana shows its dashboards to nobody unknown ({response.status_code})",
            f"give a service account's token in {TOKEN}",
        )
    if response.status_code == httpx.codes.NOT_FOUND:
        raise CheckError(
            f"Grafana has no dashboard {pipeline.UID}",
            "provision dashboards/json as deploy/grafana/provisioning does, or import the file; its log says why not",
        )
    document = grafana.document(f"/api/dashboards/uid/{pipeline.UID}")
    there = panels(document.get("dashboard", {}))
    wanted = panels(json.loads((FOLDER / f"{pipeline.UID}.json").read_text("utf-8")))
    if lacking := [title for title in wanted if title not in there]:
        raise CheckError(
            f"it lacks the panels {', '.join(lacking)}", "load dashboards/json again; an older copy is there"
        )
    return f"{pipeline.UID} with its {len(wanted)} panels"


def panels(dashboard: dict[str, Any]) -> list[str]:
    """The titles of a dashboard's panels, rows apart."""
    found: Sequence[dict[str, Any]] = dashboard.get("panels", [])
    inside = [panel for row in found for panel in row.get("panels") or ()]
    return [panel["title"] for panel in (*found, *inside) if panel["type"] != "row"]


def check_service(service: Service, sent: Sent | None, unsent: CheckError | None) -> str:
    Server("The service", service.public, START).well("/readyz")
    if unsent is not None:
        raise unsent
    assert sent is not None, "either sent or not"
    return f"ready; filled {len(sent.orders)} orders on the paper exchange in {sent.ended - sent.began:.1f} s"


def check_collector(collector: Server) -> str:
    """Only that it is well: what passes through it is seen where metrics and traces arrive."""
    collector.well("")
    return "well; what passes through it: metrics, code and exemplars above and below"


def check_jaeger(jaeger: Server) -> str:
    services = jaeger.document("/api/services").get("data") or []
    if "fillpath" not in services:
        raise CheckError(
            f"it answers, and knows no service fillpath (but {', '.join(services) or 'none'})",
            "see whether the collector's exporter to Jaeger fails: ./scripts/stack logs collector",
        )
    return f"answers; {len(services)} services, fillpath among them"


def check_alertmanager(alertmanager: Server, prometheus: Server, by: float) -> str:
    """Watchdog always fires: where Alertmanager holds it, so does any other alert arrive."""
    version = alertmanager.document("/api/v2/status")["versionInfo"]["version"]
    asked = {"filter": f'alertname="{_WATCHDOG}"', "active": "true"}
    held = until(lambda: alertmanager.document("/api/v2/alerts", **asked), bool, by)
    if not held:
        known = prometheus.data("/api/v1/alertmanagers")["activeAlertmanagers"]
        raise CheckError(
            f"{_WATCHDOG} never came; Prometheus sends to {', '.join(one['url'] for one in known) or 'nobody'}",
            "name Alertmanager in Prometheus (deploy/prometheus.yml, alerting), and load alerts/rules",
        )
    return f"{version}; alerts arrive ({_WATCHDOG})"


def _rule(alert: Alert) -> Rule:
    return Rule(alert.name, alert.severity, frozenset(alert.own_labels.items()))


def _loaded(rule: dict[str, Any]) -> Rule:
    own = {key: value for key, value in rule["labels"].items() if key not in {"severity", "component"}}
    return Rule(rule["name"], rule["labels"].get("severity", "none"), frozenset(own.items()))


def _said(document: Any, key: str) -> str:
    return str(document.get(key, "nothing")) if isinstance(document, dict) else "nothing"
