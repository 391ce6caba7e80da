"""Forked processes trace and send on their own; spawned ones are the judge's."""

from __future__ import annotations

import multiprocessing
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from telemetry.facade import LogEntry
from telemetry.lean import LeanTelemetry
from tests.unit.telemetry.lean.sink import CONFIG, Sink


def in_child(engine: LeanTelemetry, sink: Sink, results: Any) -> None:
    with engine.span("child") as span:
        pass
    engine.close(5)
    results.put((span.context, [one.name for one in sink.spans()]))


def test_a_forked_child_sends_its_own_spans_and_nothing_of_its_parents() -> None:
    sink = Sink()
    engine = LeanTelemetry(CONFIG, {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}, senders={"traces": sink})
    with engine.span("parent"):
        pass
    context = multiprocessing.get_context("fork")
    results = context.Queue()

    children = [context.Process(target=in_child, args=(engine, sink, results)) for _ in range(2)]
    for child in children:
        child.start()
    told = [results.get(timeout=20) for _ in children]
    for child in children:
        child.join(20)

    assert [names for _, names in told] == [["child"], ["child"]]
    assert told[0][0].trace_id != told[1][0].trace_id
    engine.close(5)
    assert [span.name for span in sink.spans()] == ["parent"]


def resources_in_child(engine: LeanTelemetry, sinks: dict[str, Sink], results: Any) -> None:
    with engine.span("x"):
        engine.log(LogEntry(1, 20, "INFO", "x", {}))
    engine.close(5)
    requests = (
        ExportTraceServiceRequest.FromString(sinks["traces"].bodies[0]).resource_spans[0],
        ExportLogsServiceRequest.FromString(sinks["logs"].bodies[0]).resource_logs[0],
        ExportMetricsServiceRequest.FromString(sinks["metrics"].bodies[-1]).resource_metrics[0],
    )
    results.put([{pair.key: pair.value.string_value for pair in one.resource.attributes} for one in requests])


def test_a_forked_child_is_an_instance_of_its_own_as_with_the_sdk() -> None:
    sinks = {signal: Sink() for signal in ("traces", "logs", "metrics")}
    engine = LeanTelemetry(CONFIG, {}, senders=sinks)
    context = multiprocessing.get_context("fork")
    results = context.Queue()

    child = context.Process(target=resources_in_child, args=(engine, sinks, results))
    child.start()
    traces, logs, metrics = results.get(timeout=20)
    child.join(20)
    engine.close(5)

    assert traces == logs == metrics
    assert traces["service.instance.id"] != CONFIG.instance_id
    assert traces["service.name"] == "fillpath"
