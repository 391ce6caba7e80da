"""Alertmanager holds every alert while its fault lasts, as it should be told to people, and not long after."""

from __future__ import annotations

import json
import re

import pytest

from scripts.lib.alerts import alerts
from scripts.lib.alerts.rules import ROOT, RUNBOOKS
from scripts.lib.stack import StackError
from tests.acceptance.alerts.live import report, session
from tests.acceptance.alerts.live.session import Outcome

ENTRIES = {entry.title: entry for entry in alerts()}
TITLES = sorted(ENTRIES)
BOARDS = {json.loads(file.read_text("utf-8"))["uid"] for file in (ROOT / "dashboards" / "json").glob("*.json")}
NOT_RENDERED = re.compile(r"\{\{|<no value>|%!|<error")
NO_NUMBER = "NaN"
"""What a query without an answer would be rendered as; some rules are about it, and say it themselves."""


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory, pytestconfig) -> dict[str, Outcome]:
    """All scenarios, once; a server that is missing fails every test by its name."""
    try:
        found = session.run(tmp_path_factory.mktemp("live"))
    except StackError as error:
        pytest.fail(str(error), pytrace=False)
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{report.table(found)}")  # noqa: T201 - the figures of this run, for whoever runs it
    return {outcome.expected.title: outcome for outcome in found}


@pytest.mark.parametrize("title", TITLES)
def test_an_alert_is_held_while_its_fault_lasts_and_resolves(title, outcomes):
    assert report.wrong(outcomes[title]) == "", outcomes[title].story


@pytest.mark.parametrize("title", TITLES)
def test_an_alert_says_how_bad_it_is_and_where_to_look(title, outcomes):
    entry, held = ENTRIES[title], outcomes[title].held
    assert held is not None, "not held"

    assert held.has({"alertname": entry.name, **entry.labels})
    assert held.receivers == [entry.severity]
    assert re.search(r"\d|it knows of none", held.annotations["description"]), held.annotations["description"]
    assert not NOT_RENDERED.search(" ".join(held.annotations.values())), held.annotations
    for name, text in held.annotations.items():
        assert text.count(NO_NUMBER) == entry.annotations[name].count(NO_NUMBER), text
    runbook, board = held.annotations["runbook_url"], held.annotations["dashboard_url"]
    assert (ROOT / runbook) == RUNBOOKS / f"{entry.name}.md"
    assert (ROOT / runbook).is_file()
    assert re.fullmatch(r"http://127\.0\.0\.1:3000/d/[\w-]+(\?var-\w+=[\w-]+)?", board)
    assert board.partition("/d/")[2].partition("?")[0] in BOARDS
