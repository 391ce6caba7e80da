"""The command line: what its options ask for, and how it ends."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib.traffic.command import Wanted, main
from tests.unit.traffic.targets import target

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
AT = target("http://127.0.0.1:8080")
ASKED_NOTHING = Wanted(
    webhooks=None, concurrent=None, load_test=False, duration=None, rate=None, failures=False, rate_limit=False, seed=1
)


def wanted(**options: object) -> Wanted:
    return Wanted(**{name: options.get(name, getattr(ASKED_NOTHING, name)) for name in Wanted.__slots__})


@pytest.mark.parametrize(
    ("options", "count", "connections", "rate"),
    [
        ({}, 100, 10, None),
        ({"webhooks": 7}, 7, 7, None),
        ({"webhooks": 500, "concurrent": 20}, 500, 20, None),
        ({"load_test": True}, 60_000, 128, 1000),
        ({"load_test": True, "duration": 2, "rate": 50}, 100, 100, 50),
        ({"rate": 20}, 100, 100, 20),
    ],
)
def test_the_options_make_a_job(options: dict[str, object], count: int, connections: int, rate: float | None) -> None:
    job = wanted(**options).job(AT, "run")
    assert (job.count, job.connections) == (count, connections)
    assert (job.schedule.rate if job.schedule else None) == rate


def test_checks_alone_send_no_traffic() -> None:
    assert not wanted(failures=True).traffic
    assert not wanted(rate_limit=True).traffic
    assert wanted(failures=True, webhooks=5).traffic
    assert wanted(rate_limit=True, load_test=True).traffic


class Refusing(http.server.BaseHTTPRequestHandler):
    """A service that takes nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"reason": "shutting_down", "detail": "later"}'
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def refusing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_missed_target_is_an_exit_with_1_and_says_why(refusing: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", refusing, "--secret", SECRET, "--webhooks", "5"]) == 1
    said = capsys.readouterr().out
    assert "answered as expected" in said
    assert "missed" in said
    assert "503 where 202 was expected: shutting_down: later" in said
    assert SECRET not in said


def test_json_is_one_document(refusing: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", refusing, "--secret", SECRET, "--webhooks", "5", "--test-failures", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["passed"] is False
    assert document["traffic"]["statuses"] == {"503": 5}
    assert not any(check["passed"] for check in document["checks"]["what has to be refused"])


def test_where_nothing_answers_it_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--url", "http://127.0.0.1:1", "--secret", SECRET]) == 2
    assert "start it with ./scripts/run, or give --url" in capsys.readouterr().err
    assert main(["--url", "http://127.0.0.1:1", "--secret", SECRET, "--test-failures"]) == 2


def test_a_host_that_is_not_this_machine_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--url", "http://192.0.2.1", "--secret", SECRET]) == 2
    assert "--i-own-this-host" in capsys.readouterr().err
