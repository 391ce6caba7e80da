"""Ended spans as OTLP: a Span message each, and the request around many.

Field numbers: opentelemetry/proto/trace/v1/trace.proto and collector/trace/v1/trace_service.proto. The decoded message
equals what `opentelemetry-exporter-otlp-proto-common` makes of the SDK's span; the order of its fields does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Any, Protocol

from telemetry.facade import Repeated
from telemetry.lean.pairs import clean_pairs, own_pairs
from telemetry.lean.span import UNSET, EventRecord, LinkRecord
from telemetry.lean.wire import SMALL, VARINTS, field_bytes, field_text, field_varint, varint
from telemetry.w3c import new_span_id

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanKind, Status, TraceState

    from telemetry.facade import Attributes, Step
    from telemetry.lean.span import LeanSpan

# 1: trace id, 2: span id, 7 and 8: start and end in Unix nanoseconds; the same with 4: the parent's id.
_LIGHT = Struct("<8sBQBQ").pack
_ROOT = Struct("<2s16s2s8sBQBQ").pack
_CHILD = Struct("<2s16s2s8sBQBQ2s8s").pack
_TRACE_ID, _SPAN_ID, _START, _END, _PARENT_ID = b"\x0a\x10", b"\x12\x08", 0x39, 0x41, b"\x22\x08"
_ATTRIBUTE = b"\x4a"
_EVENT = Struct("<BQ").pack
_EVENT_TIME, _EVENT_ATTRIBUTE, _LINK_ATTRIBUTE = 0x09, b"\x1a", b"\x22"

# Bits 8 and 9 of `flags` (fixed32): whether the parent is remote is known, and whether it is.
_KNOWN, _REMOTE = 0x100, 0x200
_SPAN_FLAGS = Struct("<2sI").pack
_LINK_FLAGS = Struct("<sI").pack
_SPAN_FLAGS_TAG, _LINK_FLAGS_TAG = b"\x85\x01", b"\x35"
_NO_STATUS = b"\x7a\x00"

_CACHED_NAMES, _CACHED_NAME = 1024, 256
_names: tuple[dict[str, bytes], ...] = ({}, {}, {}, {}, {})
"""Name, kind and flags of spans below a local parent or none, by the SDK's number of the kind."""
_light_names: tuple[tuple[dict[str, bytes], ...], ...] = (({}, {}, {}, {}, {}), ({}, {}, {}, {}, {}))
"""The same with the status that says nothing, below a local parent or none and below a remote one."""

Told = tuple[str, int, "Attributes"]
"""An event of the facade as a block keeps it: name, Unix nanoseconds, attributes."""

log = logging.getLogger(__name__)


def encode_span(span: LeanSpan) -> bytes:
    """A Span message with its length before it and no tag, as it stands in a ScopeSpans message."""
    trace_id = span.trace_id.to_bytes(16, "big")
    span_id = span.span_id.to_bytes(8, "big")
    start, end = span.start_time, span.end_time
    if span.parent_id:
        parent_id = span.parent_id.to_bytes(8, "big")
        ids = _CHILD(_TRACE_ID, trace_id, _SPAN_ID, span_id, _START, start, _END, end, _PARENT_ID, parent_id)
    else:
        ids = _ROOT(_TRACE_ID, trace_id, _SPAN_ID, span_id, _START, start, _END, end)
    name = None if span.remote else _names[span.kind._value_].get(span.name)
    if name is None:
        name = _name(span)
    lost = span.lost_attributes or span.lost_events or span.lost_links
    if span.event_records or span.link_records or span.status is not UNSET or span.trace_state or lost:
        head = ids + name + _rarer(span)
    else:
        head = ids + name + _NO_STATUS
    message = _ATTRIBUTE.join(span.encoded_attributes(head))
    size = len(message)
    return (VARINTS[size] if size < SMALL else varint(size)) + message


def head_of(trace_id: int, parent_id: int) -> bytes:
    """What the messages of all spans below one parent (0: below none) begin with; a span's id comes next."""
    head = _TRACE_ID + trace_id.to_bytes(16, "big")
    return head + (_PARENT_ID + parent_id.to_bytes(8, "big") if parent_id else b"") + _SPAN_ID


