"""Servers' checks against a small one that answers as Grafana and Prometheus do, also as none should.

Grafana itself runs as a container only, which tests cannot rely on: that these answers are Grafana's is read in its
HTTP API's documentation, not seen here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dashboards import pipeline
from dashboards.files import FOLDER
from scripts.lib.validate.asking import Server
from scripts.lib.validate.results import CheckError
from scripts.lib.validate.servers import check_dashboard, check_grafana, check_prometheus

UID = pipeline.UID
DASHBOARD = f"/api/dashboards/uid/{UID}"
TOKEN = "glsa_not_to_be_seen"
COMMITTED = json.loads((FOLDER / f"{UID}.json").read_text("utf-8"))
HEALTHY = {"database": "ok", "version": "12.4.2"}

Answers = dict[str, tuple[int, Any]]


@contextmanager
def answering(answers: Answers, asked: list[dict[str, str]] | None = None) -> Iterator[Server]:
    """A server with these answers by path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(dict(self.headers))
            status, body = answers.get(self.path, (404, {"message": "Dashboard not found"}))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Nothing: tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        yield Server("Grafana", url, "start it", {"Authorization": f"Bearer {TOKEN}"})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_healthy_grafana_with_the_dashboard_passes_and_is_asked_with_the_token() -> None:
    asked: list[dict[str, str]] = []
    with answering({"/api/health": (200, HEALTHY), DASHBOARD: (200, {"dashboard": COMMITTED})}, asked) as grafana:
        assert check_grafana(grafana) == "12.4.2"
        assert check_dashboard(grafana) == f"{UID} with its 16 panels"
    assert {headers["Authorization"] for headers in asked} == {f"Bearer {TOKEN}"}


def test_a_grafana_whose_database_is_not_well_fails() -> None:
    with (
        answering({"/api/health": (200, HEALTHY | {"database": "failing"})}) as grafana,
        pytest.raises(CheckError, match="failing"),
    ):
        check_grafana(grafana)


@pytest.mark.parametrize(("status", "found", "fix"), [(404, "no dashboard", "provision"), (401, "401", "TOKEN")])
def test_a_dashboard_that_is_not_shown_fails_with_what_to_do(status: int, found: str, fix: str) -> None:
    with answering({DASHBOARD: (status, {})}) as grafana, pytest.raises(CheckError, match=found) as failed:
        check_dashboard(grafana)
    assert fix in failed.value.fix
    assert TOKEN not in f"{failed.value.found} {failed.value.fix}"


def test_an_older_dashboard_fails_naming_the_panel_that_it_lacks() -> None:
    *most, last = COMMITTED["panels"]
    with (
        answering({DASHBOARD: (200, {"dashboard": COMMITTED | {"panels": most}})}) as grafana,
        pytest.raises(CheckError, match=last["title"]),
    ):
        check_dashboard(grafana)


def test_another_program_in_its_place_fails() -> None:
    with (
        answering({"/api/health": (200, b"<html>hello</html>")}) as grafana,
        pytest.raises(CheckError, match="is not Grafana"),
    ):
        check_grafana(grafana)


def test_a_server_that_is_not_there_is_named_with_its_address_but_not_with_what_is_secret_in_it() -> None:
    gone = Server("Grafana", "http://admin:hunter2@127.0.0.1:1", "start it")
    with pytest.raises(CheckError, match=r"Grafana does not answer at http://127\.0\.0\.1:1") as failed:
        check_grafana(gone)
    assert failed.value.fix == "start it"
    assert "hunter2" not in failed.value.found


def test_an_address_that_is_none_is_not_repeated() -> None:
    with pytest.raises(CheckError, match="expected one like") as failed:
        check_grafana(Server("Grafana", "http://admin:hunter2@host:port", "start it"))
    assert "hunter2" not in failed.value.found


@pytest.mark.parametrize(
    ("health", "found"),
    [
        ({}, "0 of 0 targets up"),
        ({"fillpath": "down", "jaeger": "down"}, "0 of 2 targets up, not fillpath, jaeger"),
        ({"fillpath": "unknown"}, "0 of 1 targets up, not fillpath"),
    ],
)
def test_a_prometheus_that_reaches_nothing_fails(health: dict[str, str], found: str) -> None:
    with answering(prometheus_with(health)) as prometheus, pytest.raises(CheckError, match=found):
        check_prometheus(prometheus, by=0)


def test_a_prometheus_that_does_not_reach_one_of_its_targets_names_it() -> None:
    with answering(prometheus_with({"fillpath": "up", "jaeger": "down"})) as prometheus:
        assert check_prometheus(prometheus, by=0) == "3.5.0; 1 of 2 targets up, not jaeger"


def prometheus_with(health: dict[str, str]) -> Answers:
    targets = [{"labels": {"job": job}, "health": state} for job, state in health.items()]
    return {
        "/-/ready": (200, {}),
        "/api/v1/status/buildinfo": (200, {"status": "success", "data": {"version": "3.5.0"}}),
        "/api/v1/targets?state=active": (200, {"status": "success", "data": {"activeTargets": targets}}),
    }
