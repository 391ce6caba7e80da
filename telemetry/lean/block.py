"""The facade's spans: what a block does while its span is the current one, and what an error leaves on it.

A block is its span for as long as only the facade deals with it, which is nearly always to its end. Whatever is rarer
(a failure, a link, somebody who asks the OpenTelemetry API for the current span, a span processor, more attributes
than a span may have) makes the whole span of it, and from then on the block only passes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import context as otel_context
from opentelemetry import trace as api
from opentelemetry.context.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TraceFlags

from telemetry import conventions as c
from telemetry import w3c
from telemetry.attributes import error_message, error_type
from telemetry.common import to_otel
from telemetry.facade import Repeated, SpanContext
from telemetry.holding import Held
from telemetry.lean.around import Around, rest_of
from telemetry.lean.current import attach, current_context, reset
from telemetry.lean.encoding import Told, encode_light, encode_step, head_of
from telemetry.lean.own import NOTHING, OwnSpan
from telemetry.lean.pipe import NO_TRACE, UNBORN, Pipe, Trace, lost
from telemetry.lean.span import SAMPLED, EventRecord, LeanSpan
from telemetry.lean.tracer import above_in
from telemetry.w3c import new_span_id

if TYPE_CHECKING:
    from contextvars import Token

    from telemetry.facade import Attributes, Step

_SERVER = SpanKind.SERVER


class Block(Around):
    """See the facade's Span and RequestSpan; never raises on its own account.

    `light` is true while the block is all there is of its span: from its begin to its end, or to the moment in which
    somebody needs the whole of it.
    """

    __slots__ = (
        "above",
        "children",
        "end",
        "events",
        "failed",
        "first",
        "full",
        "given",
        "head",
        "kind",
        "light",
        "links",
        "name",
        "parent",
        "parent_id",
        "pipe",
        "remote",
        "shown",
        "span_id",
        "start",
        "token",
        "trace",
    )

    recording = True

    # Set by whoever makes a block, because a constructor would cost as much as all else that a block does at its begin.
    # `first` are the attributes that it begins with; a SERVER span is a root or below a remote `parent`. `light` is
    # False and `trace` NO_TRACE until it begins.
    pipe: Pipe
    name: str
    first: Attributes | None
    kind: SpanKind
    parent: SpanContext | None
    links: Sequence[SpanContext]
    light: bool
    trace: Trace

    # Set at the block's begin. `head` is the span's message up to its id, `children` that of the spans below.
    span_id: int
    remote: bool
    above: LeanSpan | api.SpanContext | None
    parent_id: int
    head: bytes
    start: int
    given: list[Attributes]
    events: list[Told] | None
    token: Token[Context]
    children: bytes | None
    end: int | None
    failed: bool
    full: OwnSpan | None
    shown: SpanContext | None

    @property
    def context(self) -> SpanContext:
        its = self.trace
        if its is NO_TRACE:
            return SpanContext("0" * 32, "0" * 16)
        shown = self.shown
        if shown is None:
            if its.hex is None:
                its.hex = f"{its.number:032x}"
            shown = self.shown = SpanContext(its.hex, f"{self.span_id:016x}")
        return shown

    def __enter__(self) -> Self:
        self._begin(current_context())
        self.token = attach(self)
        return self

    def _begin(self, around: Context) -> None:
        pipe = self.pipe
        try:
            if type(around) is Block and self.parent is None and self.kind is not _SERVER:
                # What nearly always is above is one of our own.
                self.rest = around.rest
                its = self.trace = around.trace
                self.remote = self.failed = False
                self.above = None
                self.parent_id = around.span_id
                self.head = around.children or around.head_of_children()
            else:
                self._begin_elsewhere(around)
                its = self.trace
            self.span_id = new_span_id()
            self.events = self.shown = self.children = self.full = self.end = None
            self.light = True
            self.start = time_ns()
            first = self.first
            self.given = [first if type(first) is Repeated else dict(first)] if first else []
            if self.kind is _SERVER:
                its.fate = pipe.holder.open(its.number)
            if self.links or its.state is not None or pipe.provider.processors is not None:
                self._begin_whole()
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; the block gets ids and is counted
            pipe.drops.count("traces", "internal_error")
            self._lose(around)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._safely(self._passed_through, error)
        try:
            reset(self.token)
        except ValueError:
            # The block ends in another task than it began in: the API logs it, there is nothing to restore.
            otel_context.detach(self.token)
        self._finish()

    def _finish(self, ended_ns: int | None = None) -> None:
        # Not by way of `_safely`, here and below: these two are what every block does.
        try:
            pipe = self.pipe
            if not self.light or pipe.provider.processors is not None:
                self.whole().end(ended_ns)
                return
            end = self.end = time_ns() if ended_ns is None else ended_ns
            self.light = False
            try:
                message = encode_light(self, end, pipe.most)
            except Exception:  # noqa: BLE001 - an attribute that OTLP has not, or another thread just set one
                # Its owner knows what to do with it.
                self.whole().owner.finish(self.whole())
                return
            its = self.trace
            ended = its.number, pipe.scope, message
            if self.kind is _SERVER:
                pipe.holder.closed(its.number, ended, failed=False)
            elif its.fate.kept:
                pipe.deliver(ended)
            else:
                pipe.holder.ended(its.number, ended, failed=False)
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; it is counted
            self.pipe.drops.count("traces", "internal_error")

    def pass_by(self, began_ns: int, error: BaseException | None, ended_ns: int | None = None) -> None:
        """A span that began then and ended then, by default now, without ever being the current one."""
        self._begin(current_context())
        self.start = began_ns
        if self.full is not None:
            self.full.start_time = began_ns
        if error is not None:
            self._safely(self._passed_through, error)
        self._finish(ended_ns)

    def steps(self, steps: Sequence[Step]) -> bool:
        """Spans below this one, without making blocks; False, and nothing is done, where it takes them."""
        pipe, its = self.pipe, self.trace
        if its.state is not None or pipe.provider.processors is not None:
            return False
        head, number, scope, most = self.children or self.head_of_children(), its.number, pipe.scope, pipe.most
        try:
            ended = [(number, scope, encode_step(head, step, most)) for step in steps]
        except ValueError:
            # An attribute that OTLP has not, or too many of them: a whole span knows what to do.
            return False
        if its.fate.kept:
            pipe.deliver_all(ended)
        else:
            for one in ended:
                pipe.holder.ended(number, one, failed=False)
        return True

    def set(self, attributes: Attributes) -> None:
        try:
            if self.light:
                self.given.append(attributes if type(attributes) is Repeated else dict(attributes))
            else:
                self.whole().give(attributes)
        except Exception:  # noqa: BLE001 - as above
            self.pipe.drops.count("traces", "internal_error")

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        self._safely(self._tell, name, NOTHING if attributes is None else attributes)

    def fail(self, error_type: str, message: str = "") -> None:
        self._safely(lambda: self._fail(error_type, error_message(message)))

    def keep(self) -> None:
        if not self.trace.fate.kept:
            self._safely(self.pipe.holder.keep, self.trace.number)

    def link(self, context: SpanContext) -> None:
        if w3c.is_valid(context):
            self._safely(lambda: self.whole().add_link(to_otel(context)))

    def whole(self) -> OwnSpan:
        """The span as OpenTelemetry's API has it; from now on the block only passes on."""
        span = self.full
        if self.trace is NO_TRACE:
            return UNBORN
        if span is None:
            self.light = False
            span = self.full = self._made_whole()
        return span

    def _begin_elsewhere(self, around: Context) -> None:
        """Below no span, or one that is none of ours in this task."""
        self.rest = rest_of(around)
        self.above, self.parent_id, self.remote, self.failed = None, 0, False, False
        named = None if self.parent is None else w3c.numbers(self.parent)
        if self.parent is not None and named is not None:
            # Always sampled: whether a span is kept is decided here, not by a caller's flag.
            number, self.parent_id = named
            self.remote = True
            self.trace = Trace(number, SAMPLED, None, self.pipe.holder.fate(number))
            self.trace.hex = self.parent.trace_id
        else:
            found = None if self.kind is _SERVER else above_in(around)
            number, flags, state = self.pipe.provider.begin(found)
            self.trace = Trace(number, flags, state, self.pipe.holder.fate(number))
            if found is not None:
                self.above, self.parent_id, self.remote = found.span, found.span_id, found.remote
        self.head = head_of(number, self.parent_id)

    def _begin_whole(self) -> None:
        span, provider = self.whole(), self.pipe.provider
        if self.links:
            span.join([Link(to_otel(link)) for link in self.links if w3c.is_valid(link)])
        if provider.processors is not None:
            provider.announce(span, Context() if self.kind is _SERVER or self.parent is not None else None)

    def _lose(self, around: Context) -> None:
        """From now on the block only has ids."""
        self.rest = rest_of(around)
        self.light = False
        span = self.full = lost(w3c.new_trace_id(), new_span_id())
        self.trace, self.span_id = Trace(span.trace_id, SAMPLED, None, Held()), span.span_id
        self.children = self.shown = None
        self.failed = False

    def head_of_children(self) -> bytes:
        head = self.children = head_of(self.trace.number, self.span_id)
        return head

    def _tell(self, name: str, attributes: Mapping[str, Any]) -> None:
        pipe, events = self.pipe, self.events
        if not self.light or len(attributes) > pipe.event_attributes or len(events or ()) >= pipe.events:
            self.whole().tell(name, attributes)
            return
        if events is None:
            events = self.events = []
        events.append((name, time_ns(), attributes if type(attributes) is Repeated else dict(attributes)))

    def _made_whole(self) -> OwnSpan:
        its, above = self.trace, self.above
        if above is None and self.parent_id:
            above = api.SpanContext(its.number, self.parent_id, self.remote, TraceFlags(its.flags), its.state)
        tracer, parent_id = self.pipe.tracer, self.parent_id
        span = OwnSpan(
            tracer,
            self.name,
            self.kind,
            above,
            parent_id,
            self.remote,
            its.number,
            self.span_id,
            its.flags,
            its.state,
            self.start,
        )
        span.given = NOTHING
        for attributes in self.given:
            span.give(attributes)
        if self.events is not None:
            span.event_records = [EventRecord(*event, own=True) for event in self.events]
        span.end_time = self.end
        return span

    def _safely(self, action: Callable[..., object], *arguments: object) -> None:
        try:
            action(*arguments)
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; it is counted
            self.pipe.drops.count("traces", "internal_error")

    def _fail(self, kind: str, message: str) -> None:
        # The first failure is the cause; an exception that follows it is told by its event.
        if self.failed:
            return
        self.failed = True
        span = self.whole()
        span.set_status(Status(StatusCode.ERROR, message or None))
        span.give({c.ATTR_ERROR_TYPE: kind})

    def _passed_through(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._tell(c.EVENT_CANCELLED, NOTHING)
            return
        kind, message = error_type(error), error_message(error)
        self._tell(c.EVENT_EXCEPTION, {c.ATTR_EXCEPTION_TYPE: kind, c.ATTR_EXCEPTION_MESSAGE: message})
        self._fail(kind, message)
