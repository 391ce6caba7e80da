"""The dashboards against the contract: titles, rows, kinds, and what every panel has to have."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.docs import dashboards_page
from service.cli.log_lines import Wanted
from tests.unit.dashboards.boards import BOARDS, PANELS, name_of

ROOT = Path(__file__).resolve().parents[3]

PIPELINE = {
    "Overview": {
        "Request rate": "timeseries",
        "Success rate": "gauge",
        "Active requests": "gauge",
        "Pipeline latency P95": "gauge",
    },
    "Webhooks": {
        "Processing duration": "timeseries",
        "Validation failures by reason": "timeseries",
        "Signature failures": "timeseries",
    },
    "Orders": {
        "Execution duration P95 and average": "timeseries",
        "Failure rate by exchange": "timeseries",
        "Size distribution P50 and P95": "timeseries",
    },
    "Security": {
        "Top rate-limited addresses": "table",
        "Circuit breaker state": "state-timeline",
        "Audit events": "piechart",
    },
    "Exchange health": {"API latency": "timeseries", "Error rate": "timeseries", "Connections": "gauge"},
}
ABOUT_METRICS = [case for case in PANELS if case[0] != "execution-order"]
HIDDEN = 2


def rules() -> set[str]:
    files = [yaml.safe_load(file.read_text("utf-8")) for file in (ROOT / "alerts/rules").glob("*.yml")]
    return {rule["alert"] for file in files for group in file["groups"] for rule in group["rules"] if "alert" in rule}


def rows(board: dict[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for panel in board["panels"]:
        if panel["type"] == "row":
            found[panel["title"]] = {}
        else:
            found[list(found)[-1]][panel["title"]] = panel["type"]
    return found


def chosen(board: dict[str, Any]) -> list[str]:
    return [variable["name"] for variable in board["templating"]["list"] if variable.get("hide") != HIDDEN]


def test_the_pipeline_has_its_sixteen_panels_in_five_rows() -> None:
    assert rows(BOARDS["execution-pipeline"]) == PIPELINE
    assert sum(len(row) for row in PIPELINE.values()) == 16


def test_the_pipeline_offers_data_source_exchange_symbol_and_source() -> None:
    assert chosen(BOARDS["execution-pipeline"]) == ["datasource", "exchange", "symbol", "source"]


def test_the_pipeline_refreshes_every_thirty_seconds_and_shows_the_last_hour() -> None:
    board = BOARDS["execution-pipeline"]
    assert (board["refresh"], board["time"]) == ("30s", {"from": "now-1h", "to": "now"})


def test_the_four_dashboards_are_there() -> None:
    assert set(BOARDS) == {"execution-pipeline", "execution-quality", "execution-telemetry", "execution-order"}


@pytest.mark.parametrize("uid", BOARDS)
def test_a_dashboard_says_its_uid_and_schema_and_numbers_each_panel_once(uid: str) -> None:
    board = BOARDS[uid]
    assert (board["uid"], board["schemaVersion"]) == (uid, 42)
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert "id" not in board, "a number of one installation would be taken for another dashboard elsewhere"


@pytest.mark.parametrize("uid", BOARDS)
def test_panels_neither_overlap_nor_stand_out(uid: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[uid]["panels"]:
        grid = panel["gridPos"]
        cells = set(itertools.product(range(grid["x"], grid["x"] + grid["w"]), range(grid["y"], grid["y"] + grid["h"])))
        assert grid["x"] + grid["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("case", PANELS, ids=name_of)
def test_a_panel_has_title_description_unit_and_a_data_source_that_is_chosen(case: tuple[str, Any]) -> None:
    _, panel = case
    assert panel["title"]
    assert len(panel["description"].split("\n\n")) == 2, "what it shows, and what its limits mean"
    assert panel["fieldConfig"]["defaults"]["unit"]
    for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
        assert re.fullmatch(r"\$\{(datasource|jaeger|loki)\}", source["uid"])


@pytest.mark.parametrize("case", ABOUT_METRICS, ids=name_of)
def test_a_panel_has_thresholds_and_leads_to_runbooks_and_traces(case: tuple[str, Any]) -> None:
    _, panel = case
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps[0]["value"] is None
    assert [step["value"] for step in steps[1:]] == sorted(step["value"] for step in steps[1:])
    *runbooks, traces = panel["links"]
    assert runbooks
    for link in runbooks:
        rule = link["title"].removeprefix("Runbook: ")
        assert link["url"] == f"${{runbooks}}/{rule}.md"
        assert rule in rules(), f"{panel['title']}: no alert rule is called {rule}"
    assert traces["url"].startswith("/explore?schemaVersion=1&orgId=1&panes=")


@pytest.mark.parametrize("case", ABOUT_METRICS, ids=name_of)
def test_a_named_alert_rule_is_among_the_links(case: tuple[str, Any]) -> None:
    _, panel = case
    linked = {link["title"].removeprefix("Runbook: ") for link in panel["links"]}
    assert {rule for rule in rules() if re.search(rf"\b{rule}\b", panel["description"])} <= linked


def test_latency_over_time_shows_exemplars() -> None:
    shown = {
        panel["title"]
        for _, panel in PANELS
        if panel["type"] == "timeseries" and any(target["exemplar"] for target in panel["targets"])
    }
    assert shown == {
        "Processing duration",
        "Execution duration P95 and average",
        "API latency",
        "Fill latency",
        "Fill latency of resting orders",
    }


def test_an_order_is_found_in_traces_and_log_lines() -> None:
    board = BOARDS["execution-order"]
    found = {panel["type"]: panel["targets"][0] for panel in board["panels"] if panel["type"] != "row"}
    assert found["table"]["tags"] == 'order.id="${order}"'
    assert found["traces"]["query"] == "${trace}"
    # A Loki has answered what `fillpath logs` asks; this is the same, strings in the other quotes.
    assert found["logs"]["expr"].replace("`", '"') == Wanted(frozenset({"${order}"})).log_ql
    assert chosen(board) == ["jaeger", "loki", "order", "trace"]


def test_the_page_about_them_names_every_panel() -> None:
    page = dashboards_page()
    assert all(f"| {panel['title']} | {panel['type']} |" in page for _, panel in PANELS)
