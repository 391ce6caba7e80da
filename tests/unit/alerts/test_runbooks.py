"""Rules and runbooks belong together, and what a runbook names exists."""

from __future__ import annotations

import json
import re
import shlex
from urllib.parse import parse_qs, urlsplit

import click
import pytest

from scripts.lib.alerts import Alert, seen
from scripts.lib.alerts.promql import selectors
from scripts.lib.alerts.rules import ROOT, RUNBOOKS
from service.cli.commands import Commands
from telemetry import conventions as c

PAGES = {path.stem: path.read_text("utf-8") for path in sorted(RUNBOOKS.glob("*.md"))}
PARTS = ["For open orders", "First look", "Likely causes", "What to do", "How it was tested"]
METRICS = {i.prometheus_name for i in c.INSTRUMENTS}
SERIES = METRICS | {f"{i.prometheus_name}_bucket" for i in c.INSTRUMENTS if isinstance(i, c.Histogram)}
LABELS = {i.prometheus_name: {label.name: label for label in i.labels} for i in c.INSTRUMENTS}
ADDED = {"job", "instance", "le", "__name__"}
SPAN_OPERATIONS = set(c.SPANS)


def queries(page: str) -> list[str]:
    return re.findall(r"```promql\n(.*?)\n```", page, re.DOTALL)


def code(page: str) -> list[str]:
    """What stands between backquotes in running text."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))


def test_every_rule_has_a_page_and_every_page_a_rule(entries: dict[str, Alert]) -> None:
    assert PAGES.keys() == {entry.name for entry in entries.values()}


def test_the_link_of_a_rule_is_its_page(entries: dict[str, Alert]) -> None:
    for entry in entries.values():
        path = entry.annotations["runbook_url"].rpartition("}}/")[2]
        assert (RUNBOOKS / path).is_file()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_severity_and_everything_else(name: str, entries: dict[str, Alert]) -> None:
    page = PAGES[name]
    severity = next(entry.severity for entry in entries.values() if entry.name == name)

    assert page.startswith(f"# {name}\n\n**{severity}.** ")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == PARTS
    assert queries(page)
    assert "http://127.0.0.1:16686/" in page


def test_every_entry_of_every_rule_is_in_the_record_of_what_was_seen(entries: dict[str, Alert]) -> None:
    found = {(one.rule, one.variant): one for one in seen.load().alerts}

    assert found.keys() == {(entry.name, entry.variant) for entry in entries.values()}
    assert {one.rule for one in found.values() if one.fired_s is not None and one.resolved_s is None} == {"Watchdog"}


@pytest.mark.parametrize("one", seen.load().alerts, ids=lambda one: f"{one.rule}{one.variant}")
def test_a_page_says_with_which_fault_its_rule_was_seen(one: seen.Seen) -> None:
    tested = " ".join(PAGES[one.rule].partition("## How it was tested")[2].split())

    said = "Not seen live yet" if one.fired_s is None else "Seen live"
    assert f"{said} (`{seen.COMMAND}`" in tested
    assert one.fault in tested


@pytest.mark.parametrize("name", PAGES)
def test_every_metric_of_a_page_exists(name: str) -> None:
    named = set(re.findall(r"\bexecution_[a-z_]+\b", PAGES[name]))

    assert named - SERIES == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_label_and_value_in_a_query_exists(name: str) -> None:
    for query in queries(PAGES[name]):
        for selector in selectors(query):
            if selector.name in SERIES:
                labels = LABELS[selector.name.removesuffix("_bucket")]
                for matcher in selector.matchers:
                    assert set(matcher.values) <= set(labels[matcher.label].values), query
        metrics = [found.name.removesuffix("_bucket") for found in selectors(query) if found.name in SERIES]
        known = ADDED.union(*(LABELS[metric] for metric in metrics))
        for by in re.findall(r"by \(([^)]*)\)", query):
            assert set(by.split(", ")) <= known, query


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_exists_with_its_options(name: str) -> None:
    commands = Commands()
    for line in code(PAGES[name]):
        words = shlex.split(line) if line.startswith("fillpath ") else []
        if not words:
            continue
        context = click.Context(commands)
        command = commands.get_command(context, words[1])
        assert command is not None, line
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


@pytest.mark.parametrize("name", PAGES)
def test_every_link_to_jaeger_asks_for_something_that_spans_have(name: str) -> None:
    for link in re.findall(r"<(http://127\.0\.0\.1:16686/[^>]*)>", PAGES[name]):
        parts = urlsplit(link)
        asked = parse_qs(parts.query)
        assert parts.path == "/search"
        assert asked["service"] == ["fillpath"]
        assert set(json.loads(asked.get("tags", ["{}"])[0])) <= c.ATTRIBUTES.keys()
        assert set(asked.get("operation", [])) <= SPAN_OPERATIONS


@pytest.mark.parametrize("name", PAGES)
def test_every_reason_that_a_link_asks_for_exists(name: str) -> None:
    known = {
        c.ATTR_DENIAL_REASON: {*c.DENIAL_REASONS, *c.EXPIRY_REASONS},
        c.ATTR_ERROR_TYPE: set(c.ERROR_TYPE.values),
        c.ATTR_ORDER_STATUS: set(c.FINAL_STATUS.values),
        c.ATTR_EXCHANGE_OUTCOME: {*c.ATTEMPT_OUTCOME.values, *c.RECONCILIATION_OUTCOME.values},
    }
    for link in re.findall(r"<(http://127\.0\.0\.1:16686/[^>]*)>", PAGES[name]):
        for attribute, value in json.loads(parse_qs(urlsplit(link).query).get("tags", ["{}"])[0]).items():
            assert value in known[attribute]


@pytest.mark.parametrize("name", PAGES)
def test_every_rule_and_file_that_a_page_names_exists(name: str) -> None:
    files = {each for each in code(PAGES[name]) if re.fullmatch(r"(docs|alerts|tests|scripts|deploy)/[\w./-]+", each)}

    assert [each for each in files if not (ROOT / each).exists()] == []
    rules = set(re.findall(r"\b(?:[A-Z][a-z]+|API|NaN){2,}\b", PAGES[name])) & named_like_rules()
    assert rules <= PAGES.keys()


def named_like_rules() -> set[str]:
    """Words of the pages that have the form of a rule's name, without those that are names of something else."""
    found = {word for page in PAGES.values() for word in re.findall(r"\b[A-Z][a-z]+(?:[A-Z][A-Za-z]+)+\b", page)}
    return found - {"TradingView"}
