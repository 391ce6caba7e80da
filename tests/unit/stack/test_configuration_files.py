"""The committed files of collector, Jaeger, Prometheus and Alertmanager, read without any server."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.lib.stack import Ports, servers
from scripts.lib.stack.configuration import Layout
from telemetry import redaction

ROOT = Path(__file__).resolve().parents[3]
BASE: dict[str, Any] = yaml.safe_load((ROOT / "otel-collector/base.yaml").read_text("utf-8"))
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "otel-collector/manifest.yaml").read_text("utf-8"))
JAEGER: dict[str, Any] = yaml.safe_load((ROOT / "deploy/jaeger.yaml").read_text("utf-8"))
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text("utf-8"))
WEBHOOK, SLACK, KEY = "http://127.0.0.1:9/hook?key=Se1&b=2", "http://127.0.0.1:9/services/Se2", 'Se3"with\\quotes'
ENV = re.compile(r"\$\{env:([A-Z_]+):-[^}]+\}")


def alertmanager(folder: Path, **environ: str) -> dict[str, Any]:
    """What the script makes of the template in this environment."""
    made = folder / "alertmanager.yml"
    done = subprocess.run(
        ["/bin/sh", ROOT / "deploy/alertmanager.sh", ROOT / "deploy/alertmanager.yml", made],
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
    return dict(yaml.safe_load(made.read_text("utf-8")))


def test_the_collector_masks_the_names_and_prefixes_that_the_service_masks() -> None:
    rules = BASE["processors"]["redaction"]
    # In the collector's files a single dollar begins a variable; the flag stands in the pattern.
    keys = [pattern.replace("$$", "$").removeprefix("(?i)") for pattern in rules["blocked_key_patterns"]]
    assert keys == [redaction._SECRET_KEY.pattern]
    prefixes, user_info = (pattern.removeprefix("(?i)") for pattern in rules["blocked_values"])
    assert prefixes == redaction._PREFIXED.pattern
    assert user_info == re.sub(r"\(\?P<scheme>(.*)\)(\[)", r"\1\2", redaction._USER_INFO.pattern)


def test_every_pipeline_limits_memory_first_and_then_redacts() -> None:
    for name, pipeline in BASE["service"]["pipelines"].items():
        assert pipeline["processors"] == ["memory_limiter", "redaction"], name


def test_nothing_holds_state_before_a_queue_on_disk() -> None:
    assert not {name.partition("/")[0] for name in BASE["processors"]} & {"batch", "tail_sampling", "groupbytrace"}
    jaeger = BASE["exporters"]["otlp_http/jaeger"]
    assert jaeger["sending_queue"]["storage"] == "file_storage"
    assert jaeger["retry_on_failure"]["max_elapsed_time"] == 0


def test_everything_defined_is_used() -> None:
    service = BASE["service"]
    pipelines = service["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert set(BASE[kind]) == {name for pipeline in pipelines for name in pipeline[kind]}
    assert set(BASE["extensions"]) == set(service["extensions"])


def test_the_manifest_is_of_one_version() -> None:
    version = f"v{MANIFEST['dist']['version']}"
    for kind in ("receivers", "processors", "exporters", "connectors", "extensions"):
        assert {module["gomod"].split()[1] for module in MANIFEST[kind]} == {version}


def _variables_of_its_file(given: str, folder: Path) -> dict[str, str]:
    """What the stack starts a server with, apart from what Go itself reads."""
    started_with = servers.environment(given, Layout(folder), Ports.default(), {})
    return {name: value for name, value in started_with.items() if name not in servers.COLLECTOR_MEMORY}


def test_the_collectors_heap_stays_below_what_its_limiter_refuses_at() -> None:
    limiter = BASE["processors"]["memory_limiter"]
    heap_mib = int(servers.COLLECTOR_MEMORY["GOMEMLIMIT"].removesuffix("MiB"))
    assert heap_mib < limiter["limit_mib"] - limiter["spike_limit_mib"]


def test_who_starts_the_stack_may_set_the_collectors_memory(tmp_path: Path) -> None:
    given = servers.environment("collector", Layout(tmp_path), Ports.default(), {"GOGC": "100"})
    assert (given["GOGC"], given["GOMEMLIMIT"]) == ("100", servers.COLLECTOR_MEMORY["GOMEMLIMIT"])


@pytest.mark.parametrize(
    ("files", "given"),
    [
        (("otel-collector/base.yaml", "otel-collector/overlays/archive.yaml"), "collector"),
        (("deploy/jaeger.yaml",), "jaeger"),
    ],
)
def test_the_stack_sets_exactly_the_variables_that_files_read(
    tmp_path: Path, files: tuple[str, ...], given: str
) -> None:
    read = {name for file in files for name in ENV.findall((ROOT / file).read_text("utf-8"))}
    assert read == _variables_of_its_file(given, tmp_path).keys()


@pytest.mark.parametrize(
    ("file", "given"), [("otel-collector/base.yaml", "collector"), ("deploy/jaeger.yaml", "jaeger")]
)
def test_the_defaults_of_a_file_are_the_default_ports(tmp_path: Path, file: str, given: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    for name, value in _variables_of_its_file(given, tmp_path).items():
        if not value.startswith("/"):
            assert f"${{env:{name}:-{value}}}" in text


def test_jaeger_keeps_traces_on_disk_for_30_days() -> None:
    store = JAEGER["extensions"]["jaeger_storage"]["backends"]["badger"]["badger"]
    assert store["ephemeral"] is False
    assert store["ttl"]["spans"] == "720h"


def test_prometheus_keeps_the_labels_of_the_service_and_only_up_of_its_direct_scrape() -> None:
    collector, service = PROMETHEUS["scrape_configs"]
    assert collector["honor_labels"] is True
    assert service["metric_relabel_configs"] == [{"source_labels": ["__name__"], "regex": ".*", "action": "drop"}]
    assert PROMETHEUS["global"]["scrape_interval"] == "5s"


def test_without_receivers_alerts_are_kept_and_go_nowhere(tmp_path: Path) -> None:
    made = alertmanager(tmp_path)
    assert made["receivers"] == [{"name": "critical"}, {"name": "warning"}, {"name": "info"}]
    assert "smtp_smarthost" not in made["global"]


def test_receivers_of_the_environment_are_kept_as_they_are_written(tmp_path: Path) -> None:
    made = alertmanager(
        tmp_path,
        ALERTMANAGER_WEBHOOK_URL=WEBHOOK,
        ALERTMANAGER_SLACK_URL=SLACK,
        ALERTMANAGER_PAGERDUTY_KEY=KEY,
        ALERTMANAGER_EMAIL_TO="me@example.com",
        ALERTMANAGER_EMAIL_FROM="fillpath@example.com",
        ALERTMANAGER_EMAIL_SMARTHOST="mail.example.com:587",
    )
    critical, warning, info = made["receivers"]
    assert critical["pagerduty_configs"] == [{"routing_key": KEY}]
    assert critical["slack_configs"][0]["channel"] == "#alerts"
    assert {receiver["webhook_configs"][0]["url"] for receiver in (critical, warning, info)} == {WEBHOOK}
    assert "pagerduty_configs" not in warning
    assert "email_configs" not in info
    assert made["global"]["smtp_smarthost"] == "mail.example.com:587"
    assert (tmp_path / "alertmanager.yml").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"ALERTMANAGER_EMAIL_TO": "me@example.com"}, "ALERTMANAGER_EMAIL_SMARTHOST"),
        ({"ALERTMANAGER_SLACK_URL": "http://secret\nreceivers: []"}, "ALERTMANAGER_SLACK_URL"),
    ],
)
def test_what_cannot_be_filled_in_is_named_without_its_value(
    tmp_path: Path, environ: dict[str, str], named: str
) -> None:
    made = tmp_path / "alertmanager.yml"
    done = subprocess.run(
        ["/bin/sh", ROOT / "deploy/alertmanager.sh", ROOT / "deploy/alertmanager.yml", made],
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert named in done.stderr
    assert "secret" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_each_severity_has_its_own_way_and_pace() -> None:
    template = yaml.safe_load((ROOT / "deploy/alertmanager.yml").read_text("utf-8"))
    routes = {route["matchers"][0]: route for route in template["route"]["routes"]}
    assert routes['severity="critical"']["group_wait"] == "0s"
    assert routes['severity="critical"']["repeat_interval"] == "1h"
    assert routes['severity="info"']["repeat_interval"] == "24h"
    assert template["route"]["group_by"] == ["alertname", "component"]
