"""The facade on the lean engine: what it exports is what the SDK engine exports; what it keeps is bounded and shown."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from enum import StrEnum
from itertools import count
from threading import Thread
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import SpanKind

from telemetry import w3c
from telemetry.facade import LogEntry, SpanContext, Telemetry
from telemetry.lean import LeanTelemetry
from telemetry.lean.encoding import Envelope
from telemetry.sdk import SdkTelemetry
from tests.unit.telemetry.lean.sink import CALLER, CONFIG, Sink

NOW = 1_700_000_000_000_000_000


class Side(StrEnum):
    BUY = "buy"


def both(
    monkeypatch: pytest.MonkeyPatch, operate: Callable[[Telemetry], object], *, now: Callable[[], int] = lambda: NOW
) -> ExportTraceServiceRequest:
    """Do it with each engine, with the same ids and times; compare what is delivered, and return it."""
    for module in ("opentelemetry.sdk.trace", *(f"telemetry.lean.{one}" for one in ("span", "block", "own", "engine"))):
        monkeypatch.setattr(f"{module}.time_ns", now)
    results = []
    for kind in (SdkTelemetry, LeanTelemetry):
        ids = count(0x1234)
        monkeypatch.setattr(w3c, "new_trace_id", lambda ids=ids: next(ids))
        monkeypatch.setattr(w3c, "new_span_id", lambda ids=ids: next(ids))
        for module in ("telemetry.lean.block", "telemetry.lean.encoding"):
            monkeypatch.setattr(f"{module}.new_span_id", lambda ids=ids: next(ids))
        engine = kind(CONFIG, {}, lambda: 0.0)
        delivered: list[Any] = []
        engine._holder._deliver = delivered.append
        if isinstance(engine, LeanTelemetry):
            engine._pipe.deliver, engine._pipe.deliver_all = delivered.append, delivered.extend
        operate(engine)
        engine.close(5)
        results.append((delivered, engine))
    (in_sdk, _), (in_lean, lean) = results
    expected = encode_spans(in_sdk)
    exported = ExportTraceServiceRequest.FromString(Envelope(lean._resource).request(in_lean) if in_lean else b"")
    assert exported == expected
    return exported


def everything(engine: Telemetry) -> None:
    values: dict[str, Any] = {
        "text": "x",
        "long": "ä" * 2000,
        "surrogate": "a\ud800",
        "decimal": Decimal("1.50"),
        "huge": Decimal("1e999999"),
        "true": True,
        "one": 1,
        "one as float": 1.0,
        "minus": -5,
        "beyond": 2**70,
        "side": Side.BUY,
        "api_key": "hunter2",
        "object": ["no", "attribute"],
    }
    header = f"00-{CALLER.trace_id}-{CALLER.span_id}-01"
    with engine.request("server", values, traceparent=header, trust=False) as request:
        request.keep()
        request.link(CALLER)
        with engine.span("child", values, links=[CALLER, SpanContext("no", "id")], client=True) as span:
            span.set({"one": 2, "new": 1})
            span.event("event", values)
            span.event("bare")
            span.fail("timeout", "why token=hunter2")
            span.fail("second")
        with suppress(ValueError), engine.span("failing"):
            raise ValueError("x" * 1000)
        with suppress(KeyboardInterrupt), engine.span("interrupted") as span:
            span.set(dict.fromkeys(map(str, range(60)), 1))
            span.set(dict.fromkeys(map(str, range(50, 70)), 2))
            raise KeyboardInterrupt
    with engine.request("trusted", {}, traceparent=header, trust=True), engine.span("below"):
        pass
    with engine.span("stored", {"true": 1, "one": True}, parent=CALLER, links=[CALLER] * 20) as span:
        for n in range(70):
            span.event(str(n), dict.fromkeys(map(str, range(n)), n))
    with engine.span("no parent", parent=SpanContext("no", "id")):
        pass


def test_both_engines_export_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    exported = both(monkeypatch, everything)

    assert len(exported.resource_spans[0].scope_spans[0].spans) == 8


def through_the_api(engine: Telemetry) -> None:
    with engine.span("x", {"a": Decimal(1), "api_key": "hunter2"}) as span:
        current = trace.get_current_span()
        current.set_attribute("list", [1, 2])
        current.set_attributes({"a": 2})
        current.add_event("e", {"list": ["x"]})
        current.update_name("y")
        span.set({"b": Decimal(2), "list": "again"})


def test_the_api_and_the_facade_may_meet_on_one_span(monkeypatch: pytest.MonkeyPatch) -> None:
    both(monkeypatch, through_the_api)


ENTRIES = [
    LogEntry(1, logging.WARNING, "WARNING", "hello", {"order.id": "abc", "n": 1, "f": 1.5, "b": True}),
    LogEntry(2, 5, "", "", {}),
    LogEntry(3, logging.CRITICAL, "CRITICAL", "ä" * 9000, {"long": "ä" * 9000}),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.severity_text)
def test_both_engines_log_the_same(entry: LogEntry) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BLRP_SCHEDULE_DELAY": "3600000"}
    sdk = SdkTelemetry(CONFIG, environ)
    sink = Sink()
    lean = LeanTelemetry(CONFIG, {}, senders={"logs": sink})
    sdk.log(entry)
    lean.log(entry)
    with lean.span("below a caller: flags 01", parent=CALLER):
        sdk.log(entry)
        lean.log(entry)
    with lean.span("root: flags 03"), lean.span("below it"):
        sdk.log(entry)
        lean.log(entry)
        assert trace.get_current_span().get_span_context().trace_flags == 3
    lean.close(5)

    expected = encode_logs(list(reversed(sdk._logs[0]._inner._queue)))
    assert ExportLogsServiceRequest.FromString(b"".join(sink.bodies)) == expected
    sdk._logs[0]._inner._queue.clear()
    sdk.close(0.01)


def test_a_third_partys_span_joins_the_trace_and_its_fate() -> None:
    sink = Sink()
    engine = LeanTelemetry(CONFIG, {}, lambda: 0.0, {"traces": sink})
    tracer = engine.provider.get_tracer("httpx", "1")

    with engine.request("server", {}, traceparent=None, trust=False) as request:
        request.keep()
        attributes = {"list": ["a", b"b", {"c": None}]}
        with tracer.start_as_current_span("GET", None, SpanKind.CLIENT, attributes), engine.span("inside"):
            pass
    engine.provider.force_flush()

    spans = {span.name: span for span in sink.spans()}
    assert spans["GET"].parent_span_id == spans["server"].span_id
    assert spans["inside"].parent_span_id == spans["GET"].span_id
    shown = json.loads(engine.trace(request.context.trace_id))["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert shown[1]["attributes"][0]["value"]["arrayValue"]["values"] == [
        {"stringValue": "a"},
        {"bytesValue": "Yg=="},
        {"kvlistValue": {"values": [{"key": "c", "value": {}}]}},
    ]
    engine.close(5)


class Baggage(SpanProcessor):
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        span.set_attribute("from.processor", "x")


def test_processors_of_others_see_the_facades_spans() -> None:
    sink = Sink()
    engine = LeanTelemetry(CONFIG, {}, senders={"traces": sink})
    engine.provider.add_span_processor(Baggage())

    with engine.span("x", {"own": Decimal("1.0")}):
        pass
    engine.close(5)

    assert [pair.key for pair in sink.spans()[0].attributes] == ["own", "from.processor"]


def test_a_span_that_cannot_be_encoded_is_counted_and_its_trace_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Sink()
    engine = LeanTelemetry(CONFIG, {}, senders={"traces": sink})

    with engine.request("x", {}, traceparent=None, trust=False) as request:
        request.whole().start_time = -1
        request.keep()
        with engine.span("child"):
            pass
    engine.close(5)

    assert [span.name for span in sink.spans()] == ["child"]
    assert engine._drops.snapshot()["traces", "internal_error"] == 1
    assert engine._holder._traces == {}


def test_a_span_that_cannot_begin_still_gives_ids() -> None:
    engine = LeanTelemetry(CONFIG, {}, senders={})

    with engine.span("x", 5) as span:  # type: ignore[arg-type]
        span.set({"a": 1})
        assert engine.current() == span.context
        assert w3c.is_valid(span.context)

    assert engine._drops.snapshot()["traces", "internal_error"] == 1
    engine.close(1)


def test_an_attribute_set_while_the_span_ends_costs_nothing() -> None:
    sink = Sink()
    engine = LeanTelemetry(CONFIG, {}, senders={"traces": sink})
    done = False

    def disturb(span: Any) -> None:
        for n in count():
            if done:
                return
            span.set({f"k{n % 50}": n})

    for _ in range(50):
        with engine.span("x", {"a": 1}) as span:
            done = False
            thread = Thread(target=disturb, args=(span,))
            logging.disable(logging.WARNING)
            thread.start()
        done = True
        thread.join()
    logging.disable(logging.NOTSET)
    engine.close(5)

    assert len(sink.spans()) == 50
    assert engine._drops.snapshot() == {}


def test_a_lean_span_costs_a_fraction_of_the_sdks() -> None:
    # A third, where a sixth to a tenth is usual: this is to catch a mistake, not to measure.
    assert 3 * cpu_of(LeanTelemetry) < cpu_of(SdkTelemetry)


def cpu_of(kind: type[LeanTelemetry | SdkTelemetry]) -> float:
    engine = kind(CONFIG, {})
    identity = {f"order.attribute.{n}": f"value {n}" for n in range(7)}
    best = float("inf")
    for _ in range(5):
        started = time.thread_time()
        for _ in range(200):
            with engine.span("x", identity) as span:
                span.set({"order.status": "FILLED"})
        best = min(best, time.thread_time() - started)
    engine.close(5)
    return best
