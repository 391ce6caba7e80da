"""Asking every query: Jaeger for the traces of an order that it knows itself, Loki for the order's lines."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from dashboards.live import main

ORDER, TRACE = "01ab", "c0ffee"
SPAN = {"operationName": "order.execute", "tags": [{"key": "order.id", "value": ORDER}]}


class Servers(http.server.BaseHTTPRequestHandler):
    """Prometheus, Jaeger and Loki at one address, as far as they are asked; `line` is what Loki has of the order."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body leave in two writes, the second of which would wait
    line: str | None = "order FILLED"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        one = {"metric": {}, "value": [0, "1"], "values": [[0, "1"]]}
        labels = {"exchange": "paper", "symbol": "BTC/USDT", "source": "default"}
        self._say(200, {"status": "success", "data": [labels] if self.path.endswith("series") else {"result": [one]}})

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        trace = {"traceID": TRACE, "spans": [SPAN]}
        if path.startswith("/loki/"):
            asked = query["query"][0]
            if self.line is None or f"order_id=`{ORDER}`" not in asked:
                self._say(400, f"parse error: {asked}")
            else:
                streams = [{"stream": {}, "values": [["1", self.line]]}] if self.line else []
                self._say(200, {"status": "success", "data": {"result": streams}})
        elif path in {"/api/traces", f"/api/traces/{TRACE}"}:
            self._say(200, {"data": [trace], "errors": None})
        else:
            self._say(404, {"data": None, "errors": [{"code": 404, "msg": "trace not found"}]})

    def _say(self, status: int, answer: object) -> None:
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Servers)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def asked(address: str, *servers: str) -> Result:
    return CliRunner().invoke(main, [part for name in servers for part in (f"--{name}", address)])


def line_about(done: Result, place: str) -> str:
    (found,) = [line for line in done.output.splitlines() if place in line]
    return found


def test_traces_and_lines_of_an_order_that_jaeger_knows_are_asked_for(address: str) -> None:
    done = asked(address, "prometheus", "jaeger", "loki")

    assert done.exit_code == 0, done.output
    assert line_about(done, "Traces of this order").endswith("1 traces")
    assert line_about(done, " Trace, A").endswith("1 spans")
    assert line_about(done, "Log lines").endswith("1 lines")


def test_servers_that_are_not_named_are_not_asked(address: str) -> None:
    done = asked(address, "prometheus")

    assert done.exit_code == 0, done.output
    assert "Traces in Jaeger" not in done.output
    assert "Log lines" not in done.output


@pytest.mark.parametrize(("line", "said"), [("", "no line"), (None, "Loki refuses")])
def test_what_loki_does_not_have_or_refuses_is_named(
    address: str, monkeypatch: pytest.MonkeyPatch, line: str | None, said: str
) -> None:
    monkeypatch.setattr(Servers, "line", line)
    done = asked(address, "prometheus", "jaeger", "loki")

    assert done.exit_code == 1
    assert said in line_about(done, "Log lines")


def test_log_lines_without_an_order_to_ask_for_are_refused(address: str) -> None:
    done = asked(address, "prometheus", "loki")

    assert done.exit_code == 2
    assert "--loki needs --jaeger" in done.output
