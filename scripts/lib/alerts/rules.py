"""Reads alerts/rules: groups, recording rules, alert rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
ALERTS = ROOT / "alerts"
RULES = ALERTS / "rules"
RUNBOOKS = ROOT / "docs" / "runbooks"

RUNBOOK_BASE = '{{ or $externalLabels.runbooks "docs/runbooks" }}'
DASHBOARD_BASE = '{{ or $externalLabels.grafana "http://127.0.0.1:3000" }}'
"""What each link begins with: an external label of Prometheus, and what holds without it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One entry of an alert rule; a rule of several entries tells them apart by a label of its own."""

    name: str
    expression: str
    hold: str
    """`for`; empty where there is none."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def severity(self) -> str:
        return self.labels["severity"]

    @property
    def description(self) -> str:
        return self.annotations["description"]

    @property
    def own_labels(self) -> dict[str, str]:
        """What tells this entry from others of the same name; nothing where it is the only one."""
        return {key: value for key, value in self.labels.items() if key not in {"severity", "component"}}

    @property
    def variant(self) -> str:
        """The value of the label that tells it from others of the same name; empty where it is the only one."""
        return next(iter(self.own_labels.values()), "")

    @property
    def title(self) -> str:
        return f"{self.name} ({self.variant})" if self.variant else self.name


@dataclass(frozen=True, slots=True)
class Group:
    """A group of rules and the file it stands in."""

    file: str
    name: str
    recordings: Sequence[Recording]
    alerts: Sequence[Alert]


def load(folder: Path = RULES) -> list[Group]:
    """Every group, by file name and place in the file."""
    return [
        _group(path.name, group)
        for path in sorted(folder.glob("*.yml"))
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
    ]


def alerts(groups: Sequence[Group] | None = None) -> Iterator[Alert]:
    """Every entry of every alert rule."""
    for group in load() if groups is None else groups:
        yield from group.alerts


def _group(file: str, group: Mapping[str, Any]) -> Group:
    rules = group["rules"]
    return Group(
        file=file,
        name=group["name"],
        recordings=[Recording(rule["record"], rule["expr"]) for rule in rules if "record" in rule],
        alerts=[_alert(rule) for rule in rules if "alert" in rule],
    )


def _alert(rule: Mapping[str, Any]) -> Alert:
    return Alert(
        name=rule["alert"],
        expression=rule["expr"],
        hold=rule.get("for", ""),
        labels=rule["labels"],
        annotations={key: text.strip() for key, text in rule["annotations"].items()},
    )
