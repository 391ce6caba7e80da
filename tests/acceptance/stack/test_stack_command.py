"""`./scripts/stack` as its user meets it: real servers on free ports, in folders of their own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.lib.stack import Ports, Stack, programs
from scripts.lib.stack.processes import start_of
from scripts.lib.stack.versions import ALERTMANAGER, AMTOOL, JAEGER, OTELCOL, PROMETHEUS, PROMTOOL
from tests.acceptance.stack.command import ROOT, Cli, program_that_fails, without_programs
from tests.acceptance.stack.waiting import eventually

SECRET_URL = "http://127.0.0.1:9/hook?key=very-secret"


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    """Found or built once, here: a test is about the command, not about how long a build takes."""
    programs.get([OTELCOL, JAEGER, PROMETHEUS, PROMTOOL, ALERTMANAGER, AMTOOL], os.environ, tell=print)


def ask(url: str, **query: str) -> Any:
    """A JSON answer."""
    return httpx.get(url, params=query, timeout=20, trust_env=False).raise_for_status().json()


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    cli = Cli(tmp_path / "stack", Ports.free())
    yield cli
    done = cli("down")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """All of it, with a receiver whose address is secret."""
    cli = Cli(tmp_path_factory.mktemp("whole") / "stack", Ports.free(), ALERTMANAGER_WEBHOOK_URL=SECRET_URL)
    try:
        said = cli.up()
        assert "very-secret" not in said.stdout + said.stderr
        yield cli
    finally:
        cli("down")


def test_status_shows_each_server_up_with_its_address_version_and_pid(whole: Cli) -> None:
    table = whole.table()
    assert set(table) == {"service", "collector", "jaeger", "prometheus", "alertmanager"}
    records = whole.records()
    for name, (up, address, version, pid) in table.items():
        assert up == "up", name
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert int(pid) == records[name].pid
        assert start_of(int(pid)) == records[name].started
    assert table["prometheus"][1] == whole.addresses.prometheus


def test_a_second_up_leaves_what_runs_alone(whole: Cli) -> None:
    before = whole.records()
    assert "All of it runs already." in whole.up().stdout
    assert whole.records() == before


def test_up_without_variables_stays_on_the_ports_that_the_stack_runs_on(whole: Cli) -> None:
    plain = {name: value for name, value in whole.environ.items() if not name.startswith("FILLPATH_PORT_")}
    done = subprocess.run(
        [ROOT / "scripts/stack", "up", "--dir", whole.folder], env=plain, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert whole.addresses.prometheus in done.stdout


def test_other_ports_are_refused_while_it_runs(whole: Cli) -> None:
    done = whole("up", FILLPATH_PORT_PROMETHEUS=str(Ports.free().prometheus))
    assert done.returncode == 1
    assert "prometheus differ" in done.stderr
    assert "stack down" in done.stderr


def test_an_order_is_found_in_jaeger_and_counted_in_prometheus(whole: Cli) -> None:
    order_id = whole.send()
    eventually(lambda: whole.traces(order_id))
    query = f"{whole.addresses.prometheus}/api/v1/query"
    filled = eventually(lambda: ask(query, query='execution_orders_total{status="FILLED"} > 0')["data"]["result"])
    assert filled[0]["metric"]["job"] == "fillpath"


def test_of_the_service_prometheus_itself_keeps_only_whether_it_is_up(whole: Cli) -> None:
    query = f"{whole.addresses.prometheus}/api/v1/query"
    up = eventually(lambda: ask(query, query="sum by (job) (up) == count by (job) (up)")["data"]["result"])
    eventually(lambda: len(ask(query, query="up == 1")["data"]["result"]) == 3)
    assert {each["metric"]["job"] for each in up} <= {"collector", "service"}
    names = ask(query, query='count by (__name__) ({job="service"})')["data"]["result"]
    assert {each["metric"]["__name__"] for each in names if not each["metric"]["__name__"].startswith("scrape_")} == {
        "up"
    }
    # The collector's own metrics come beside the service's.
    assert eventually(lambda: ask(query, query="otelcol_process_uptime")["data"]["result"])


def test_prometheus_knows_alertmanager(whole: Cli) -> None:
    known = eventually(lambda: ask(f"{whole.addresses.prometheus}/api/v1/alertmanagers")["data"]["activeAlertmanagers"])
    assert known[0]["url"].startswith(whole.addresses.alertmanager)


def test_a_receivers_address_is_readable_by_its_owner_only(whole: Cli) -> None:
    file = whole.folder / "alertmanager/alertmanager.yml"
    assert SECRET_URL in file.read_text("utf-8")
    assert file.stat().st_mode & 0o777 == 0o600
    for log in (whole.folder / "logs").iterdir():
        assert "very-secret" not in log.read_text("utf-8"), log


def test_alertmanager_and_promtool_take_the_files(whole: Cli) -> None:
    found = programs.get([AMTOOL, PROMTOOL], whole.environ)
    for command in (
        [found["amtool"].path, "check-config", whole.folder / "alertmanager/alertmanager.yml"],
        [found["promtool"].path, "check", "config", whole.folder / "prometheus/prometheus.yml"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    # With every receiver too, and with none.
    every = {
        "ALERTMANAGER_WEBHOOK_URL": SECRET_URL,
        "ALERTMANAGER_SLACK_URL": SECRET_URL,
        "ALERTMANAGER_PAGERDUTY_KEY": "0123456789abcdef",
        "ALERTMANAGER_EMAIL_TO": "me@example.com",
        "ALERTMANAGER_EMAIL_FROM": "fillpath@example.com",
        "ALERTMANAGER_EMAIL_SMARTHOST": "mail.example.com:587",
        "ALERTMANAGER_EMAIL_USERNAME": "fillpath",
        "ALERTMANAGER_EMAIL_PASSWORD": "very-secret",
    }
    for environ in (every, {}):
        made = whole.folder / "checked.yml"
        script = ["/bin/sh", ROOT / "deploy/alertmanager.sh", ROOT / "deploy/alertmanager.yml", made]
        subprocess.run(script, env={"PATH": os.environ["PATH"], **environ}, check=True)
        done = subprocess.run([found["amtool"].path, "check-config", made], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_logs_show_what_a_server_wrote_and_follow_it(whole: Cli) -> None:
    shown = whole("logs", "collector")
    assert "Everything is ready" in shown.stdout
    assert len(whole("logs", "collector", "-n", "1").stdout.splitlines()) == 1
    with subprocess.Popen(
        [ROOT / "scripts/stack", "logs", "-f", "service", "--dir", whole.folder],
        env=whole.environ,
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        try:
            order_id = whole.send()
            assert following.stdout is not None
            assert any(order_id in line for line in following.stdout)
        finally:
            following.kill()


def test_what_is_stored_is_there_after_a_restart(cli: Cli) -> None:
    cli.up("--only", "service,collector,jaeger")
    order_id = cli.send()
    eventually(lambda: cli.traces(order_id))
    secrets = {file.name: file.read_text("utf-8") for file in (cli.folder / "data/service/secrets").iterdir()}
    before = cli.records()
    assert cli("down").returncode == 0
    cli.up("--only", "service,collector,jaeger")
    assert not {record.pid for record in cli.records().values()} & {record.pid for record in before.values()}
    eventually(lambda: cli.traces(order_id))
    assert cli.fillpath("trace", order_id)
    assert secrets == {file.name: file.read_text("utf-8") for file in (cli.folder / "data/service/secrets").iterdir()}


def test_only_what_is_named_starts_and_the_rest_can_follow(cli: Cli) -> None:
    cli.up("--only", "alertmanager")
    assert {name for name, row in cli.table().items() if row[0] == "up"} == {"alertmanager"}
    first = cli.records()["alertmanager"]
    cli.up("--only", "alertmanager,prometheus")
    assert {name for name, row in cli.table().items() if row[0] == "up"} == {"alertmanager", "prometheus"}
    assert cli.records()["alertmanager"] == first


def test_down_ends_every_server_and_frees_its_port(cli: Cli) -> None:
    cli.up("--only", "alertmanager,jaeger")
    pids = [record.pid for record in cli.records().values()]
    assert "Stopped jaeger, alertmanager" in (said := cli("down").stdout) or "Stopped alertmanager, jaeger" in said
    assert [start_of(pid) for pid in pids] == [None, None]
    assert cli.ports.taken(asdict(cli.ports)) == []
    assert {row[0] for row in cli.table().values()} == {"down"}
    assert "Nothing runs here." in cli("down").stdout


def test_a_killed_server_is_shown_as_down_and_started_again(cli: Cli) -> None:
    cli.up("--only", "alertmanager")
    os.kill(cli.records()["alertmanager"].pid, 9)
    eventually(lambda: cli.table()["alertmanager"][0] == "down")
    cli.up("--only", "alertmanager")
    assert cli.table()["alertmanager"][0] == "up"


def test_a_taken_port_is_told_before_anything_starts(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", cli.ports.prometheus)):
        done = cli("up", "--only", "alertmanager,prometheus")
    assert done.returncode == 1
    assert f"port {cli.ports.prometheus}" in done.stderr
    assert "FILLPATH_PORT_PROMETHEUS=" in done.stderr
    assert cli.records() == {}


def test_missing_programs_are_listed_together_before_anything_starts(cli: Cli, tmp_path: Path) -> None:
    cli.environ = without_programs(tmp_path, cli.environ)
    done = cli("up")
    assert done.returncode == 1
    for program in (OTELCOL, JAEGER, PROMETHEUS, ALERTMANAGER):
        assert f"  {program.name} " in done.stderr
        assert f"set {program.variable} to its path" in done.stderr
    assert "building needs Go" in done.stderr
    assert "Traceback" not in done.stderr
    assert cli.records() == {}


def test_what_needs_no_missing_program_starts_without_it(cli: Cli, tmp_path: Path) -> None:
    cli.environ = without_programs(tmp_path, cli.environ)
    cli.up("--only", "service")
    assert cli.table()["service"][0] == "up"


def test_a_server_that_ends_at_its_start_is_named_with_the_end_of_its_log(cli: Cli, tmp_path: Path) -> None:
    fake = program_that_fails(tmp_path / "alertmanager", version="0.28.1", words="no space left")
    done = cli("up", "--only", "alertmanager", FILLPATH_ALERTMANAGER=str(fake))
    assert done.returncode == 1
    assert "alertmanager ended by itself" in done.stderr
    assert "| no space left" in done.stderr


def test_a_collector_without_what_the_configuration_uses_is_not_taken(cli: Cli, tmp_path: Path) -> None:
    fake = program_that_fails(tmp_path / "otelcol", version="0.159.0", words="unknown type: redaction")
    done = cli("up", "--only", "collector", FILLPATH_OTELCOL=str(fake))
    assert done.returncode == 1
    assert f"FILLPATH_OTELCOL: {fake}: unknown type: redaction" in done.stderr


@pytest.mark.parametrize("arguments", [("up", "--only", "colector"), ("up", "--overlay", "nowhere"), ("logs", "jager")])
def test_a_wrong_name_is_answered_with_the_right_ones(cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert arguments[-1] in done.stderr
    assert "Traceback" not in done.stderr


def test_a_test_can_hold_a_stack_of_its_own(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "own", Ports.free(), only=frozenset({"collector"}))
    try:
        stack.up()
        assert [each.name for each in stack.status() if each.up] == ["collector"]
        stack.kill("collector")
        assert not any(each.up for each in stack.status())
        stack.start("collector")
        assert [each.name for each in stack.status() if each.up] == ["collector"]
        stack.stop("collector")
        assert stack.running() == []
    finally:
        stack.down()
