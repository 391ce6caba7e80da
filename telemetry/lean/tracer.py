"""TracerProvider and Tracer of the OpenTelemetry API on lean spans."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import Token
from functools import wraps
from threading import Lock
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanKind, TraceFlags, TraceState

from telemetry import w3c
from telemetry.common import resource_of_child
from telemetry.forking import in_children
from telemetry.lean.current import SPAN_KEY, activate, current_context, deactivate
from telemetry.lean.failures import failure
from telemetry.lean.limits import Limits, put_all
from telemetry.lean.span import RANDOM, SAMPLED, LeanSpan

if TYPE_CHECKING:
    from opentelemetry.context.context import Context
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Link
    from opentelemetry.util.types import Attributes

F = Callable[..., Any]

log = logging.getLogger(__name__)


class Above(NamedTuple):
    """What a new span takes from the one above it; `random` is the trace flag or 0."""

    span: LeanSpan | trace.SpanContext
    trace_id: int
    span_id: int
    remote: bool
    random: int
    state: TraceState | None


def above_in(context: Mapping[str, object]) -> Above | None:
    """The span that a new one in `context` belongs to; None makes a root."""
    span = context.get(SPAN_KEY)
    if isinstance(span, LeanSpan):
        return Above(span, span.trace_id, span.span_id, False, span.flags & RANDOM, span.trace_state)  # noqa: FBT003
    return above_of(span.get_span_context()) if isinstance(span, trace.Span) else None


def above_of(context: trace.SpanContext | None) -> Above | None:
    """The same for a context that came from elsewhere; None where it is not valid."""
    if context is None or not context.is_valid:
        return None
    state = context.trace_state or None
    random = context.trace_flags & RANDOM
    return Above(context, context.trace_id, context.span_id, context.is_remote, random, state)


class LeanTracerProvider(trace.TracerProvider):
    """Makes tracers whose ended spans go to `sink`, and to span processors of the SDK where some are added.

    Without `sampler` every span is recorded and sampled, and none is called; without `id_generator` ids are random,
    and differ in forked processes. `span_limits` None means the SDK's, with their `OTEL_*` variables. `opened` is told
    the trace id of each SERVER span that begins; `flush` waits at most so many seconds until what `sink` got is gone.
    """

    def __init__(
        self,
        sink: Callable[[LeanSpan], None],
        *,
        resource: Resource | None = None,
        sampler: Sampler | None = None,
        id_generator: IdGenerator | None = None,
        span_limits: SpanLimits | None = None,
        opened: Callable[[int], object] | None = None,
        flush: Callable[[float], bool] | None = None,
    ) -> None:
        self.resource = Resource.create() if resource is None else resource
        self.sampler = sampler
        self.ids = id_generator
        self.limits = Limits(span_limits or SpanLimits())
        self.sink = sink
        self._opened = opened
        self._flush = flush
        self.processors: SynchronousMultiSpanProcessor | None = None
        self._tracers: dict[InstrumentationScope, LeanTracer] = {}
        self._lock = Lock()
        in_children(self._after_fork)

    def _after_fork(self) -> None:
        self._lock = Lock()
        self.resource = resource_of_child(self.resource)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> LeanTracer:
        if not instrumenting_module_name:
            instrumenting_module_name = ""
            log.error("get_tracer called with missing module name.")
        scope = InstrumentationScope(
            instrumenting_module_name, instrumenting_library_version or "", schema_url, attributes
        )
        return self.tracer(scope, self.limits)

    def tracer(self, scope: InstrumentationScope, limits: Limits) -> LeanTracer:
        """The one tracer of this scope; `limits` hold if it is new."""
        with self._lock:
            known = self._tracers.get(scope)
            if known is None:
                known = self._tracers[scope] = LeanTracer(self, scope, limits)
            return known

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        with self._lock:
            if self.processors is None:
                self.processors = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
            self.processors.add_span_processor(span_processor)
            for tracer in self._tracers.values():
                tracer.finish = self.finish

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Whether everything that had ended was handed on within the time."""
        deadline = time_ns() + timeout_millis * 1_000_000
        flushed = self.processors is None or self.processors.force_flush(timeout_millis)
        if self._flush is not None:
            flushed = self._flush(max(0, deadline - time_ns()) / 1e9) and flushed
        return flushed

    def shutdown(self) -> None:
        """Shut down the processors that were added; the sink is its owner's."""
        if self.processors is not None:
            self.processors.shutdown()

    def begin(self, above: Above | None) -> tuple[int, int, TraceState | None]:
        """Trace id, flags and trace state of a new span, as they are without a sampler."""
        if above is not None:
            return above.trace_id, SAMPLED | above.random, above.state
        ids = self.ids
        if ids is None:
            return w3c.new_trace_id(), SAMPLED | RANDOM, None
        return ids.generate_trace_id(), SAMPLED | RANDOM if ids.is_trace_id_random() else SAMPLED, None

    def new_span_id(self) -> int:
        return w3c.new_span_id() if self.ids is None else self.ids.generate_span_id()

    def started(self, span: LeanSpan, context: Context | None) -> None:
        """A span that somebody may want to know of began; `context` is what its parent was looked for in."""
        if span.kind is SpanKind.SERVER and self._opened is not None:
            self._opened(span.trace_id)
        self.announce(span, context)

    def announce(self, span: LeanSpan, context: Context | None) -> None:
        """Tell the processors only."""
        if self.processors is not None:
            _guarded(self.processors.on_start, span, parent_context=context)

    def finish(self, span: LeanSpan) -> None:
        """A span ended."""
        processors = self.processors
        if processors is None:
            if span.flags & SAMPLED:
                self.sink(span)
            return
        _guarded(processors._on_ending, span)  # noqa: SLF001 - part of the SDK's protocol with its processors
        if span.flags & SAMPLED:
            self.sink(span)
        _guarded(processors.on_end, span.as_readable())


