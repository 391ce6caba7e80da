"""Both tracing engines side by side: the same operations go to both, what they export is compared as decoded OTLP."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from telemetry.lean.encoding import Envelope, encode_span
from telemetry.lean.span import LeanSpan
from telemetry.lean.tracer import LeanTracerProvider

RESOURCE = Resource({"service.name": "pair", "n": 1, "list": ("a", "b")}, "https://example.com/resource")


NOW = 1_700_000_000_000_000_000
STATE = TraceState([("vendor", "a"), ("other", "b")])
REMOTE = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1), trace_state=STATE)
LOCAL = SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(3))
UNSAMPLED = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(0))
HUGE = 4000 * "ä"


class Counting(IdGenerator):
    """The same ids for the same operations."""

    def __init__(self, *, is_random: bool = True) -> None:
        self._ids = count(0x0102030405060708090A0B0C0D0E0F10)
        self._random = is_random

    def generate_trace_id(self) -> int:
        return next(self._ids)

    def generate_span_id(self) -> int:
        return next(self._ids) & (2**64 - 1)

    def is_trace_id_random(self) -> bool:
        return self._random


class Collecting(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        if span.context.trace_flags.sampled:
            self.spans.append(span)


class Pair:
    """One provider of each engine; `sampler` None means ALWAYS_ON, which the lean one takes without a call."""

    def __init__(
        self, *, sampler: Sampler | None = None, limits: SpanLimits | None = None, is_random: bool = True
    ) -> None:
        self.sdk_spans = Collecting()
        self.sdk = TracerProvider(
            sampler=sampler or ALWAYS_ON,
            resource=RESOURCE,
            shutdown_on_exit=False,
            id_generator=Counting(is_random=is_random),
            span_limits=limits,
        )
        self.sdk.add_span_processor(self.sdk_spans)
        self.lean_spans: list[LeanSpan] = []
        self.lean = LeanTracerProvider(
            self.lean_spans.append,
            resource=RESOURCE,
            sampler=sampler,
            id_generator=Counting(is_random=is_random),
            span_limits=limits,
        )

    def run(self, operate: Callable[[Any], object], **scope: Any) -> ExportTraceServiceRequest:
        """Do it on a tracer of each, compare what both export, and return it."""
        scope = {"instrumenting_module_name": "test", "instrumenting_library_version": "1", **scope}
        operate(self.sdk.get_tracer(**scope))
        operate(self.lean.get_tracer(**scope))
        return self.compare()

    def compare(self) -> ExportTraceServiceRequest:
        expected = without_frames(encode_spans(self.sdk_spans.spans))
        envelope = Envelope(RESOURCE)
        items = [(span.instrumentation_scope, encode_span(span)) for span in self.lean_spans]
        exported = ExportTraceServiceRequest.FromString(envelope.request(items)) if items else type(expected)()
        assert without_frames(exported) == expected
        # And read as the SDK's own spans are, for processors and exporters of others.
        assert without_frames(encode_spans([span.as_readable() for span in self.lean_spans])) == expected
        return exported


def without_frames(exported: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    """Of a stack only its first and last line: the frames between them are each engine's own."""
    for resource_spans in exported.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                for pair in (pair for event in span.events for pair in event.attributes):
                    if pair.key == "exception.stacktrace":
                        lines = pair.value.string_value.splitlines() or [""]
                        pair.value.string_value = f"{lines[0]}\n{lines[-1]}"
    return exported


def first(exported: ExportTraceServiceRequest) -> Any:
    return exported.resource_spans[0].scope_spans[0].spans[0]


def inside(span: SpanContext) -> otel_context.Context:
    return trace.set_span_in_context(NonRecordingSpan(span), otel_context.Context())
