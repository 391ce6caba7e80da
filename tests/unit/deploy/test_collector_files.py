"""The collector's overlays and manifest as data; the collector itself validates them in tests/acceptance/stack."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from telemetry.conventions import ATTRIBUTES, ATTRIBUTES_OF_FOREIGN_TEXT
from tests.unit.deploy.files import COLLECTOR, OVERLAYS, read, services

BASE = read(COLLECTOR / "base.yaml")
MANIFEST = read(COLLECTOR / "manifest.yaml")
CONTRIB = read(Path(__file__).with_name("contrib_components.yaml"))
REPLACES_A_PIPELINE = {"tail-sampling"}
NAMES = [path.stem for path in OVERLAYS]
SECTIONS = ("receivers", "processors", "exporters", "connectors", "extensions")
QUEUED = {"otlp_http", "otlp_grpc"}


def overlay(name: str) -> dict[str, Any]:
    return read(COLLECTOR / "overlays" / f"{name}.yaml")


def components(document: dict[str, Any], section: str) -> set[str]:
    return {name.partition("/")[0] for name in document.get(section, {})}


def test_every_backend_that_is_promised_has_its_overlay() -> None:
    assert set(NAMES) == {
        "archive",
        "datadog",
        "honeycomb",
        "loki",
        "newrelic",
        "otlp",
        "tail-sampling",
        "tempo-mimir",
    }


@pytest.mark.parametrize("name", sorted(set(NAMES) - REPLACES_A_PIPELINE))
def test_an_overlay_adds_pipelines_and_exporters_of_its_own(name: str) -> None:
    added = overlay(name)
    assert set(added) == {"exporters", "service"}
    assert set(added["service"]) == {"pipelines"}, "lists are replaced: `extensions` would lose the base's"
    others = [BASE, *(overlay(other) for other in NAMES if other != name)]
    for other in others:
        assert not set(added["exporters"]) & set(other.get("exporters", {}))
        assert not set(added["service"]["pipelines"]) & set(other["service"]["pipelines"])


@pytest.mark.parametrize("name", NAMES)
def test_each_pipeline_has_the_memory_limiter_first_and_redaction(name: str) -> None:
    for pipeline in overlay(name)["service"]["pipelines"].values():
        assert pipeline["receivers"] == ["otlp"]
        assert pipeline["processors"][:2] == ["memory_limiter", "redaction"]


def test_secrets_are_looked_for_in_every_attribute_whose_value_others_can_write_and_in_all_unknown_ones() -> None:
    ignored = set(BASE["processors"]["redaction"]["ignored_keys"])

    assert ignored == set(ATTRIBUTES) - ATTRIBUTES_OF_FOREIGN_TEXT | {"order_id"}
    assert set(ATTRIBUTES) > ATTRIBUTES_OF_FOREIGN_TEXT


@pytest.mark.parametrize("name", NAMES)
def test_each_exporter_over_a_network_has_a_queue_on_disk_and_retries_without_end(name: str) -> None:
    for exporter, settings in overlay(name).get("exporters", {}).items():
        kind = exporter.partition("/")[0]
        if kind in QUEUED:
            assert settings["sending_queue"]["storage"] in BASE["extensions"], exporter
            assert settings["retry_on_failure"]["max_elapsed_time"] == 0, exporter
        else:
            assert kind == "file", f"{exporter}: has it a queue on disk?"
            assert settings["rotation"], exporter


def test_only_tail_sampling_replaces_a_pipeline_and_says_what_it_can_lose() -> None:
    sampling = overlay("tail-sampling")
    assert set(sampling["service"]["pipelines"]) == {"traces"}
    replaced = sampling["service"]["pipelines"]["traces"]
    base = BASE["service"]["pipelines"]["traces"]
    assert replaced["exporters"] == base["exporters"]
    assert replaced["processors"] == [*base["processors"], "tail_sampling"]
    head = (COLLECTOR / "overlays/tail-sampling.yaml").read_text("utf-8").partition("\nprocessors:")[0]
    assert "What it can lose" in head


@pytest.mark.parametrize("path", OVERLAYS, ids=NAMES)
def test_each_variable_is_explained_in_the_head_and_secrets_are_variables(path: Path) -> None:
    text = path.read_text("utf-8")
    head = text.partition("\n\n")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    for name in set(re.findall(r"\$\{env:([A-Z_]+)", text)):
        assert name in head, name
    for settings in overlay(path.stem).get("exporters", {}).values():
        headers = settings.get("headers", {})
        values = headers.values() if isinstance(headers, dict) else [headers]
        assert all(re.fullmatch(r"\$\{env:[A-Z_]+(:-[a-z-]+)?\}", value) for value in values), headers


@pytest.mark.parametrize("section", SECTIONS)
def test_every_component_in_use_is_in_our_build_and_in_the_contrib_image(section: str) -> None:
    used = set().union(*(components(document, section) for document in (BASE, *(overlay(name) for name in NAMES))))
    contrib = CONTRIB["components"].get(section, {})
    built = {entry["gomod"].partition(" ")[0] for entry in MANIFEST.get(section, [])}
    assert used <= set(contrib)
    assert {contrib[component] for component in used} <= built


def test_the_build_holds_nothing_that_the_contrib_image_lacks() -> None:
    for section in (*SECTIONS, "providers"):
        built = {entry["gomod"].partition(" ")[0] for entry in MANIFEST.get(section, [])}
        assert built <= set(CONTRIB["components"].get(section, {}).values()), section


def test_build_image_and_list_are_of_one_version() -> None:
    image = services()["collector"]["image"].rpartition(":")[2]
    assert image == CONTRIB["version"] == MANIFEST["dist"]["version"]
    versions = {entry["gomod"].partition(" ")[2] for section in SECTIONS for entry in MANIFEST.get(section, [])}
    assert versions == {f"v{image}"}
