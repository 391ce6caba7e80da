"""Encoded spans as data again, for the few that somebody wants to see."""

from __future__ import annotations

from struct import unpack
from typing import Any

from telemetry.facade import SpanContext
from telemetry.lean.reading import fields
from telemetry.otlp_json import EventData, SpanData

_INT64 = 1 << 63
_UINT64 = 1 << 64


def decode_span(encoded: bytes) -> SpanData:
    """What `encode_span` made, read again."""
    # With a tag before it, its length makes it a field.
    ((_, span),) = fields(b"\x0a" + encoded)
    one, many = _split(span, 9, 11, 13)
    status, _ = _split(one.get(15, b""))
    parent = one.get(4)
    return SpanData(
        context=SpanContext(one[1].hex(), one[2].hex()),
        parent_span_id=parent.hex() if parent else None,
        name=one.get(5, b"").decode(),
        kind=one.get(6, 0),
        start_ns=_fixed64(one[7]),
        end_ns=_fixed64(one[8]),
        attributes=_attributes(many[9]),
        events=[_event(event) for event in many[11]],
        links=[_link(link) for link in many[13]],
        status=status.get(3, 0),
        status_message=status.get(2, b"").decode(),
    )


def _split(message: int | bytes, *repeated: int) -> tuple[dict[int, Any], dict[int, list[Any]]]:
    assert isinstance(message, bytes), "a message is bytes"
    one: dict[int, Any] = {}
    many: dict[int, list[Any]] = {number: [] for number in repeated}
    for number, value in fields(message):
        if number in many:
            many[number].append(value)
        else:
            one[number] = value
    return one, many


def _event(event: bytes) -> EventData:
    one, many = _split(event, 3)
    return EventData(
        name=one.get(2, b"").decode(), time_ns=_fixed64(one.get(1, bytes(8))), attributes=_attributes(many[3])
    )


def _link(link: bytes) -> SpanContext:
    one, _ = _split(link, 4)
    return SpanContext(one[1].hex(), one[2].hex())


def _attributes(pairs: list[bytes]) -> dict[str, Any]:
    attributes = {}
    for pair in pairs:
        one, _ = _split(pair)
        attributes[one.get(1, b"").decode()] = _value(one.get(2, b""))
    return attributes


def _value(message: bytes) -> Any:
    """An AnyValue message as the value it was made of."""
    for number, value in fields(message):
        if isinstance(value, int):
            return bool(value) if number == _BOOL else (value + _INT64) % _UINT64 - _INT64
        if number == _TEXT:
            return value.decode()
        if number == _DOUBLE:
            return unpack("<d", value)[0]
        if number == _ARRAY:
            return tuple(_value(item) for _, item in fields(value) if isinstance(item, bytes))
        return _attributes(_split(value, 1)[1][1]) if number == _MAP else value
    return None


_TEXT, _BOOL, _DOUBLE, _ARRAY, _MAP = 1, 2, 4, 5, 6


def _fixed64(value: bytes) -> int:
    return int.from_bytes(value, "little")