def _guarded(action: Callable[..., object], *arguments: object, **named: object) -> None:
    try:
        action(*arguments, **named)
    except Exception:
        log.exception("a span processor failed; the span goes on")


class LeanTracer(trace.Tracer):
    """See `opentelemetry.trace.Tracer`."""

    def __init__(self, provider: LeanTracerProvider, scope: InstrumentationScope, limits: Limits) -> None:
        self.provider = provider
        self.instrumentation_scope = scope
        self.limits = limits
        # Straight to the sink where nobody else wants to know: two calls a span less.
        direct = provider.sampler is None and provider.processors is None
        self.finish: Callable[[LeanSpan], None] = provider.sink if direct else provider.finish

    @property
    def resource(self) -> Resource:
        return self.provider.resource

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the API's signature
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - as above
    ) -> trace.Span:
        provider = self.provider
        above = above_in(current_context() if context is None else context)
        trace_id, flags, state = provider.begin(above)
        if provider.sampler is not None:
            result = provider.sampler.should_sample(context, trace_id, name, kind, attributes, links or ())
            attributes, state = result.attributes, result.trace_state
            if result.decision is not Decision.RECORD_AND_SAMPLE:
                flags &= ~SAMPLED
            if result.decision is Decision.DROP:
                return NonRecordingSpan(
                    trace.SpanContext(trace_id, provider.new_span_id(), False, TraceFlags(flags), state)  # noqa: FBT003
                )
        span = LeanSpan(
            self,
            name,
            kind,
            None if above is None else above.span,
            0 if above is None else above.span_id,
            above is not None and above.remote,
            trace_id,
            provider.new_span_id(),
            flags,
            state or None,
            time_ns() if start_time is None else start_time,
        )
        span.on_exception = (record_exception, set_status_on_exception)
        if attributes:
            span.attribute_map, span.lost_attributes = put_all({}, self.limits.span, attributes)
        if links:
            span.join(links)
        if kind is SpanKind.SERVER or provider.processors is not None:
            provider.started(span, context)
        return span

    def start_as_current_span(  # type: ignore[override]
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the API's signature
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - as above
        end_on_exit: bool = True,  # noqa: FBT001, FBT002 - as above
    ) -> CurrentSpan:
        def start() -> trace.Span:
            return self.start_span(
                name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
            )

        return CurrentSpan(start, record_exception, set_status_on_exception, end_on_exit)


class CurrentSpan:
    """Makes a span the current one for a block, or for each call of a function, a coroutine function included."""

    __slots__ = ("_end", "_mark", "_record", "_span", "_start", "_token")

    def __init__(self, start: Callable[[], trace.Span], record: bool, mark: bool, end: bool) -> None:  # noqa: FBT001
        self._start = start
        self._record = record
        self._mark = mark
        self._end = end
        self._span: trace.Span = trace.INVALID_SPAN
        self._token: Token[Context] | None = None

    def __enter__(self) -> trace.Span:
        self._span = self._start()
        self._token = activate(self._span, current_context())
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        span = self._span
        if self._token is not None:
            deactivate(self._token)
        # Not for what is no Exception: a generator's end or a cancellation is no error of the block.
        if isinstance(error, Exception) and span.is_recording():
            if self._record:
                span.record_exception(error)
            if self._mark:
                span.set_status(failure(error))
        if self._end:
            span.end()

    def __call__(self, function: F) -> F:
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def call_async(*arguments: Any, **named: Any) -> Any:
                with self._anew():
                    return await function(*arguments, **named)

            return call_async

        @wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            with self._anew():
                return function(*arguments, **named)

        return call

    def _anew(self) -> CurrentSpan:
        return CurrentSpan(self._start, self._record, self._mark, self._end)
