"""The facade's spans: what a block does while its span is the current one, and what an error leaves on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import trace
from opentelemetry.context.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from telemetry import conventions as c
from telemetry import w3c
from telemetry.attributes import error_message, error_type
from telemetry.common import SCOPE, SPAN_LIMITS, to_otel
from telemetry.facade import SpanContext
from telemetry.lean.current import SPAN_KEY, activate, current_context, deactivate
from telemetry.lean.limits import Limits
from telemetry.lean.own import NOTHING, OwnSpan
from telemetry.lean.span import RANDOM, SAMPLED, LeanSpan
from telemetry.lean.tracer import Above, LeanTracer, above_in, above_of
from telemetry.w3c import new_span_id

if TYPE_CHECKING:
    from telemetry.facade import Attributes
    from telemetry.series import Drops

_SERVER = SpanKind.SERVER


class _Nobody:
    """The owner of spans that go nowhere."""

    limits = Limits(SPAN_LIMITS)
    instrumentation_scope = InstrumentationScope(SCOPE)
    resource = Resource.get_empty()

    def finish(self, span: LeanSpan) -> None:
        """Nothing."""


_nobody = _Nobody()


def _lost(trace_id: int, span_id: int) -> OwnSpan:
    """A span that only has ids."""
    span = OwnSpan(_nobody, "", SpanKind.INTERNAL, None, 0, False, trace_id, span_id, SAMPLED, None, 0)  # noqa: FBT003
    span.given = NOTHING
    return span


_UNBORN = _lost(0, 0)
_UNBORN.end(0)


class Pipe:
    """What all blocks of an engine share: their tracer, what keeps a trace, and the counts of failures."""

    __slots__ = ("drops", "keep", "tracer")

    def __init__(self, tracer: LeanTracer, keep: Callable[[int], None], drops: Drops) -> None:
        self.tracer = tracer
        self.keep = keep
        self.drops = drops


class Block:
    """See the facade's Span and RequestSpan; never raises on its own account.

    `parent` is the span above it; without one the current span is, or none where `root` is set.
    """

    __slots__ = ("_attributes", "_failed", "_kind", "_links", "_name", "_parent", "_pipe", "_root", "_span", "_token")

    def __init__(
        self,
        pipe: Pipe,
        name: str,
        attributes: Attributes | None,
        kind: SpanKind,
        parent: SpanContext | None,
        links: Sequence[SpanContext],
        root: bool,  # noqa: FBT001 - by position, as all of them: a block is made a dozen times an order
    ) -> None:
        self._pipe = pipe
        self._name = name
        self._attributes = attributes
        self._kind = kind
        self._parent = parent
        self._links = links
        self._root = root
        self._failed = False
        self._span = _UNBORN

    @property
    def context(self) -> SpanContext:
        span = self._span
        return SpanContext(f"{span.trace_id:032x}", f"{span.span_id:016x}")

    def __enter__(self) -> Self:
        around = current_context()
        try:
            span = self._begin(around)
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; the block gets ids and is counted
            self._pipe.drops.count("traces", "internal_error")
            span = _lost(w3c.new_trace_id(), new_span_id())
        self._span = span
        self._token = activate(span, around)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._safely(self._passed_through, error)
        deactivate(self._token)
        # Not by way of `_safely`, here and below: these two are what every block does.
        try:
            self._span.end()
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; it is counted
            self._pipe.drops.count("traces", "internal_error")

    def pass_by(self, began_ns: int, error: BaseException | None) -> None:
        """A span that began then and ends now, without ever being the current one."""
        try:
            self._span = self._begin(current_context())
            self._span.start_time = began_ns
            if error is not None:
                self._safely(self._passed_through, error)
            self._span.end()
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; the span is lost and counted
            self._pipe.drops.count("traces", "internal_error")

    def set(self, attributes: Attributes) -> None:
        try:
            self._span.give(attributes)
        except Exception:  # noqa: BLE001 - as above
            self._pipe.drops.count("traces", "internal_error")

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        self._safely(self._span.tell, name, NOTHING if attributes is None else attributes)

    def fail(self, error_type: str, message: str = "") -> None:
        self._safely(lambda: self._fail(error_type, error_message(message)))

    def keep(self) -> None:
        self._safely(self._pipe.keep, self._span.trace_id)

    def link(self, context: SpanContext) -> None:
        if w3c.is_valid(context):
            self._safely(self._span.add_link, to_otel(context))

    def _begin(self, around: Context) -> OwnSpan:
        inherits = self._parent is None and not self._root
        tracer = self._pipe.tracer
        current: Any = around.get(SPAN_KEY) if inherits else None
        above: LeanSpan | trace.SpanContext | None
        # What nearly always is above is one of our own.
        if type(current) is OwnSpan:
            above, parent_id, remote, trace_id = current, current.span_id, False, current.trace_id
            flags, state = SAMPLED | current.flags & RANDOM, current.trace_state
        else:
            found = self._found(around)
            above, parent_id, remote = (None, 0, False) if found is None else (found.span, found.span_id, found.remote)
            trace_id, flags, state = tracer.provider.begin(found)
        kind = self._kind
        span = OwnSpan(
            tracer, self._name, kind, above, parent_id, remote, trace_id, new_span_id(), flags, state, time_ns()
        )
        span.given = NOTHING
        if self._attributes:
            span.give(self._attributes)
        if self._links:
            span.join([Link(to_otel(link)) for link in self._links if w3c.is_valid(link)])
        if kind is _SERVER or tracer.provider.processors is not None:
            tracer.provider.started(span, None if inherits else Context())
        return span

    def _found(self, around: Context) -> Above | None:
        parent = self._parent
        if parent is not None and w3c.is_valid(parent):
            return above_of(to_otel(parent))
        return None if self._root else above_in(around)

    def _safely(self, action: Callable[..., object], *arguments: object) -> None:
        try:
            action(*arguments)
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; it is counted
            self._pipe.drops.count("traces", "internal_error")

    def _fail(self, kind: str, message: str) -> None:
        # The first failure is the cause; an exception that follows it is told by its event.
        if self._failed:
            return
        self._failed = True
        self._span.set_status(Status(StatusCode.ERROR, message or None))
        self._span.give({c.ATTR_ERROR_TYPE: kind})

    def _passed_through(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._span.tell(c.EVENT_CANCELLED, NOTHING)
            return
        kind, message = error_type(error), error_message(error)
        self._span.tell(c.EVENT_EXCEPTION, {c.ATTR_EXCEPTION_TYPE: kind, c.ATTR_EXCEPTION_MESSAGE: message})
        self._fail(kind, message)