class Light(Protocol):
    """A span that nobody but the facade deals with; `head` is its message up to its id."""

    head: bytes
    name: str
    kind: SpanKind
    remote: bool
    span_id: int
    start: int
    given: list[Attributes]
    events: list[Told] | None


def encode_light(block: Light, end: int, most: int) -> bytes:
    """As `encode_span`, of a block that is all there is of its span and may have `most` attributes.

    Raises whatever happens where an attribute cannot be encoded as it is; `encode_span` of the whole span then can.
    """
    name = _light_names[block.remote][block.kind._value_].get(block.name)
    if name is None:
        name = _light_name(block)
    message = block.head + _LIGHT(block.span_id.to_bytes(8, "big"), _START, block.start, _END, end) + name
    given, events = block.given, block.events
    for attributes in given if len(given) == 1 and len(given[0]) <= most else _distinct(given, most):
        if type(attributes) is Repeated:
            message += attributes.encoded or _repeated(attributes)
        else:
            message = _with(attributes, message)
    if events is not None:
        message += b"".join(map(_told, events))
    size = len(message)
    return (VARINTS[size] if size < SMALL else varint(size)) + message


def encode_step(head: bytes, step: Step, most: int) -> bytes:
    """The same of a step below a local parent with this head; raises as `encode_light` does."""
    name, began_ns, ended_ns, attributes = step
    message = head + _LIGHT(new_span_id().to_bytes(8, "big"), _START, began_ns, _END, ended_ns) + _step_name(name)
    if len(attributes) > most:
        raise ValueError("more attributes than a span has")
    if type(attributes) is Repeated:
        message += attributes.encoded or _repeated(attributes)
    elif attributes:
        message = _with(attributes, message)
    size = len(message)
    return (VARINTS[size] if size < SMALL else varint(size)) + message


def _distinct(sets: Sequence[Attributes], most: int) -> Sequence[Attributes]:
    """What was set, one after the other, with no key in two of them."""
    if len(sets) == 2 and sets[0].keys().isdisjoint(sets[1]):  # noqa: PLR2004 - nearly always, and cheaper to ask
        distinct, count = True, len(sets[0]) + len(sets[1])
    else:
        count = sum(map(len, sets))
        distinct = len(set().union(*sets)) == count
    if count > most:
        raise ValueError("these may be more attributes than a span has")
    return sets if distinct else (_in_order(sets),)


def _in_order(sets: Iterable[Attributes]) -> dict[str, Any]:
    """A key that is set again moves to the end, as in the SDK."""
    merged: dict[str, Any] = {}
    for attributes in sets:
        for key, value in attributes.items():
            merged.pop(key, None)
            merged[key] = value
    return merged


def _repeated(attributes: Repeated) -> bytes:
    """Each with its tag before it; kept, because they come again."""
    encoded = attributes.encoded = _with(attributes, b"")
    return encoded


def _with(attributes: Attributes, head: bytes) -> bytes:
    """What comes first, and each of these with its tag before it."""
    pairs = own_pairs.encode(attributes, head)
    if len(pairs) <= len(attributes):
        raise ValueError("an attribute cannot be encoded as it is; expected what OTLP has")
    return _ATTRIBUTE.join(pairs)


@lru_cache(maxsize=_CACHED_NAMES)
def _step_name(name: str) -> bytes:
    # The kind (INTERNAL, 1 in OTLP), the flags below a local parent, and no status.
    return field_text(5, name) + field_varint(6, 1) + _SPAN_FLAGS(_SPAN_FLAGS_TAG, _KNOWN) + _NO_STATUS


def _light_name(block: Light) -> bytes:
    name = _name(block) + _NO_STATUS
    names = _light_names[block.remote][block.kind.value]
    if len(names) >= _CACHED_NAMES:
        names.clear()
    if len(name) <= _CACHED_NAME:
        names[block.name] = name
    return name


def _name(span: LeanSpan | Light) -> bytes:
    # OTLP numbers kinds from 1; the SDK from 0.
    name = field_text(5, str(span.name)) + field_varint(6, span.kind.value + 1)
    if span.remote:
        return name + _SPAN_FLAGS(_SPAN_FLAGS_TAG, _KNOWN | _REMOTE)
    name += _SPAN_FLAGS(_SPAN_FLAGS_TAG, _KNOWN)
    names = _names[span.kind.value]
    if len(names) >= _CACHED_NAMES:
        names.clear()
    if len(name) <= _CACHED_NAME:
        names[span.name] = name
    return name


