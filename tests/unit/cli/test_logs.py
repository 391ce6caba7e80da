"""`fillpath logs` without a service: which lines it takes from a log file or from Loki, and what it says."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse
from pathlib import Path

import pytest

from service.cli.commands import run
from service.cli.log_lines import LogLine, Wanted

ORDER = "01a20ade1ffa76269dc6b829d5eaa812"
OTHER = "01a20ade1ffa76269dc6b829d5eaa813"
TRACE = "41b9af319bc611c039eed0218707d746"
NS = 1_795_478_659_117_463_000


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing answers: the operator's port is 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FILLPATH_OPERATOR_TOKEN", "the-token-of-the-test")
    monkeypatch.setenv("FILLPATH_OPERATOR_PORT", "1")
    monkeypatch.setenv("COLUMNS", "200")  # wide enough that no line is broken
    monkeypatch.delenv("FILLPATH_LOG_FILE", raising=False)
    monkeypatch.delenv("FILLPATH_LOKI_URL", raising=False)


def export(message: str, *, at: int = NS, trace: str = TRACE, **attributes: object) -> str:
    """One line of the collector's file, with one record."""

    def value(one: object) -> dict[str, object]:
        return {"boolValue": one} if isinstance(one, bool) else {"stringValue": str(one)}

    record = {
        "timeUnixNano": str(at),
        "severityText": "INFO",
        "body": {"stringValue": message},
        "attributes": [{"key": key.replace("__", "."), "value": value(one)} for key, one in attributes.items()],
        "traceId": trace,
        "spanId": "d21f9b3b4fd4e6cd",
    }
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def found(file: Path, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert run(["logs", ORDER, "--file", str(file), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def messages(file: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line["message"] for line in found(file, capsys)]


class Loki:
    """What Loki's documented interface answers, and what it was asked."""

    def __init__(self, status: int, body: bytes) -> None:
        loki = self
        self.asked: list[tuple[str, dict[str, str]]] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                loki.asked.append((path, dict(urllib.parse.parse_qsl(query))))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def loki():
    """A function that starts one."""
    started: list[Loki] = []

    def start(body: object, status: int = 200) -> Loki:
        started.append(Loki(status, body if isinstance(body, bytes) else json.dumps(body).encode()))
        return started[-1]

    yield start
    for one in started:
        one.close()


def streams(*each: tuple[dict[str, str], list[list[str]]]) -> dict:
    result = [{"stream": labels, "values": values} for labels, values in each]
    return {"status": "success", "data": {"resultType": "streams", "result": result, "stats": {}}}


def test_lines_stand_in_the_order_of_time_each_once(tmp_path, capsys):
    first, second = export("first", at=NS, order_id=ORDER), export("second", at=NS + 1, order_id=ORDER)

    assert messages(written(tmp_path / "a.jsonl", second, first, second), capsys) == ["first", "second"]


def test_rotated_files_are_read_too(tmp_path, capsys):
    written(tmp_path / "a-2026-11-23T23-51-51.123-size.jsonl", export("oldest", at=NS, order_id=ORDER))
    written(tmp_path / "a-2026-11-24T00-51-51.123-size.jsonl", export("older", at=NS + 1, order_id=ORDER))
    written(tmp_path / "b.jsonl", export("not ours", order_id=ORDER))

    current = written(tmp_path / "a.jsonl", export("newest", at=NS + 2, order_id=ORDER))

    assert messages(current, capsys) == ["oldest", "older", "newest"]


def test_rotated_files_are_read_while_there_is_no_current_one(tmp_path, capsys):
    written(tmp_path / "a-2026-11-23T23-51-51.123-size.jsonl", export("only", order_id=ORDER))

    assert messages(tmp_path / "a.jsonl", capsys) == ["only"]


@pytest.mark.parametrize("key", ["order_id", "client_order_id", "exchange_order_id", "reference", "order__id"])
def test_a_line_is_found_by_whichever_attribute_names_the_order(tmp_path, capsys, key):
    file = written(tmp_path / "a.jsonl", export("named", **{key: ORDER}), export("other", **{key: OTHER}))

    assert messages(file, capsys) == ["named"]


def test_a_damaged_line_is_passed_over_and_told(tmp_path, capsys):
    whole = export("whole", order_id=ORDER)
    file = written(tmp_path / "a.jsonl", whole[: len(whole) - 40], '{"resourceLogs": "' + ORDER, whole)

    assert run(["logs", ORDER, "--file", str(file)]) == 0

    output = capsys.readouterr()
    assert "whole" in output.out
    assert "2 damaged lines" in output.err


def test_the_text_shows_what_matters_and_json_shows_everything(tmp_path, capsys):
    line = export("create_order raised", order_id=ORDER, account="paper-1", exception__type="OSError", sent=True)
    file = written(tmp_path / "a.jsonl", line)

    (shown,) = found(file, capsys)
    assert shown["time"] == "2026-11-24T00:04:19.117463Z"
    assert shown["attributes"] == {
        "order_id": ORDER,
        "account": "paper-1",
        "exception_type": "OSError",
        "sent": "true",
    }
    run(["logs", ORDER, "--file", str(file)])
    text = capsys.readouterr().out.splitlines()[1]
    assert text.endswith("create_order raised account=paper-1 exception_type=OSError sent=true")
    assert ORDER not in text


def test_control_characters_of_a_message_do_not_reach_the_terminal(tmp_path, capsys):
    run(["logs", ORDER, "--file", str(written(tmp_path / "a.jsonl", export("a\x1b[2J", order_id=ORDER)))])

    assert "\x1b" not in capsys.readouterr().out


def test_without_a_place_for_logs_the_settings_are_named(capsys):
    assert run(["logs", ORDER]) == 1

    error = capsys.readouterr().err
    assert all(word in error for word in ("telemetry.log_file", "FILLPATH_LOG_FILE", "telemetry.loki_url", "--loki"))


def test_a_file_that_is_not_there_is_named_with_what_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FILLPATH_LOG_FILE", str(tmp_path / "nowhere.jsonl"))

    assert run(["logs", ORDER]) == 1

    assert f"there is no log file {tmp_path}/nowhere.jsonl; start the collector" in capsys.readouterr().err


def test_nothing_found_is_said_and_exits_with_1(tmp_path, capsys):
    assert run(["logs", ORDER, "--file", str(written(tmp_path / "a.jsonl", export("x", order_id=OTHER)))]) == 1

    assert f"no line about order {ORDER} in {tmp_path}/a.jsonl" in capsys.readouterr().err


def test_lines_come_from_loki_where_one_is_configured(loki, monkeypatch, tmp_path, capsys):
    labels = {
        "service_name": "fillpath",
        "deployment_environment_name": "development",
        "scope_name": "fillpath",
        "severity_number": "9",
        "severity_text": "INFO",
        "detected_level": "info",
        "observed_timestamp": str(NS),
        "trace_id": TRACE,
        "span_id": "d21f9b3b4fd4e6cd",
        "logger": "service.execution.change_log",
        "order_id": ORDER,
        "symbol": "BTC/USDT",
    }
    asked = loki(streams((labels, [[str(NS + 5), "order FILLED"], [str(NS), "order SUBMITTED"]])))
    monkeypatch.setenv("FILLPATH_LOKI_URL", asked.url)
    monkeypatch.setenv("FILLPATH_LOG_FILE", str(written(tmp_path / "a.jsonl", export("in the file", order_id=ORDER))))

    assert run(["logs", ORDER, "--json"]) == 0

    lines = json.loads(capsys.readouterr().out)
    assert [line["message"] for line in lines] == ["order SUBMITTED", "order FILLED"]
    assert {key: lines[0][key] for key in ("level", "logger", "trace_id", "attributes")} == {
        "level": "info",
        "logger": "service.execution.change_log",
        "trace_id": TRACE,
        "attributes": {"order_id": ORDER, "symbol": "BTC/USDT"},
    }
    ((path, query),) = asked.asked
    assert path == "/loki/api/v1/query_range"
    assert query["query"].startswith('{service_name=~".+"} | ')
    assert f'order_id="{ORDER}" or ' in query["query"]
    assert query["direction"] == "forward"
    assert int(query["start"]) < int(query["end"])


def test_a_loki_that_refuses_is_told_with_its_words(loki, capsys):
    asked = loki(b"parse error : unexpected IDENTIFIER", 400)

    assert run(["logs", ORDER, "--loki", asked.url]) == 1

    assert "refused the question (400): parse error" in capsys.readouterr().err


def test_a_loki_that_does_not_answer_is_told_without_its_password(capsys):
    assert run(["logs", ORDER, "--loki", "http://me:my-password@127.0.0.1:1"]) == 1

    error = capsys.readouterr().err
    assert "Loki does not answer at http://127.0.0.1:1 (" in error
    assert "my-password" not in error


def test_something_else_than_loki_is_called_so(loki, capsys):
    assert run(["logs", ORDER, "--loki", loki(b"<html>hello</html>").url]) == 1

    assert "something that Loki never sends" in capsys.readouterr().err


def test_the_query_names_ids_and_trace_and_keeps_quotes_inside_its_strings():
    query = Wanted(frozenset({'a"b'}), TRACE).log_ql

    assert 'order_id="a\\"b"' in query
    assert query.endswith(f' or trace_id="{TRACE}"')


def line(trace_id=TRACE, **attributes):
    return LogLine(
        time_ns=NS, level="info", logger="x", message="y", trace_id=trace_id, span_id="", attributes=attributes
    )


def test_a_known_order_has_the_lines_of_its_trace_but_not_those_of_another_order_in_it():
    wanted = Wanted(frozenset({ORDER, "fp-1", "1"}), TRACE)

    assert wanted.includes(line())
    assert wanted.includes(line(order_id=ORDER))
    assert wanted.includes(line(trace_id="", client_order_id="fp-1"))
    assert not wanted.includes(line(order_id=OTHER))
    assert not wanted.includes(line(trace_id="", order_id=OTHER, exchange_order_id="1"))
    assert not wanted.includes(line(trace_id=""))


def test_an_order_that_is_not_known_has_the_lines_that_name_it():
    wanted = Wanted(frozenset({"fp-1"}))

    assert wanted.includes(line(order_id=ORDER, client_order_id="fp-1"))
    assert not wanted.includes(line(order_id=ORDER))
