"""Spans of the OpenTelemetry API on slots; what the SDK builds for every span is built here only when asked for.

The API's rules (cleaning of attributes, limits, status, links) are the SDK's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from time import time_ns
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from opentelemetry import trace
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TraceFlags, TraceState

from telemetry.attributes import error_type
from telemetry.lean.current import SPAN_KEY, current_context
from telemetry.lean.failures import failure, stack_of, text_of
from telemetry.lean.limits import Limits, bounded, dropping, put, put_all
from telemetry.lean.pairs import clean_pairs
from telemetry.lean.readable import frozen, sized

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.util.types import AnyValue, Attributes

SAMPLED = int(TraceFlags.SAMPLED)
RANDOM = int(TraceFlags.RANDOM_TRACE_ID)
UNSET = Status()

_OK = StatusCode.OK
_SAYING = (StatusCode.OK, StatusCode.ERROR)

log = logging.getLogger(__name__)


class Owner(Protocol):
    """What a span needs of the tracer that made it."""

    limits: Limits
    instrumentation_scope: InstrumentationScope

    @property
    def resource(self) -> Resource: ...

    def finish(self, span: LeanSpan) -> None: ...


class EventRecord(NamedTuple):
    """An event as it is kept; `own` marks attributes of the facade, which become plain values when they are encoded."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any]
    dropped: int = 0
    own: bool = False


class LinkRecord(NamedTuple):
    context: trace.SpanContext
    attributes: Mapping[str, Any]
    dropped: int = 0


