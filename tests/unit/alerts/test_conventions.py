"""What the rules read exists, with closed labels, and is grouped so that sides match."""

from __future__ import annotations

import re

from scripts.lib.alerts import Alert, Group
from scripts.lib.alerts.promql import Matcher, groupings, selectors
from telemetry import conventions as c

METRICS = {instrument.prometheus_name: instrument for instrument in c.INSTRUMENTS}
NOT_OURS = {"up", "otelcol_process_uptime", "__name__"}
ADDED = {"job", "instance"}


def instrument(name: str) -> c.Instrument | None:
    found = METRICS.get(name)
    if found is None and name.endswith("_bucket"):
        found = METRICS.get(name.removesuffix("_bucket"))
        assert isinstance(found, c.Histogram), name
    return found


def expressions(groups: list[Group]) -> list[str]:
    return [each.expression for group in groups for each in (*group.alerts, *group.recordings)]


def test_every_metric_is_in_the_conventions(groups: list[Group], recorded: dict[str, str]) -> None:
    names = {found.name for expression in expressions(groups) for found in selectors(expression)}

    assert {name for name in names - NOT_OURS - recorded.keys() if instrument(name) is None} == set()


def test_every_matcher_names_a_closed_label_and_values_it_can_have(
    groups: list[Group], recorded: dict[str, str]
) -> None:
    for expression in expressions(groups):
        for selector in selectors(expression):
            for matcher in selector.matchers:
                assert_possible(selector.name, matcher, recorded)


def assert_possible(name: str, matcher: Matcher, recorded: dict[str, str]) -> None:
    if name in NOT_OURS:
        return
    while name in recorded:
        name = next(found.name for found in selectors(recorded[name]))
    found = instrument(name)
    assert found is not None, name
    labels = {label.name: label for label in found.labels}
    assert matcher.label in labels, f"{name} has no label {matcher.label}"
    label = labels[matcher.label]
    assert label.bounded is None, f"{name}: {matcher.label} has values from outside"
    if label.configured is None:
        assert set(matcher.values) <= set(label.values), f"{name}: {matcher}"


def test_labels_with_values_from_outside_are_only_summed_away(groups: list[Group]) -> None:
    bounded = {each.value for each in c.Bounded}
    for expression in expressions(groups):
        for how, labels in groupings(expression):
            assert how == "by", expression
            assert not bounded & set(labels), expression


def test_everything_is_grouped_by_job_and_nothing_by_instance(groups: list[Group]) -> None:
    for expression in expressions(groups):
        for how, labels in groupings(expression):
            assert how == "by", expression
            assert "job" in labels, expression
        assert "instance" not in expression


def test_a_condition_reads_every_series_of_ours_through_an_aggregation(groups: list[Group]) -> None:
    for group in groups:
        for entry in group.alerts:
            for found in selectors(entry.expression):
                is_recorded = found.name.startswith("job")
                aggregated = groupings(entry.expression) or "absent(" in entry.expression
                assert is_recorded or aggregated, entry.title


def test_quantiles_keep_le(groups: list[Group]) -> None:
    for expression in expressions(groups):
        if "histogram_quantile" in expression:
            assert [labels for _, labels in groupings(expression) if "le" not in labels] == []


def test_both_sides_of_a_ratio_are_grouped_alike(groups: list[Group]) -> None:
    for group in groups:
        for entry in group.alerts:
            if " / " in entry.expression:
                levels = set(
                    re.findall(r"\b(job\w*):\w+:count", re.sub(r"sum by \([^)]*\)\s*\([^)]*\)", "", entry.expression))
                )
                kept = {"_".join(labels) for _, labels in groupings(entry.expression)} | levels
                assert len(kept) == 1, (entry.title, kept)


def test_states_are_compared_exactly(entries: dict[str, Alert]) -> None:
    assert "== 2" in entries["CircuitBreakerOpen"].expression
    assert not any(
        re.search(r"execution_circuit_breaker_state.*(>|>=|== 1)", entry.expression) for entry in entries.values()
    )
