"""What only the SDK's engine can do: gRPC to a real server, other exporters, several at once."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from telemetry import conventions as c
from telemetry.config import TelemetryConfig
from telemetry.facade import LogEntry, Telemetry
from telemetry.sdk import SdkTelemetry
from telemetry.setup import build_telemetry
from tests.support.receivers import BOUND, GrpcReceiver, Receiver


@pytest.fixture
def receiver() -> Iterator[GrpcReceiver]:
    server = GrpcReceiver()
    yield server
    server.close()


def by_grpc(config: TelemetryConfig, receiver: GrpcReceiver) -> Telemetry:
    environ = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    return build_telemetry(config, environ)


def test_all_signals_arrive_by_grpc_where_it_is_asked_for(
    config: TelemetryConfig, receiver: GrpcReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
    engine = by_grpc(config, receiver)
    with engine.request("x", {}, traceparent=None, trust=False) as request:
        request.keep()
        engine.record(c.ACK_DURATION, 0.003, source="tv")
        engine.log(LogEntry(1, logging.WARNING, "WARNING", "hello", {}))
    engine.close(BOUND)

    assert isinstance(engine, SdkTelemetry)
    span = receiver.requests["traces"][0].resource_spans[0].scope_spans[0].spans[0]
    record = receiver.requests["logs"][0].resource_logs[0].scope_logs[0].log_records[0]
    names = {m.name for m in receiver.requests["metrics"][-1].resource_metrics[0].scope_metrics[0].metrics}
    assert span.trace_id.hex() == record.trace_id.hex() == request.context.trace_id
    assert c.ACK_DURATION.name in names
    assert {metadata["x-tenant"] for metadata in receiver.metadata} == {"blue"}


def test_what_is_refused_by_grpc_is_counted(config: TelemetryConfig, receiver: GrpcReceiver) -> None:
    receiver.refusing = True
    engine = by_grpc(config, receiver)
    with engine.span("x"):
        engine.log(LogEntry(1, logging.WARNING, "WARNING", "hello", {}))
    engine.close(BOUND)

    text = engine.metrics("")[0].decode()
    for signal in c.SIGNALS:
        assert f'execution_telemetry_dropped_total{{signal="{signal}",reason="export_failed"}} 1' in text


SCRIPT = """
from telemetry.setup import TelemetryConfig, build_telemetry
engine = build_telemetry(TelemetryConfig(service_version="1", instance_id="one"))
with engine.span("printed"):
    pass
engine.close(10)
"""


def test_several_exporters_each_get_everything() -> None:
    receiver = Receiver()
    environ = {
        "OTEL_TRACES_EXPORTER": "console,otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
    }
    # In a process of its own: where it prints is fixed when the SDK is loaded.
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    receiver.close()

    assert '"name": "printed"' in done.stdout
    (body,) = receiver.bodies["/v1/traces"]
    spans = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    assert [span.name for span in spans] == ["printed"]


def test_prometheus_may_be_served_as_the_sdk_serves_it(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not started: it listens on a fixed port, and once a process.
    listened: list[dict[str, Any]] = []
    monkeypatch.setattr("opentelemetry.exporter.prometheus.start_http_server", lambda **kwargs: listened.append(kwargs))
    engine = build_telemetry(config, {"OTEL_METRICS_EXPORTER": "prometheus"})
    engine.close(BOUND)

    assert [at["port"] for at in listened] == [9464]
