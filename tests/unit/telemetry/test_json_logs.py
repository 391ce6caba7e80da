"""Logs: one JSON object a line, with ids and without secrets, and never an exception."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import logs, redaction
from telemetry.facade import Telemetry
from telemetry.logs import QUIET, JsonHandler, OtlpHandler, configure_logging
from telemetry.redaction import is_secret, redact, redact_text

ORDER_ID = "0190f3c2a7b47e21b3c4d5e6f7a8b9c0"


@pytest.fixture
def lines(telemetry: Telemetry) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(telemetry, service={"service": "fillpath"}, stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


log = logging.getLogger("service.test")
Lines = Callable[[], list[dict[str, Any]]]


def test_a_record_is_one_json_line_with_the_spans_ids(telemetry: Telemetry, lines: Lines) -> None:
    with telemetry.span("x") as span:
        log.info("order %s\nsent", ORDER_ID, extra={"order_id": ORDER_ID, "attempt": 2})

    (line,) = lines()
    assert line["message"] == f"order {ORDER_ID}\nsent"
    assert (line["trace_id"], line["span_id"]) == span.context
    assert (line["level"], line["logger"], line["service"]) == ("info", "service.test", "fillpath")
    assert (line["order_id"], line["attempt"]) == (ORDER_ID, 2)
    assert line["ts"].endswith("Z")


def test_a_record_outside_any_span_has_no_ids(lines: Lines) -> None:
    log.warning("x")

    assert "trace_id" not in lines()[0]


def test_no_secret_reaches_a_line(lines: Lines) -> None:
    log.error(
        "token=hunter2 whsec_hunter2 Authorization: Bearer hunter2",
        extra={"headers": {"X-Signature": "hunter2", "nested": [{"password": "hunter2"}]}, "secret": "hunter2"},
        exc_info=RuntimeError("refused: api_key=hunter2"),
    )

    (line,) = lines()
    assert "hunter2" not in json.dumps(line)
    assert line["error"]["type"] == "RuntimeError"


def test_extra_fields_never_replace_what_the_record_is(lines: Lines) -> None:
    log.info("x", extra={"level": "forged", "ts": "forged", "service": "forged"})

    assert "forged" not in json.dumps(lines()[0])


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("hunter2")


@pytest.mark.parametrize(
    "record",
    [
        {"msg": "one %s two %s", "args": ("only one",)},
        {"msg": HostileError()},
        {"msg": "x", "hostile": HostileError()},
        {"msg": "x", "exc_info": (RuntimeError, HostileError("x"), None)},
    ],
)
def test_a_failing_log_call_is_counted_and_prints_nothing(
    telemetry: Telemetry,
    record: dict[str, object],
    value: Callable[..., float | None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = JsonHandler(telemetry, {}, sys.stderr)

    handler.handle(logging.makeLogRecord(record))

    assert value("execution_telemetry_dropped_total", signal="logs", reason="internal_error") == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("created", "shown"),
    [
        (1_700_000_000.123, "2023-11-14T22:13:20.123Z"),
        (1_700_000_000.9999, "2023-11-14T22:13:20.999Z"),
        (1_700_000_001.0, "2023-11-14T22:13:21.000Z"),
        (1_700_000_000.0, "2023-11-14T22:13:20.000Z"),
    ],
)
def test_a_lines_time_is_the_records_to_the_millisecond(telemetry: Telemetry, created: float, shown: str) -> None:
    stream = io.StringIO()

    JsonHandler(telemetry, {}, stream).handle(logging.makeLogRecord({"msg": "x", "created": created}))

    assert json.loads(stream.getvalue())["ts"] == shown


class BrokenStream(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError("no space left")


def test_a_stream_that_fails_costs_the_line_and_is_counted(
    telemetry: Telemetry, value: Callable[..., float | None]
) -> None:
    JsonHandler(telemetry, {}, BrokenStream()).handle(logging.makeLogRecord({"msg": "x"}))

    assert value("execution_telemetry_dropped_total", signal="logs", reason="internal_error") == 1


def test_loggers_that_print_urls_are_quiet(lines: Lines) -> None:
    for name in QUIET:
        logging.getLogger(name).info("GET https://example.org/?token=hunter2")

    assert lines() == []


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "operator_token",
        "X-Signature",
        "x-webhook-signature",
        "webhook-signature",
        "Authorization",
        "api_key",
        "apiKey",
        "API-KEY",
        "secret",
        "secrets",
        "password",
        "passphrase",
        "cookie",
    ],
)
def test_these_keys_hold_secrets(key: str) -> None:
    assert is_secret(key)
    assert redact({key: "hunter2"}) == {key: "[redacted]"}
    assert "hunter2" not in redact_text(f"{key}: hunter2")
    assert "hunter2" not in redact_text(f'{{"{key}": "hunter2", "a": 1}}')


@pytest.mark.parametrize(
    "key", ["order.id", "order_id", "client_order_id", "trace_id", "symbol", "reason", "key", "tokenize", "url.path"]
)
def test_these_keys_hold_none(key: str) -> None:
    assert not is_secret(key)


@pytest.mark.parametrize(
    "text",
    [f"order {ORDER_ID} sent", f"order_id={ORDER_ID}", "key reused", "the signature is wrong", "reason=operator_token"],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == text


def test_user_info_in_urls_is_masked() -> None:
    assert redact_text("GET https://me:hunter2@example.org/x") == "GET https://[redacted]@example.org/x"


_PIECES = st.sampled_from(
    [
        "whsec_",
        "WHSEC_x",
        "Bearer ",
        "basic\t",
        "bearer",
        "token",
        "api_key",
        "Secret",
        "=",
        ":",
        ": ",
        "://",
        "@",
        "a1",
    ]
)


@given(st.lists(_PIECES | st.text(max_size=4), max_size=8).map("".join))
def test_no_text_is_passed_over_that_the_patterns_would_change(text: str) -> None:
    clean = redaction.clean_text(text)
    masked = redaction._PREFIXED.sub(redaction.MASK, clean)
    masked = redaction._ASSIGNED.sub(rf"\g<key>{redaction.MASK}", masked)
    assert redaction.redact_text(text) == redaction._USER_INFO.sub(rf"\g<scheme>{redaction.MASK}@", masked)


def test_a_record_is_redacted_once_for_all_that_show_it(telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def redact_text(text: str) -> str:
        asked.append(text)
        return text

    monkeypatch.setattr(logs, "redact_text", redact_text)
    record = logging.makeLogRecord({"name": "service", "msg": "said once"})
    JsonHandler(telemetry, {}, io.StringIO()).handle(record)
    OtlpHandler(telemetry).handle(record)
    assert asked == ["said once"]
