"""Grafana's provisioning: the uids that dashboards name, and the ways between metrics, traces and logs."""

from __future__ import annotations

import re
from typing import Any

from telemetry import conventions
from tests.unit.deploy.files import ROOT, read, services

PROVISIONING = ROOT / "deploy/grafana/provisioning"
SOURCES: dict[str, dict[str, Any]] = {
    source["uid"]: source for source in read(PROVISIONING / "datasources/fillpath.yaml")["datasources"]
}


def test_the_uids_that_dashboards_name_are_there() -> None:
    assert {uid: source["type"] for uid, source in SOURCES.items()} == {
        "prometheus": "prometheus",
        "jaeger": "jaeger",
        "loki": "loki",
    }
    assert [uid for uid, source in SOURCES.items() if source.get("isDefault")] == ["prometheus"]


def test_each_source_is_a_service_of_the_compose_file() -> None:
    for source in SOURCES.values():
        host = re.fullmatch(r"http://([a-z]+):\d+", source["url"])
        assert host is not None
        assert host[1] in services()


def test_an_exemplar_leads_to_its_trace() -> None:
    assert SOURCES["prometheus"]["jsonData"]["exemplarTraceIdDestinations"] == [
        {"name": "trace_id", "datasourceUid": "jaeger"}
    ]


def test_a_trace_leads_to_its_log_lines_and_metrics() -> None:
    data = SOURCES["jaeger"]["jsonData"]
    assert data["tracesToLogsV2"]["datasourceUid"] == "loki"
    assert "trace_id=`$${__trace.traceId}`" in data["tracesToLogsV2"]["query"]
    assert data["tracesToMetrics"]["datasourceUid"] == "prometheus"


def test_a_log_line_leads_to_its_trace() -> None:
    (field,) = SOURCES["loki"]["jsonData"]["derivedFields"]
    assert (field["matcherType"], field["matcherRegex"]) == ("label", "trace_id")
    assert (field["datasourceUid"], field["url"]) == ("jaeger", "$${__value.raw}")


def test_queries_from_a_trace_ask_for_metrics_labels_and_attributes_of_the_contract() -> None:
    data = SOURCES["jaeger"]["jsonData"]["tracesToMetrics"]
    attributes = {value for name, value in vars(conventions).items() if name.startswith("ATTR_")}
    labels = {tag["value"] for tag in data["tags"]}
    assert {tag["key"] for tag in data["tags"]} <= attributes
    contract = (ROOT / "docs/telemetry.md").read_text("utf-8")
    for query in data["queries"]:
        for metric in re.findall(r"execution_\w+", query["query"]):
            row = re.search(rf"^\| `{metric.removesuffix('_bucket')}`.*$", contract, re.MULTILINE)
            assert row is not None, metric
            assert all(f"`{label}`" in row[0] for label in labels), metric


def test_dashboards_come_from_the_mounted_folder_and_cannot_be_changed_in_the_page() -> None:
    (provider,) = read(PROVISIONING / "dashboards/fillpath.yaml")["providers"]
    assert provider["options"]["path"] == "/dashboards"
    assert provider["allowUiUpdates"] is False
    mounts = services()["grafana"]["volumes"]
    assert "./dashboards:/dashboards:ro" in mounts
    assert "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro" in mounts
