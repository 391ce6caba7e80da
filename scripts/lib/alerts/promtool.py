"""Writes alerts/tests: what every rule is shown, as promtool reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.alerts.cases import BY_FILE
from scripts.lib.alerts.cases.case import Case, Special
from scripts.lib.alerts.cases.series import INTERVAL, START, World, notation, scrapes
from scripts.lib.alerts.cases.world import begun, healthy, idle
from scripts.lib.alerts.rules import ALERTS, DASHBOARD_BASE, RULES, RUNBOOK_BASE, Alert, load

TESTS = ALERTS / "tests"
KINDS = ("fires on its fault", "healthy traffic", "no traffic", "first event", "resolves", "just below")
"""What is tested of every entry of every rule."""

_HEAD = "# Written by `python -m scripts.lib.alerts tests` from scripts/lib/alerts/cases; a test holds them equal.\n"
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")

_EARLIER = ("30s", "75s", "105s")
"""What is just below must be silent all along, not only when the fault would fire."""

Test = dict[str, Any]


@cache
def files() -> Mapping[str, str]:
    """Name and text of every file under alerts/tests; written out once, which takes seconds."""
    return {name: _HEAD + _dump(_document(name, cases, special)) for name, (cases, special) in BY_FILE.items()}


def drifted(folder: Path = TESTS) -> list[str]:
    """Files that are not what would be written, missing ones and strangers among them."""
    wanted = files()
    found = {path.name: path.read_text("utf-8") for path in folder.glob("*.yml")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write(folder: Path = TESTS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.yml"):
        path.unlink()
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


def _document(name: str, cases: Sequence[Case], special: Sequence[Special]) -> dict[str, Any]:
    rules = _Rules()
    tests = [test for case in cases for test in _case(case, rules)]
    tests += [_special(story, rules) for story in special]
    stories: list[Case | Special] = [*cases, *special]
    needed = {name}.union(*(rules.files(story) for story in stories))
    rule_files = [f"../rules/{file}" for file in sorted(needed)]
    return {"rule_files": rule_files, "evaluation_interval": INTERVAL, "tests": tests}


class _Rules:
    """The rules as the tests need them: each entry, and which series it reads."""

    def __init__(self) -> None:
        groups = load(RULES)
        self._entries = {(entry.name, entry.variant): entry for group in groups for entry in group.alerts}
        self._recorded = {rule.name: (rule.expression, group.file) for group in groups for rule in group.recordings}

    def entry(self, story: Case | Special) -> Alert:
        return self._entries[story.alert, story.variant]

    def variants(self, name: str) -> list[Alert]:
        """Every entry of the rule of that name."""
        return [entry for (found, _), entry in self._entries.items() if found == name]

    def reads(self, story: Case | Special, world: World) -> World:
        """The series of `world` that the rule reads, through its recording rules and in its annotations."""
        texts = [text for entry in self.variants(story.alert) for text in (entry.expression, entry.description)]
        names, _ = self._names(texts)
        return {selector: values for selector, values in world.items() if _matches(selector.partition("{")[0], names)}

    def files(self, story: Case | Special) -> set[str]:
        """The rule files that record what the rule reads."""
        return self._names([self.entry(story).expression])[1]

    def _names(self, texts: Iterable[str]) -> tuple[set[str], set[str]]:
        names: set[str] = set()
        origins: set[str] = set()
        waiting = list(texts)
        while waiting:
            for name in set(_NAME.findall(waiting.pop())) - names:
                names.add(name)
                if name in self._recorded:
                    expression, file = self._recorded[name]
                    waiting.append(expression)
                    origins.add(file)
        return names, origins


def _matches(metric: str, names: set[str]) -> bool:
    """By its name, or as one of the collector's counters, which are chosen by a pattern."""
    return metric in names or (metric.startswith("otelcol_") and "otelcol_process_uptime" in names)


