"""Span processors of others, and what they read, work as with the SDK."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    SpanKind,
    StatusCode,
)

from tests.unit.telemetry.lean.span_pair import LOCAL, REMOTE, Pair, inside


class Watching(SpanProcessor):
    def __init__(self) -> None:
        self.started: list[Any] = []
        self.ending: list[Any] = []
        self.ended: list[Any] = []

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        span.set_attribute("set by a processor", value=True)
        self.started.append((span.name, span.parent, dict(span.attributes), span.kind, span.context, parent_context))

    def _on_ending(self, span: Any) -> None:
        self.ending.append((span.name, span.end_time))

    def on_end(self, span: Any) -> None:
        self.ended.append(span)


def test_span_processors_of_others_work_unchanged(pair: Pair) -> None:
    watching = [Watching(), Watching()]
    exporters = [InMemorySpanExporter(), InMemorySpanExporter()]
    context = inside(REMOTE)
    for provider, processor, exporter in zip((pair.sdk, pair.lean), watching, exporters, strict=True):
        early = provider.get_tracer("test", "1")
        early.start_span("before").end()
        provider.add_span_processor(processor)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        early.start_span("after").end()

    def operate(tracer: Any) -> None:
        span = tracer.start_span("x", context, SpanKind.SERVER, {"a": 1}, [Link(LOCAL)])
        span.add_event("e", {"b": 2})
        span.record_exception(ValueError("x"))
        span.set_status(StatusCode.ERROR, "why")
        span.end()

    pair.run(operate)
    assert watching[0].started == watching[1].started
    assert watching[0].ending == watching[1].ending
    assert [span.to_json() for span in watching[0].ended] == [span.to_json() for span in watching[1].ended]
    in_sdk, in_lean = (exporter.get_finished_spans() for exporter in exporters)
    assert [span.to_json() for span in in_sdk] == [span.to_json() for span in in_lean]
    assert pair.lean.force_flush()
    pair.lean.shutdown()


class Failing(SpanProcessor):
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise RuntimeError

    def on_end(self, span: Any) -> None:
        raise RuntimeError


def test_a_processor_that_fails_hurts_nobody(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    pair.lean.add_span_processor(Failing())

    pair.lean.get_tracer("x").start_span("x").end()

    assert len(pair.lean_spans) == 1
    assert len(caplog.records) == 2


def test_a_span_can_be_read_like_the_sdks(pair: Pair) -> None:
    def operate(tracer: Any) -> None:
        span = tracer.start_span("x", inside(REMOTE), SpanKind.CLIENT, {"a": [1, 2]}, [Link(LOCAL, {"l": 1})], 5)
        span.add_event("e", {"b": 2}, 6)
        seen.append(
            (
                span.name,
                span.kind,
                span.context,
                span.parent,
                dict(span.attributes),
                [(event.name, event.timestamp, dict(event.attributes)) for event in span.events],
                [(link.context, dict(link.attributes)) for link in span.links],
                span.start_time,
                span.end_time,
                span.status.status_code,
                span.resource,
                span.instrumentation_scope,
                (span.dropped_attributes, span.dropped_events, span.dropped_links),
                span.to_json(),
            )
        )
        span.end()

    seen: list[Any] = []
    pair.run(operate)
    assert seen[0] == seen[1]