def _rarer(span: LeanSpan) -> bytes:
    events = [field_bytes(11, _event(event)) for event in span.event_records or ()]
    links = [field_bytes(13, _link(link)) for link in span.link_records or ()]
    lost = (
        field_varint(10, span.lost_attributes) + field_varint(12, span.lost_events) + field_varint(14, span.lost_links)
    )
    return b"".join([_trace_state(span.trace_state), *events, *links, lost, _status(span.status)])


def _event(event: EventRecord) -> bytes:
    head = _EVENT(_EVENT_TIME, event.time_ns) + _event_name(event.name) + field_varint(4, event.dropped)
    pairs = own_pairs if event.own else clean_pairs
    return _EVENT_ATTRIBUTE.join(pairs.encode(event.attributes, head))


def _told(event: Told) -> bytes:
    """The same of an event of the facade that has all its attributes."""
    name, time_ns, attributes = event
    head = _EVENT(_EVENT_TIME, time_ns) + _event_name(name)
    if type(attributes) is not Repeated:
        return field_bytes(11, _EVENT_ATTRIBUTE.join(own_pairs.encode(attributes, head)))
    if attributes.told is None:
        attributes.told = _EVENT_ATTRIBUTE.join(own_pairs.encode(attributes, b""))
    return field_bytes(11, head + attributes.told)


@lru_cache(maxsize=_CACHED_NAMES)
def _event_name(name: str) -> bytes:
    return field_text(2, name)


def _link(link: LinkRecord) -> bytes:
    context = link.context
    flags = _KNOWN | _REMOTE if context.is_remote else _KNOWN
    head = (
        _TRACE_ID
        + context.trace_id.to_bytes(16, "big")
        + _SPAN_ID
        + context.span_id.to_bytes(8, "big")
        + _LINK_FLAGS(_LINK_FLAGS_TAG, flags)
        + field_varint(5, link.dropped)
    )
    return _LINK_ATTRIBUTE.join(clean_pairs.encode(link.attributes, head))


def _status(status: Status) -> bytes:
    return field_bytes(15, field_text(2, status.description or "") + field_varint(3, status.status_code.value))


def _trace_state(state: TraceState | None) -> bytes:
    return field_text(3, ",".join(f"{key}={value}" for key, value in state.items())) if state else b""


class Envelope:
    """What stands around the items of a request: the same messages for spans (ScopeSpans) and logs (ScopeLogs)."""

    def __init__(self, resource: Resource) -> None:
        self._scopes: dict[InstrumentationScope, tuple[bytes, bytes]] = {}
        self.describe(resource)

    def describe(self, resource: Resource) -> None:
        """From now on it is this resource's items."""
        attributes = b"\x0a".join(clean_pairs.encode(resource.attributes, b""))
        self._resource = field_bytes(1, attributes)
        self._schema_url = field_text(3, resource.schema_url or "")

    def request(self, items: Iterable[tuple[Any, ...]]) -> bytes:
        """A whole request of items, which end in their scope and their message with its length before it.

        Items stand by scope, in the order they came.
        """
        groups: dict[int, tuple[InstrumentationScope, list[bytes]]] = {}
        last = None
        append: Any = None
        for item in items:
            scope = item[-2]
            if scope is not last:
                # By identity: a tracer has one scope, and the SDK's class takes longer to hash than a span to encode.
                last = scope
                append = groups.setdefault(id(scope), (scope, [b""]))[1].append
            append(item[-1])
        body = b"".join([self._of_scope(scope, encoded) for scope, encoded in groups.values()])
        return field_bytes(1, self._resource + body + self._schema_url)

    def _of_scope(self, scope: InstrumentationScope, items: list[bytes]) -> bytes:
        known = self._scopes.get(scope)
        if known is None:
            known = self._scopes[scope] = (field_bytes(1, _scope(scope)), field_text(3, scope.schema_url or ""))
        head, schema_url = known
        return field_bytes(2, head + b"\x12".join(items) + schema_url)


def _scope(scope: InstrumentationScope) -> bytes:
    head = field_text(1, scope.name) + field_text(2, scope.version or "")
    return b"\x1a".join(clean_pairs.encode(scope.attributes or {}, head))
