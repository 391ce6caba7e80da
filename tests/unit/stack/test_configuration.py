"""The files that the stack makes: whole, with its ports, and the user's own changes kept."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.lib.stack import Ports, servers
from scripts.lib.stack.configuration import Layout, with_value, write_alertmanager, write_prometheus, write_service
from service.settings import load


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.mark.parametrize(
    ("text", "table", "expected"),
    [
        ("a = 1\n[t]\nkey = 1 # old\nb = 2\n", "t", {"a": 1, "t": {"key": "new", "b": 2}}),
        ("[t]\nb = 2\n[u]\nkey = 3\n", "t", {"t": {"key": "new", "b": 2}, "u": {"key": 3}}),
        ("a = 1\n[u]\nkey = 3\n", "t", {"a": 1, "u": {"key": 3}, "t": {"key": "new"}}),
        ("a = 1\n[u]\nkey = 3\n", "", {"key": "new", "a": 1, "u": {"key": 3}}),
        ("key = 1\n[u]\nkey = 3\n", "", {"key": "new", "u": {"key": 3}}),
        ("", "t", {"t": {"key": "new"}}),
        ("# key = 1\n[t] # here\n# key = 2\n", "t", {"t": {"key": "new"}}),
    ],
)
def test_one_value_is_put_in_its_place_and_all_else_stays(text: str, table: str, expected: object) -> None:
    changed = with_value(text, table, "key", "new")
    assert tomllib.loads(changed) == expected
    assert with_value(changed, table, "key", "new") == changed


def test_the_service_reads_the_ports_and_places_of_its_stack(layout: Layout) -> None:
    ports = Ports.free()
    write_service(layout, ports)
    loaded = load({}, layout.service)
    assert (loaded.settings.server.port, loaded.settings.server.operator_port) == (ports.service, ports.operator)
    assert loaded.settings.telemetry.otlp_endpoint == f"http://127.0.0.1:{ports.otlp_http}"
    assert loaded.settings.telemetry.trace_url == f"http://127.0.0.1:{ports.jaeger_query}/trace/{{trace_id}}"
    assert loaded.settings.telemetry.log_file == str(layout.log_file)
    assert loaded.data_dir == layout.data("service")
    assert loaded.settings.sources["default"].rate == 2000


def test_what_the_user_wrote_into_it_stays_when_ports_move(layout: Layout) -> None:
    write_service(layout, Ports.free())
    edited = with_value(layout.service.read_text("utf-8"), "telemetry", "log_level", "debug") + "# mine\n"
    layout.service.write_text(edited, encoding="utf-8")
    ports = Ports.free()
    write_service(layout, ports)
    loaded = load({}, layout.service)
    assert loaded.settings.telemetry.log_level == "debug"
    assert loaded.settings.server.port == ports.service
    assert layout.service.read_text("utf-8").endswith("# mine\n")


def test_prometheus_is_told_where_each_server_is(layout: Layout) -> None:
    ports = Ports.free()
    write_prometheus(layout, ports)
    targets = {
        file.stem: json.loads(file.read_text("utf-8"))[0]["targets"]
        for file in (layout.prometheus.parent / "targets").iterdir()
    }
    assert targets == {
        "collector": [f"127.0.0.1:{ports.prometheus_exporter}", f"127.0.0.1:{ports.collector_metrics}"],
        "service": [f"127.0.0.1:{ports.operator}"],
        "alertmanager": [f"127.0.0.1:{ports.alertmanager}"],
    }


def test_alertmanagers_file_is_its_owners_only(layout: Layout) -> None:
    write_alertmanager(layout, {"PATH": "/usr/bin:/bin"})
    assert layout.alertmanager.stat().st_mode & 0o777 == 0o600


def test_the_service_gets_its_secrets_and_none_of_the_stacks_variables(layout: Layout) -> None:
    environ = {
        "PATH": "/bin",
        "FILLPATH_WEBHOOK_SECRET_DEFAULT": "secret",
        "FILLPATH_OPERATOR_TOKEN": "token",
        "FILLPATH_PORT_PROMETHEUS": "19090",
        "FILLPATH_OTELCOL": "/opt/otelcol",
        "FILLPATH_PORT": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://elsewhere:4318",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    }
    write_service(layout, Ports.default())
    given = servers.environment("service", layout, Ports.default(), environ)
    assert given["FILLPATH_WEBHOOK_SECRET_DEFAULT"] == "secret"
    assert given["OTEL_METRIC_EXPORT_INTERVAL"] == "1000"
    assert not {"FILLPATH_PORT_PROMETHEUS", "FILLPATH_OTELCOL", "OTEL_EXPORTER_OTLP_ENDPOINT"} & set(given)
    # It refuses every FILLPATH_ variable that it does not know.
    load(given).settings  # noqa: B018 - loading is what is tested


def test_each_server_listens_where_its_ports_say(layout: Layout) -> None:
    ports = Ports.free()
    for name in ("prometheus", "alertmanager"):
        command = servers.command(name, Path("program"), layout, ports, [])
        assert f"--web.listen-address=127.0.0.1:{getattr(ports, name)}" in command
    for name in ("collector", "jaeger"):
        given = " ".join(servers.environment(name, layout, ports, {}).values())
        for port in servers.SERVERS[name].ports:
            assert str(getattr(ports, port)) in given, port


def test_the_archive_lies_in_the_stacks_folder_unless_another_is_named(layout: Layout) -> None:
    def archive(environ: Mapping[str, str]) -> str:
        return servers.environment("collector", layout, Ports.default(), environ)["FILLPATH_ARCHIVE"]

    assert archive({}) == str(layout.data("archive"))
    assert archive({"FILLPATH_ARCHIVE": "/elsewhere"}) == "/elsewhere"


def test_overlays_follow_the_base(layout: Layout) -> None:
    command = servers.command("collector", Path("otelcol"), layout, Ports.default(), [Path("/a.yaml"), Path("/b.yaml")])
    base = layout.source("otel-collector/base.yaml")
    assert command[1:] == ["--config", base, "--config", Path("/a.yaml"), "--config", Path("/b.yaml")]
