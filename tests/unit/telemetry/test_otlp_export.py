"""Export: what a real receiver gets, and what a dead one costs."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from telemetry import conventions as c
from telemetry.config import TelemetryConfig
from telemetry.facade import LogEntry, Telemetry
from telemetry.logs import OtlpHandler
from tests.support.receivers import BOUND, Receiver, wait_until


@pytest.fixture
def exporting(
    config: TelemetryConfig, receiver: Receiver, engine_class: Callable[..., Telemetry]
) -> Iterator[Telemetry]:
    engine = engine_class(config, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "20"})
    yield engine
    receiver.released.set()
    engine.close(BOUND)


def dropped(engine: Telemetry, signal: str, reason: str) -> float:
    line = f'execution_telemetry_dropped_total{{signal="{signal}",reason="{reason}"}} '
    text = engine.metrics("")[0].decode()
    return float(text.split(line)[1].split("\n")[0])


def test_spans_metrics_and_logs_arrive_whole(exporting: Telemetry, receiver: Receiver) -> None:
    with exporting.request(c.server_span_name("tv"), {}, traceparent=None, trust=False) as request:
        request.keep()
        exporting.record(c.ACK_DURATION, 0.003, source="tv")
        exporting.log(LogEntry(1, logging.WARNING, "WARNING", "hello", {"order.id": "abc"}))
    exporting.close(BOUND)

    traces = ExportTraceServiceRequest.FromString(receiver.bodies["/v1/traces"][0])
    span = traces.resource_spans[0].scope_spans[0].spans[0]
    assert span.trace_id.hex() == request.context.trace_id
    resource = {a.key: a.value.string_value for a in traces.resource_spans[0].resource.attributes}
    assert (resource["service.name"], resource["service.instance.id"]) == ("fillpath", "one")

    metrics = ExportMetricsServiceRequest.FromString(receiver.bodies["/v1/metrics"][-1])
    found = {m.name: m for m in metrics.resource_metrics[0].scope_metrics[0].metrics}
    point = found[c.ACK_DURATION.name].histogram.data_points[0]
    assert point.exemplars[0].trace_id == span.trace_id
    assert {p.as_double for p in found[c.DENIALS.name].sum.data_points} == {0.0}

    record = ExportLogsServiceRequest.FromString(receiver.bodies["/v1/logs"][0]).resource_logs[0].scope_logs[0]
    assert record.log_records[0].trace_id == span.trace_id
    assert record.log_records[0].body.string_value == "hello"
    assert record.log_records[0].severity_text == "WARNING"


def test_an_unkept_trace_is_never_sent(
    config: TelemetryConfig, receiver: Receiver, engine_class: Callable[..., Telemetry]
) -> None:
    engine = engine_class(config, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}, clock=lambda: 0.0)
    seen = []
    for _ in range(12):
        with engine.request("x", {}, traceparent=None, trust=False) as request:
            seen.append(request.context.trace_id)
    engine.close(BOUND)

    sent = [
        span.trace_id.hex()
        for body in receiver.bodies["/v1/traces"]
        for span in ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    ]
    assert sorted(sent) == sorted(seen[:10])


def test_spans_leave_within_their_delay_without_a_close(exporting: Telemetry, receiver: Receiver) -> None:
    with exporting.span("x"):
        pass

    wait_until(lambda: bool(receiver.bodies["/v1/traces"]))


def test_a_refusing_receiver_is_counted(exporting: Telemetry, receiver: Receiver) -> None:
    receiver.status = 400

    with exporting.span("x"):
        pass

    wait_until(lambda: dropped(exporting, "traces", "export_failed") == 1)


def test_what_a_full_queue_loses_is_counted_and_the_queue_is_shown(
    config: TelemetryConfig, receiver: Receiver, engine_class: Callable[..., Telemetry]
) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/v1/traces",
        "OTEL_BSP_MAX_QUEUE_SIZE": "4",
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
    }
    receiver.released.clear()
    engine = engine_class(config, environ)

    for _ in range(30):
        with engine.span("x"):
            pass

    assert 22 <= dropped(engine, "traces", "queue_full") <= 30
    assert b'execution_telemetry_queue_items{signal="traces"}' in engine.metrics("")[0]
    receiver.released.set()
    engine.close(BOUND)


def test_a_dead_endpoint_changes_nothing_for_the_caller_and_closing_keeps_its_time(
    config: TelemetryConfig, engine_class: Callable[..., Telemetry]
) -> None:
    engine = engine_class(
        config, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "10"}
    )

    with engine.request("x", {}, traceparent=None, trust=False) as request:
        request.keep()
        engine.record(c.ACK_DURATION, 0.1, source="tv")
    started = time.monotonic()
    engine.close(1.0)

    assert time.monotonic() - started < 2.5
    assert request.context.trace_id.encode() in engine.trace(request.context.trace_id)
    wait_until(lambda: dropped(engine, "traces", "export_failed") + dropped(engine, "traces", "shutdown") >= 1)


def test_the_exporters_own_logs_are_not_exported(exporting: Telemetry, receiver: Receiver) -> None:
    handler = OtlpHandler(exporting)
    for name in ("opentelemetry.exporter.otlp", "urllib3.connectionpool", "service.intake"):
        handler.handle(logging.makeLogRecord({"name": name, "msg": name, "levelno": 30, "levelname": "WARNING"}))
    exporting.close(BOUND)

    logs = ExportLogsServiceRequest.FromString(receiver.bodies["/v1/logs"][0])
    assert [r.body.string_value for r in logs.resource_logs[0].scope_logs[0].log_records] == ["service.intake"]


def test_headers_and_compression_come_from_the_environment(
    config: TelemetryConfig,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    engine_class: Callable[..., Telemetry],
) -> None:
    # The SDK's exporters read these two from the process's environment.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    engine = engine_class(config, {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
    with engine.span("x"):
        pass
    engine.close(BOUND)

    assert receiver.headers[0]["x-tenant"] == "blue"
    assert receiver.headers[0]["content-encoding"] == "gzip"
    assert ExportTraceServiceRequest.FromString(receiver.bodies["/v1/traces"][0]).resource_spans
