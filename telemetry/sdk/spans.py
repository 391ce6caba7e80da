"""Spans of the SDK behind the facade: what a block does while it is the current span, and what an error leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from telemetry import conventions as c
from telemetry.attributes import converted, error_message, error_type
from telemetry.common import from_otel, to_otel
from telemetry.facade import SpanContext
from telemetry.otlp_json import EventData, SpanData
from telemetry.w3c import is_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from telemetry.attributes import Plain
    from telemetry.facade import Attributes
    from telemetry.holding import Holder
    from telemetry.series import Drops

# Measured with tracemalloc on ended spans of the SDK with 0 and with 7 attributes.
_SPAN_BYTES = 3200
_ATTRIBUTE_BYTES = 80

# OTLP numbers kinds from 1; the SDK from 0.
_OTLP_KIND_OFFSET = 1


class HoldingProcessor(SpanProcessor):
    """Hands every span to the holder, which knows the SERVER spans that are open."""

    def __init__(self, holder: Holder[ReadableSpan]) -> None:
        self._holder = holder

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        del parent_context
        if span.kind is SpanKind.SERVER:
            self._holder.open(span.get_span_context().trace_id)

    def on_end(self, span: ReadableSpan) -> None:
        failed = span.status.status_code is StatusCode.ERROR
        end = self._holder.closed if span.kind is SpanKind.SERVER else self._holder.ended
        end(trace_id_of(span), span, failed=failed)


class SdkSpan:
    """One span and the block that it covers; never raises on its own account."""

    __slots__ = ("_drops", "_failed", "_holder", "_span", "_start", "_token", "context")

    recording = True

    def __init__(self, start: Callable[[], trace.Span], holder: Holder[ReadableSpan], drops: Drops) -> None:
        self._start = start
        self._holder = holder
        self._drops = drops
        self._span: trace.Span = trace.INVALID_SPAN
        self._failed = False
        self._token: Any = None
        self.context = SpanContext("0" * 32, "0" * 16)

    def __enter__(self) -> Self:
        self._span = self._start()
        self.context = from_otel(self._span.get_span_context())
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._safely(self._passed_through, error)
        self._safely(otel_context.detach, self._token)
        self._safely(self._span.end)

    def pass_by(self, error: BaseException | None, ended_ns: int | None = None) -> None:
        """Begin and end at once, or then, without ever being the current span."""
        self._span = self._start()
        if error is not None:
            self._safely(self._passed_through, error)
        self._safely(self._span.end, ended_ns)

    def set(self, attributes: Attributes) -> None:
        self._safely(lambda: self._span.set_attributes(converted(attributes)))

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        self._safely(lambda: self._span.add_event(name, converted(attributes or {})))

    def fail(self, error_type: str, message: str = "") -> None:
        self._safely(lambda: self._fail(error_type, error_message(message)))

    def keep(self) -> None:
        self._safely(lambda: self._holder.keep(self._span.get_span_context().trace_id))

    def link(self, context: SpanContext) -> None:
        if is_valid(context):
            self._safely(lambda: self._span.add_link(to_otel(context)))

    def _safely(self, action: Callable[..., object], *arguments: object) -> None:
        try:
            action(*arguments)
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; it is counted
            self._drops.count("traces", "internal_error")

    def _fail(self, kind: str, message: str) -> None:
        # The first failure is the cause; an exception that follows it is told by its event.
        if self._failed:
            return
        self._failed = True
        self._span.set_status(Status(StatusCode.ERROR, message or None))
        self._span.set_attribute(c.ATTR_ERROR_TYPE, kind)

    def _passed_through(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._span.add_event(c.EVENT_CANCELLED)
            return
        kind, message = error_type(error), error_message(error)
        self._span.add_event(c.EVENT_EXCEPTION, {c.ATTR_EXCEPTION_TYPE: kind, c.ATTR_EXCEPTION_MESSAGE: message})
        self._fail(kind, message)


def trace_id_of(span: ReadableSpan) -> int:
    return _context_of(span).trace_id


def _context_of(span: ReadableSpan) -> trace.SpanContext:
    context = span.get_span_context()
    assert context is not None, "a span that ended has its ids"
    return context


def cost_of(stored: Sequence[tuple[int, ReadableSpan]]) -> int:
    """About what spans take in memory, in bytes: themselves, their attributes and their events with their text."""
    return sum(_cost_of(span) for _, span in stored)


def _cost_of(span: ReadableSpan) -> int:
    cost = _SPAN_BYTES
    for part in (span.attributes, *(event.attributes for event in span.events)):
        for value in (part or {}).values():
            cost += _ATTRIBUTE_BYTES + (len(value) if isinstance(value, str) else 0)
    return cost + _ATTRIBUTE_BYTES * (len(span.events) + len(span.links))


def as_data(stored: tuple[int, ReadableSpan]) -> SpanData:
    _, span = stored
    return SpanData(
        context=from_otel(_context_of(span)),
        parent_span_id=f"{span.parent.span_id:016x}" if span.parent is not None else None,
        name=span.name,
        kind=span.kind.value + _OTLP_KIND_OFFSET,
        start_ns=span.start_time or 0,
        end_ns=span.end_time or 0,
        attributes=_plain(span.attributes),
        events=[EventData(name=e.name, time_ns=e.timestamp, attributes=_plain(e.attributes)) for e in span.events],
        links=[from_otel(link.context) for link in span.links],
        status=span.status.status_code.value,
        status_message=span.status.description or "",
    )


def _plain(attributes: Any) -> Mapping[str, Plain]:
    return dict(attributes or {})
