from __future__ import annotations

import http.server
import json
import threading

import pytest

from service.cli.commands import COMMANDS, run
from service.cli.output import clean

SECRET = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiBmaWxscGF0aA=="
SEND = ["send", "--symbol", "BTC/USDT", "--side", "buy", "--quantity", "0.01"]


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FILLPATH_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("FILLPATH_OPERATOR_TOKEN", "the-token-of-the-test")
    monkeypatch.setenv("FILLPATH_PORT", "1")
    monkeypatch.setenv("FILLPATH_OPERATOR_PORT", "1")


@pytest.fixture
def answering():
    """A server that answers every request with one status and body; yields a function that starts it."""
    servers = []

    def start(status, body):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    assert run([command, "--help"]) == 0
    assert "Usage: fillpath" in capsys.readouterr().out


def test_wrong_usage_exits_with_2(capsys):
    assert run(["send", "--side", "up", "--symbol", "x"]) == 2
    assert "'up' is not one of" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [SEND, ["orders"], ["trace", "x"], ["cancel", "x"], ["halt"], ["resume"]])
def test_a_service_that_is_down_is_one_line_that_says_what_to_do(arguments, capsys):
    assert run(arguments) == 1

    error = capsys.readouterr().err
    assert error.startswith("fillpath: nothing answers at http://127.0.0.1:1 (")
    assert "fillpath serve" in error
    assert error.count("\n") == 1


def test_a_refusal_shows_reason_detail_fields_limits_and_trace(answering, capsys):
    problem = {
        "reason": "invalid_field",
        "detail": "two fields are wrong",
        "errors": [{"field": "price", "kind": "missing", "message": "a limit order needs a price"}],
        "limit": "70000",
        "trace_id": "4bf92f35",
    }

    assert run([*SEND, "--url", answering(422, json.dumps(problem).encode())]) == 1

    assert capsys.readouterr().err.splitlines() == [
        "fillpath: refused: invalid_field (422): two fields are wrong",
        "  price: a limit order needs a price",
        "  limit: 70000",
        "  trace: 4bf92f35",
    ]


def test_an_answer_that_is_not_ours_is_called_so(answering, capsys):
    assert run([*SEND, "--url", answering(502, b"<html>bad gateway</html>")]) == 1
    assert "something that Fillpath never sends" in capsys.readouterr().err


def test_an_accepted_alert_stays_accepted_when_its_details_cannot_be_shown(answering, capsys):
    answer = {"order_id": "o1", "client_order_id": "c1", "status": "RECEIVED", "trace_id": "t1", "links": {}}

    assert run([*SEND, "--url", answering(202, json.dumps(answer).encode())]) == 0

    output = capsys.readouterr()
    assert "RECEIVED" in output.out
    assert "accepted, but its details cannot be shown" in output.err


def test_an_address_that_is_none_is_refused(capsys):
    assert run([*SEND, "--url", "nonsense"]) == 1
    assert "is not an address" in capsys.readouterr().err


def test_an_unknown_source_is_refused_with_the_known_ones(capsys):
    assert run([*SEND, "--source", "other-one"]) == 1
    assert "source `other-one` is not configured; configured are: default" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[*SEND, "--json"], ["orders"], ["check"]])
def test_no_secret_is_printed_by_a_failing_command(arguments, capsys):
    run(arguments)

    output = capsys.readouterr()
    assert SECRET[6:] not in output.out + output.err
    assert "the-token-of-the-test" not in output.out + output.err


def test_control_characters_are_replaced():
    assert clean("a\x1b[2J\nb") == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b"