def _case(case: Case, rules: _Rules) -> Iterator[Test]:
    entry = rules.entry(case)
    normal, nothing = rules.reads(case, healthy()), rules.reads(case, idle())
    fault, below = {**normal, **case.fault}, {**normal, **case.below}
    first = begun({**nothing, **(case.fault if case.first is None else case.first)})
    times, always = dict.fromkeys((case.fires, case.resolved)), case.always
    told: dict[str, tuple[World, dict[str, bool]]] = {
        "fires on its fault": (fault, {}),
        "healthy traffic": (normal, dict.fromkeys(times, always)),
        "no traffic": (nothing, dict.fromkeys(times, always)),
        "first event": (first, {case.fires: True}),
        "resolves": (fault, {case.fires: True, case.resolved: always}),
        "just below": (below, dict.fromkeys((*_EARLIER, case.fires), always)),
    }
    for kind in KINDS:
        series, firing = told[kind]
        annotated = [] if firing else [_annotated(case, rules)]
        yield _test(f"{entry.title}: {kind}", series, _after(case.resolved), annotated, _checks(case, entry, firing))


def _special(story: Special, rules: _Rules) -> Test:
    entry, firing = rules.entry(story), dict(story.firing)
    last = max(map(_after, firing))
    return _test(f"{entry.title}: {story.claim}", story.series, last, [], _checks(story, entry, firing))


def _test(
    name: str, series: World, last: int, alerts: Sequence[dict[str, Any]], checks: Sequence[dict[str, Any]]
) -> Test:
    shown = [{"series": selector, "values": notation(values, last + 1)} for selector, values in series.items()]
    test: Test = {"name": name, "interval": INTERVAL, "input_series": shown}
    if alerts:
        test["alert_rule_test"] = list(alerts)
    if checks:
        test["promql_expr_test"] = list(checks)
    return test


def _checks(story: Case | Special, entry: Alert, firing: Mapping[str, bool]) -> list[dict[str, Any]]:
    """Whether exactly this alert fires, at each time."""
    only = "".join(f',{key}="{value}"' for key, value in entry.own_labels.items())
    labels = ",".join(f'{key}="{value}"' for key, value in sorted(_labels(story, entry).items()))
    alert = {"labels": f'ALERTS{{alertname="{entry.name}",alertstate="firing",{labels}}}', "value": 1}
    return [
        {
            "expr": f'ALERTS{{alertname="{entry.name}",alertstate="firing"{only}}}',
            "eval_time": _clock(time),
            "exp_samples": [alert] if fires else [],
        }
        for time, fires in firing.items()
    ]


def _annotated(case: Case, rules: _Rules) -> dict[str, Any]:
    """Every alert of that name, with labels and annotations; promtool compares them all."""
    told = {case.variant: case.description, **case.beside}
    entries = [entry for entry in rules.variants(case.alert) if entry.variant in told]
    return {
        "eval_time": _clock(case.fires),
        "alertname": case.alert,
        "exp_alerts": [_expected(entry, {**case.labels, **entry.labels}, told[entry.variant]) for entry in entries],
    }


def _expected(entry: Alert, labels: Mapping[str, str], description: str) -> dict[str, Any]:
    annotations = {
        "summary": entry.annotations["summary"],
        "description": description,
        "runbook_url": entry.annotations["runbook_url"].replace(RUNBOOK_BASE, "docs/runbooks"),
        "dashboard_url": _dashboard(entry, labels),
    }
    return {"exp_labels": dict(labels), "exp_annotations": annotations}


def _dashboard(entry: Alert, labels: Mapping[str, str]) -> str:
    link = entry.annotations["dashboard_url"].replace(DASHBOARD_BASE, "http://127.0.0.1:3000")
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match[1]], link)


def _labels(story: Case | Special, entry: Alert) -> dict[str, str]:
    return {**entry.labels, **story.labels}


def _after(duration: str) -> int:
    return START + scrapes(duration)


def _clock(duration: str) -> str:
    """A time after the fault's begin as one of the test."""
    seconds = _after(duration) * 15
    return f"{seconds // 60}m{seconds % 60}s" if seconds % 60 else f"{seconds // 60}m"


def _dump(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=2_000, allow_unicode=True)
