"""Spans as OTLP/JSON: hex ids, enums as integers, 64-bit integers as strings.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.attributes import Plain
    from telemetry.facade import SpanContext

INTERNAL = 1
ERROR = 2
SAMPLED = 1

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventData:
    name: str
    time_ns: int
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanData:
    """One ended span; ids are lowercase hex, times Unix nanoseconds, `kind` and `status` OTLP's numbers."""

    context: SpanContext
    parent_span_id: str | None
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    events: Sequence[EventData] = ()
    links: Sequence[SpanContext] = ()
    status: int = 0
    status_message: str = ""


def encode_span(span: SpanData) -> bytes:
    """One element of `scopeSpans[].spans`."""
    document: dict[str, Any] = {
        "traceId": span.context.trace_id,
        "spanId": span.context.span_id,
        "flags": SAMPLED,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _attributes(span.attributes),
    }
    if span.parent_span_id:
        document["parentSpanId"] = span.parent_span_id
    if span.events:
        document["events"] = [
            {"timeUnixNano": str(event.time_ns), "name": event.name, "attributes": _attributes(event.attributes)}
            for event in span.events
        ]
    if span.links:
        document["links"] = [{"traceId": link.trace_id, "spanId": link.span_id} for link in span.links]
    if span.status:
        document["status"] = {"code": span.status} | ({"message": span.status_message} if span.status_message else {})
    return _encoder.encode(document)


def encode_trace(resource: Mapping[str, Plain], scope: str, version: str, spans: Iterable[bytes]) -> bytes:
    """A whole TracesData document around spans that are already encoded."""
    return _encoder.encode(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes(resource)},
                    "scopeSpans": [
                        {
                            "scope": {"name": scope, "version": version},
                            "spans": [msgspec.Raw(span) for span in spans],
                        }
                    ],
                }
            ]
        }
    )


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        # JSON has no NaN; protobuf's mapping writes these as strings.
        return {
            "doubleValue": value if value - value == 0 else str(value).replace("inf", "Infinity").replace("nan", "NaN")
        }
    return {"stringValue": value} if isinstance(value, str) else _rarer(value)


def _rarer(value: Any) -> dict[str, Any]:
    """What only the OpenTelemetry API takes, never the facade."""
    if value is None:
        return {}
    if isinstance(value, bytes):
        return {"bytesValue": b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    return {"arrayValue": {"values": [_value(item) for item in value]}}
