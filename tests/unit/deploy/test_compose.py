"""`compose.yaml` without an engine: by the specification's schema, and by what it promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scripts.lib.stack.ports import Ports
from scripts.lib.stack.servers import COLLECTOR_MEMORY
from service.settings import load
from tests.unit.deploy.files import COMPOSE, OVERLAYS, ROOT, compose, read, services

SCHEMA = Path(__file__).with_name("schemas") / "compose-spec.json"
WITHOUT_A_SHELL = {"collector"}
ONE_SHOT = {"folders"}
PUBLISHED = re.compile(r"127\.0\.0\.1:\$\{(?P<variable>[A-Z_]+):-(?P<default>\d+)\}:(?P<inside>\d+)\Z")
ALL_PORTS = [(name, port) for name, service in services().items() for port in service.get("ports", [])]


def environment(service: str) -> dict[str, str]:
    return {key: str(value) for key, value in services()[service].get("environment", {}).items() if value is not None}


def test_it_follows_the_specification() -> None:
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(compose())


def test_an_unknown_key_would_be_found() -> None:
    wrong = {"services": {"a": {"image": "b", "healthchek": {}}}}
    with pytest.raises(jsonschema.ValidationError, match="healthchek"):
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(wrong)


@pytest.mark.parametrize(("service", "port"), ALL_PORTS)
def test_each_port_is_on_loopback_only_and_can_be_moved(service: str, port: str) -> None:
    assert PUBLISHED.match(port), f"{service} publishes {port}"


def test_ports_have_the_names_and_defaults_of_the_native_stack() -> None:
    native = {f"FILLPATH_PORT_{name.upper()}": getattr(Ports.default(), name) for name in Ports.__slots__}
    for _, port in ALL_PORTS:
        found = PUBLISHED.match(port)
        assert found is not None
        if found["variable"].startswith("FILLPATH_PORT_"):
            assert native[found["variable"]] == int(found["default"]), port


def test_what_must_be_there_is_published() -> None:
    inside = {int(port.rpartition(":")[2]) for _, port in ALL_PORTS}
    assert inside >= {8080, 8081, 3000, 9090, 9093, 16686}


@pytest.mark.parametrize("name", sorted(set(services()) - ONE_SHOT))
def test_each_server_is_restarted_confined_and_has_a_health_check(name: str) -> None:
    service = services()[name]
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # The service's own stands in its Dockerfile.
    assert ("healthcheck" in service) == (name not in WITHOUT_A_SHELL | {"fillpath"})


@pytest.mark.parametrize("name", sorted(set(services()) - {"fillpath"}))
def test_images_have_exact_tags_with_a_source_and_no_registry_host(name: str) -> None:
    image = services()[name]["image"]
    assert re.fullmatch(r"[a-z]+/[a-z-]+:v?\d+\.\d+\.\d+", image), image
    text = COMPOSE.read_text("utf-8")
    assert re.search(rf"# Tag shown by https://github\.com/\S+.*\n\s+image: {re.escape(image)}\n", text), image


def test_dependencies_say_what_they_wait_for_and_exist() -> None:
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            assert other in services(), name
            healthy = how["condition"] == "service_healthy"
            assert not healthy or "healthcheck" in services()[other], f"{name} waits for {other}, which has no health"


def test_the_service_does_not_wait_for_telemetry_to_be_healthy() -> None:
    conditions = {how["condition"] for how in services()["fillpath"]["depends_on"].values()}
    assert conditions == {"service_started"}


def test_every_named_volume_is_declared_and_used() -> None:
    mounted = [mount.partition(":")[0] for service in services().values() for mount in service.get("volumes", [])]
    assert {mount for mount in mounted if not mount.startswith(".")} == set(compose()["volumes"])


def test_mounted_files_are_there_and_read_only() -> None:
    # These two appear with their content.
    later = {"./alerts/rules", "./dashboards"}
    for name, service in services().items():
        for mount in service.get("volumes", []):
            if mount.startswith("."):
                source, _, mode = mount.partition(":")[0], *mount.rpartition(":")[1:]
                assert mode == "ro", f"{name}: {mount}"
                assert source in later or (ROOT / source).exists(), f"{name}: {mount}"


def test_targets_are_services_and_the_ports_they_listen_on() -> None:
    targets = {
        file.stem: [target for group in read(file) for target in group["targets"]]
        for file in (ROOT / "deploy/compose/targets").glob("*.json")
    }
    assert targets == {
        "collector": ["collector:8889", "collector:8888"],
        "service": ["fillpath:8081"],
        "alertmanager": ["alertmanager:9093"],
    }
    collector = environment("collector")
    assert collector["FILLPATH_PROMETHEUS_EXPORTER"] == "0.0.0.0:8889"
    assert collector["FILLPATH_COLLECTOR_METRICS_PORT"] == "8888"


def test_the_collector_sends_to_where_jaeger_and_loki_listen() -> None:
    assert environment("collector")["FILLPATH_JAEGER_OTLP"] == "http://jaeger:14318"
    assert environment("jaeger")["FILLPATH_JAEGER_OTLP_HTTP"] == "0.0.0.0:14318"
    assert environment("collector")["FILLPATH_LOKI_OTLP"] == "http://loki:3100/otlp"
    assert read(ROOT / "deploy/loki.yaml")["server"]["http_listen_port"] == 3100


def test_the_collectors_memory_is_that_of_the_native_stack() -> None:
    assert environment("collector").items() >= COLLECTOR_MEMORY.items()


def test_every_variable_of_the_collectors_files_reaches_it() -> None:
    files = [ROOT / "otel-collector/base.yaml", *OVERLAYS]
    used = {name for file in files for name in re.findall(r"\$\{env:([A-Z_]+)", file.read_text("utf-8"))}
    assert used <= set(services()["collector"]["environment"])


def test_every_variable_of_alertmanagers_template_reaches_it() -> None:
    used = set(re.findall(r"\bALERTMANAGER_[A-Z_]+", (ROOT / "deploy/alertmanager.yml").read_text("utf-8")))
    assert used == set(services()["alertmanager"]["environment"])


def test_variables_of_jaegers_file_are_its_own() -> None:
    used = set(re.findall(r"\$\{env:([A-Z_]+)", (ROOT / "deploy/jaeger.yaml").read_text("utf-8")))
    assert set(environment("jaeger")) <= used


def test_no_secret_stands_in_it() -> None:
    def values(node: Any) -> list[str]:
        if isinstance(node, dict):
            return [item for key, value in node.items() for item in ([key] if value is None else values(value))]
        return [item for value in node for item in values(value)] if isinstance(node, list) else [str(node)]

    suspicious = re.compile(r"(?i)whsec_|password\s*[:=]\s*\S|bearer |api[-_]?key\s*[:=]")
    assert [value for value in values(compose()) if suspicious.search(value)] == []


def test_the_service_takes_its_configuration_and_environment() -> None:
    """With the host's folders in the place of the container's; the rest as it stands there."""
    file = ROOT / "deploy/compose/fillpath.toml"
    variables = environment("fillpath") | {"FILLPATH_HOST": "0.0.0.0", "FILLPATH_OPERATOR_HOST": "0.0.0.0"}
    loaded = load({key: value for key, value in variables.items() if key != "FILLPATH_CONFIG"}, file)
    assert loaded.settings.telemetry.otlp_endpoint == "http://collector:4318"
    assert str(loaded.data_dir) == "/var/lib/fillpath"
    assert {source.auth for source in loaded.settings.sources.values()} == {"standard"}