class LeanSpan(trace.Span, ReadableSpan):
    """One span; it can be read like the SDK's, and lives in its tracer's pipeline from the first to its end.

    `above` is the parent: a span of this kind, any other span's context, or None; `parent_id` 0 for a root.
    """

    __slots__ = (
        "_context",
        "above",
        "attribute_map",
        "end_time",
        "event_records",
        "flags",
        "kind",
        "link_records",
        "lost_attributes",
        "lost_events",
        "lost_links",
        "name",
        "on_exception",
        "owner",
        "parent_id",
        "remote",
        "span_id",
        "start_time",
        "status",
        "trace_id",
        "trace_state",
    )

    name: str
    kind: SpanKind
    start_time: int
    end_time: int | None
    status: Status

    def __init__(
        self,
        owner: Owner,
        name: str,
        kind: SpanKind,
        above: LeanSpan | trace.SpanContext | None,
        parent_id: int,
        remote: bool,  # noqa: FBT001 - by position, as all of them: a span is made a dozen times an order
        trace_id: int,
        span_id: int,
        flags: int,
        trace_state: TraceState | None,
        start_time: int,
    ) -> None:
        self.owner = owner
        self.name = name
        self.kind = kind
        self.above = above
        self.parent_id = parent_id
        self.remote = remote
        self.trace_id = trace_id
        self.span_id = span_id
        self.flags = flags
        self.trace_state = trace_state
        self.start_time = start_time
        self.end_time = None
        self.status = UNSET
        self.attribute_map: dict[str, Any] = {}
        self.event_records: list[EventRecord] | None = None
        self.link_records: list[LinkRecord] | None = None
        self.lost_attributes = self.lost_events = self.lost_links = 0
        self.on_exception = (True, True)
        self._context: trace.SpanContext | None = None

    def get_span_context(self) -> trace.SpanContext:
        context = self._context
        if context is None:
            flags = TraceFlags(self.flags)
            context = trace.SpanContext(self.trace_id, self.span_id, False, flags, self.trace_state)  # noqa: FBT003
            self._context = context
        return context

    def is_recording(self) -> bool:
        return self.end_time is None

    def set_attribute(self, key: str, value: AnyValue) -> None:
        if self.end_time is not None:
            log.warning("Setting attribute on ended span.")
            return
        self.attribute_map, lost = put(self.attribute_map, self.owner.limits.span, key, value)
        self.lost_attributes += lost

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        if self.end_time is not None:
            log.warning("Setting attribute on ended span.")
            return
        self.attribute_map, lost = put_all(self.attribute_map, self.owner.limits.span, attributes)
        self.lost_attributes += lost

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        kept, lost = bounded(attributes, self.owner.limits.event)
        self.note(EventRecord(name, time_ns() if timestamp is None else timestamp, kept, lost))

    def note(self, event: EventRecord) -> None:
        """Add an event that is within its limits."""
        if self._ended("_add_event"):
            return
        if self.event_records is None:
            self.event_records = []
        self.event_records.append(event)
        self.lost_events += dropping(self.owner.limits.events, self.event_records)

    def add_link(self, context: trace.SpanContext, attributes: Attributes = None) -> None:
        if not _is_link(context, attributes) or self._ended("_add_link"):
            return
        self.join([Link(context, attributes)])

    def join(self, links: Sequence[Link]) -> None:
        """Add those of `links` that point somewhere."""
        records = self.link_records or []
        for link in links:
            if _is_link(link.context, link.attributes):
                kept, lost = bounded(link.attributes, self.owner.limits.link)
                records.append(LinkRecord(link.context, kept, lost))
        self.lost_links += dropping(self.owner.limits.links, records)
        self.link_records = records

    def update_name(self, name: str) -> None:
        if not self._ended("update_name"):
            self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        if self._ended("set_status"):
            return
        code = status.status_code if isinstance(status, Status) else status
        # OK is final; UNSET says nothing, and neither does what is no status at all.
        if self.status.status_code is _OK or code not in _SAYING:
            return
        if isinstance(status, Status):
            if description is not None:
                log.warning("Description %s ignored. Use either `Status` or `(StatusCode, Description)`", description)
            self.status = status
        else:
            self.status = Status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - the API's signature
    ) -> None:
        told: dict[str, Any] = {
            "exception.type": error_type(exception),
            "exception.message": text_of(exception),
            "exception.stacktrace": stack_of(exception),
            "exception.escaped": str(escaped),
        }
        if attributes:
            told.update(attributes)
        self.add_event("exception", told, timestamp)

    def end(self, end_time: int | None = None) -> None:
        now = time_ns() if end_time is None else end_time
        # Two threads cannot both end it: CPython switches threads at calls and backward jumps, not between these two.
        if self.end_time is None:
            self.end_time = now
            self.owner.finish(self)
        else:
            log.warning("Calling end() on an ended span.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        if error is not None and self.is_recording():
            record, mark = self.on_exception
            if record:
                self.record_exception(error, escaped=True)
            if mark:
                self.set_status(failure(error))
        self.end()

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name="{self.name}", context={self.get_span_context()})'

    def encoded_attributes(self, head: bytes) -> list[bytes]:
        """See `Pairs`."""
        return clean_pairs.encode(self.attribute_map, head)

    def as_readable(self) -> ReadableSpan:
        """What the SDK hands to processors and exporters: a span that nobody can change."""
        bound = self.owner.limits.span
        return ReadableSpan(
            name=self.name,
            context=self.get_span_context(),
            parent=self.parent,
            resource=self.resource,
            attributes=frozen(self.attribute_map, self.lost_attributes, bound.count, bound.length),
            events=sized(self.events, self.lost_events),
            links=sized(self.links, self.lost_links),
            kind=self.kind,
            status=self.status,
            start_time=self.start_time,
            end_time=self.end_time,
            instrumentation_scope=self.instrumentation_scope,
        )

    @property
    def context(self) -> trace.SpanContext:
        return self.get_span_context()

    @property
    def parent(self) -> trace.SpanContext | None:
        above = self.above
        return above.get_span_context() if isinstance(above, LeanSpan) else above

    @property
    def attributes(self) -> Attributes:
        return MappingProxyType(self.attribute_map)

    @property
    def events(self) -> Sequence[Event]:
        return tuple(
            Event(record.name, frozen(record.attributes, record.dropped), record.time_ns)
            for record in self.event_records or ()
        )

    @property
    def links(self) -> Sequence[Link]:
        return tuple(
            Link(record.context, frozen(record.attributes, record.dropped)) for record in self.link_records or ()
        )

    @property
    def dropped_attributes(self) -> int:
        return self.lost_attributes

    @property
    def dropped_events(self) -> int:
        return self.lost_events

    @property
    def dropped_links(self) -> int:
        return self.lost_links

    @property
    def resource(self) -> Resource:
        return self.owner.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        return self.owner.instrumentation_scope

    def to_json(self, indent: int | None = 4) -> str:
        return str(self.as_readable().to_json(indent))

    def _ended(self, what: str) -> bool:
        if self.end_time is None:
            return False
        log.warning("Tried calling %s on an ended span.", what)
        return True


def current_ids() -> tuple[int, int] | None:
    """Trace id and span id of the current span, whoever made it; None outside of any."""
    span: Any = current_context().get(SPAN_KEY)
    if span is None:
        return None
    try:
        return span.trace_id, span.span_id
    except AttributeError:
        context = trace.get_current_span().get_span_context()
        return (context.trace_id, context.span_id) if context.is_valid else None


def _is_link(context: trace.SpanContext | None, attributes: Attributes) -> bool:
    return bool(context and (context.is_valid or attributes or context.trace_state))
