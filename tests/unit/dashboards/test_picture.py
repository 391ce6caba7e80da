"""The picture: every panel from live answers, said to be no rendering of Grafana's, and what to do without Chromium."""

from __future__ import annotations

import http.server
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from click.testing import CliRunner

from dashboards.files import document
from dashboards.live import main as live
from dashboards.picture import chromium
from dashboards.picture.__main__ import main
from dashboards.picture.units import shown
from dashboards.queries import panels


class Answers(http.server.BaseHTTPRequestHandler):
    """Prometheus' interface: one series with a value for every query, but none where `empty` stands in the query."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body leave in two writes, the second of which would wait
    empty = ""

    def do_POST(self) -> None:
        fields = {
            key: value[0] for key, value in parse_qs(self.rfile.read(int(self.headers["Content-Length"]))).items()
        }
        asked = {key.decode(): value.decode() for key, value in fields.items()}
        body = json.dumps({"status": "success", "data": self._data(asked)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _data(self, asked: dict[str, str]) -> object:
        labels = {"job": "fillpath", "exchange": "<paper>", "source": "default", "client_ip": "192.0.2.1"}
        if self.path == "/api/v1/series":
            return [labels | {"symbol": "BTC/USDT"}]
        if self.empty and self.empty in asked["query"]:
            return {"resultType": "matrix", "result": []}
        if self.path == "/api/v1/query":
            return {"resultType": "vector", "result": [{"metric": labels, "value": [float(asked["time"]), "0.987"]}]}
        start, step = float(asked["start"]), float(asked["step"])
        values = [[start + n * step, "NaN" if n == 3 else str(n / 100)] for n in range(20)]
        return {"resultType": "matrix", "result": [{"metric": labels, "values": values}]}

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def prometheus() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_picture_shows_every_panel_and_says_that_it_is_not_grafanas(prometheus: str, tmp_path: Path) -> None:
    output = tmp_path / "picture.html"
    done = CliRunner().invoke(main, ["--prometheus", prometheus, "--output", str(output)])
    assert done.exit_code == 0, done.output
    html = output.read_text("utf-8")
    for panel in panels(document("execution-pipeline")):
        assert f"<h3>{panel['title']}</h3>" in html
    assert "not Grafana's own rendering" in html
    assert "98.7%" in html, "the success rate's gauge"
    assert "192.0.2.1" in html, "the table's address"
    assert html.count("<polyline") >= 10
    assert "&lt;paper&gt;" in html
    assert "<paper>" not in html, "what Prometheus answers is text, not markup"


def test_a_gap_in_the_numbers_is_a_gap_in_the_line(prometheus: str, tmp_path: Path) -> None:
    output = tmp_path / "picture.html"
    CliRunner().invoke(main, ["--prometheus", prometheus, "--output", str(output), "--dashboard", "execution-quality"])
    html = output.read_text("utf-8")
    (section,) = [part for part in html.split("<section") if "<h3>Orders in doubt</h3>" in part]
    assert section.count("<polyline") == 2


def test_a_query_without_data_is_named(prometheus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CliRunner().invoke(live, ["--prometheus", prometheus]).exit_code == 0
    monkeypatch.setattr(Answers, "empty", "execution_circuit_breaker_state")
    done = CliRunner().invoke(live, ["--prometheus", prometheus])
    assert done.exit_code == 1
    assert "1 without data" in done.output
    assert any("Circuit breaker state" in line and "no series" in line for line in done.output.splitlines())


def test_without_prometheus_it_says_so(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--prometheus", "http://127.0.0.1:1", "--output", str(tmp_path / "x.html")])
    assert done.exit_code == 1
    assert "Prometheus does not answer at http://127.0.0.1:1" in done.output


def test_without_chromium_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(main, ["--prometheus", "http://127.0.0.1:1", "--output", str(tmp_path / "x.png")])
    assert done.exit_code == 1
    assert "apt-get install chromium" in done.output


def test_a_chromium_that_draws_nothing_is_an_error_with_its_words(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho no display >&2\nexit 0\n", "utf-8")
    program.chmod(0o755)
    with pytest.raises(chromium.NoChromiumError, match="no display"):
        chromium.screenshot(str(program), "<p>", tmp_path / "x.png", 10, 10)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.00025, "s", "250 µs"),
        (0.0283, "s", "28.3 ms"),
        (75, "s", "1.25 min"),
        (0, "s", "0 s"),
        (0.9876, "percentunit", "98.8%"),
        (1536, "bytes", "1.5 KiB"),
        (1234567, "short", "1.23 M"),
        (42.5, "currencyUSD", "$42.5"),
        (1000, "reqps", "1 K req/s"),
        (math.nan, "s", "-"),
    ],
)
def test_numbers_are_shown_with_their_unit(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text
