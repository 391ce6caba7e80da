"""The rule files against the contract: names, severities, thresholds, labels, annotations."""

from __future__ import annotations

import re

import pytest

from scripts.lib.alerts import Alert, Group
from scripts.lib.alerts.promql import selectors, thresholds, windows
from scripts.lib.alerts.rules import DASHBOARD_BASE, RUNBOOK_BASE
from tests.unit.alerts.contract import ALL, ASKED, NAMED

DASHBOARDS = {"execution-pipeline", "execution-quality", "execution-telemetry", "execution-order"}
AREAS = {"webhooks", "orders", "security", "validation", "exchange"}

COUNT = re.compile(
    r"sum by \([^)]*\) \(\n"
    r"  \(\n"
    r"    (?P<x>\S+)\n"
    r"    - last_over_time\((?P=x)\[1h\] offset (?P<window>\w+)\)\n"
    r"  \) >= 0 unless resets\((?P=x)\[(?P=window)\]\) > 0\n"
    r"  or increase\((?P=x)\[(?P=window)\]\)\n"
    r"    and resets\((?P=x)\[(?P=window)\]\) > 0\n"
    r"  or (?P=x)\n"
    r"\)\n"
)
LOOK_BACK = "[1h]"
"""How far before a window its first value is looked for; no window of a rule."""


def all_text(entry: Alert, recorded: dict[str, str]) -> str:
    """The condition with the expressions of all that it reads."""
    text, waiting = "", [entry.expression]
    while waiting:
        expression = waiting.pop()
        text += expression
        waiting += [recorded[found.name] for found in selectors(expression) if found.name in recorded]
    return text


def test_the_rules_are_those_of_the_contract(entries: dict[str, Alert]) -> None:
    assert entries.keys() == ALL.keys()


def test_the_18_are_5_critical_8_warning_and_5_info() -> None:
    severities = [promise.severity for promise in ASKED.values()]

    assert [severities.count(each) for each in ("critical", "warning", "info")] == [5, 8, 5]


@pytest.mark.parametrize("title", ALL)
def test_a_rule_fires_where_the_contract_says(title: str, entries: dict[str, Alert]) -> None:
    entry, promise = entries[title], ALL[title]
    compared = tuple(each for each in thresholds(entry.expression) if each != ">= 0")

    assert entry.severity == promise.severity
    assert compared == promise.thresholds
    assert windows(entry.expression.replace(LOOK_BACK, "")) == promise.windows
    assert entry.hold == promise.hold


@pytest.mark.parametrize("title", NAMED)
def test_a_condition_reads_what_the_contract_names(
    title: str, entries: dict[str, Alert], recorded: dict[str, str]
) -> None:
    text = all_text(entries[title], recorded)

    assert [each for each in NAMED[title] if each not in text] == []


def test_the_18_stand_by_area_and_the_others_in_groups_of_their_own(groups: list[Group]) -> None:
    for group in groups:
        asked = {entry.name in ASKED for entry in group.alerts}
        assert asked == {group.name in AREAS}, group.name


@pytest.mark.parametrize("title", ALL)
def test_a_rule_has_its_labels_and_annotations(title: str, entries: dict[str, Alert]) -> None:
    entry = entries[title]

    assert entry.labels.keys() >= {"severity", "component"}
    assert entry.annotations.keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in entry.annotations["summary"]
    assert "$value" in entry.description
    assert entry.annotations["runbook_url"] == f"{RUNBOOK_BASE}/{entry.name}.md"
    base, _, path = entry.annotations["dashboard_url"].partition("/d/")
    assert base == DASHBOARD_BASE
    assert path.partition("?")[0] in DASHBOARDS


@pytest.mark.parametrize("title", ALL)
def test_an_annotation_names_only_labels_that_the_condition_leaves(title: str, entries: dict[str, Alert]) -> None:
    entry = entries[title]
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(entry.annotations.values())))
    left = re.search(r"by \(([^)]*)\)", entry.expression)
    # A condition on recorded series alone has the labels that their names begin with.
    level = re.search(r"\b(job\w*):", entry.expression)
    kept = left[1].split(", ") if left else level[1].split("_") if level else []

    assert used <= set(kept)


def test_several_entries_of_a_rule_differ_by_one_label(entries: dict[str, Alert]) -> None:
    for entry in entries.values():
        namesakes = [each for each in entries.values() if each.name == entry.name]
        assert len(entry.own_labels) == (0 if len(namesakes) == 1 else 1)
        assert len({each.variant for each in namesakes}) == len(namesakes)


def test_a_count_is_exact_and_its_name_says_its_window(recorded: dict[str, str]) -> None:
    counts = {name: text for name, text in recorded.items() if re.search(r":count\w+$", name)}
    sums_of_counts = {"job_source:execution_webhook_invalid:count10m"}

    for name in counts.keys() - sums_of_counts:
        match = COUNT.fullmatch(counts[name])
        assert match is not None, counts[name]
        assert name.endswith(f":count{match['window']}")
    for name in sums_of_counts:
        assert windows(counts[name]) == windows(name)


def test_every_recorded_series_is_read(groups: list[Group], recorded: dict[str, str]) -> None:
    expressions = [entry.expression for group in groups for entry in group.alerts] + list(recorded.values())
    read = {found.name for expression in expressions for found in selectors(expression)}

    assert recorded.keys() - read == set()


def test_no_condition_counts_with_increase_or_rate(entries: dict[str, Alert]) -> None:
    assert [
        title for title, entry in entries.items() if re.search(r"\b(increase|rate|irate)\(", entry.expression)
    ] == []
