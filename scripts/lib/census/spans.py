"""Jaeger's answer to a search, as traces; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from telemetry import conventions as c

Step = tuple[str, str]
"""A transition of an order: from, to."""


class Span(NamedTuple):
    """`parent_id` is empty for a root; `steps` are the transitions that it tells of; `end_us` is Unix microseconds."""

    name: str
    span_id: str
    parent_id: str
    server: bool
    end_us: int
    attributes: Mapping[str, str]
    steps: Sequence[Step]


class Trace(NamedTuple):
    trace_id: str
    spans: Sequence[Span]

    @property
    def end_us(self) -> int:
        """When its last span ended, Unix microseconds."""
        return max(span.end_us for span in self.spans)


def traces(document: Mapping[str, Any]) -> Sequence[Trace]:
    """From the document that `/api/traces` answers."""
    return [_trace(one) for one in document.get("data") or ()]


def _trace(document: Mapping[str, Any]) -> Trace:
    trace_id = str(document["traceID"])
    # Jaeger leaves out leading zeros of some ids.
    return Trace(trace_id.zfill(32), [_span(span, trace_id) for span in document["spans"]])


def _span(document: Mapping[str, Any], trace_id: str) -> Span:
    attributes = _values(document.get("tags"))
    parents = (
        str(one["spanID"])
        for one in document.get("references") or ()
        if one["refType"] == "CHILD_OF" and one["traceID"] == trace_id
    )
    return Span(
        name=document["operationName"],
        span_id=str(document["spanID"]),
        parent_id=next(parents, ""),
        server=attributes.get("span.kind") == "server",
        end_us=int(document["startTime"]) + int(document["duration"]),
        attributes=attributes,
        steps=list(_steps(document.get("logs") or ())),
    )


def _steps(logs: Sequence[Mapping[str, Any]]) -> Iterator[Step]:
    for log in logs:
        fields = _values(log.get("fields"))
        if fields.get("event") == c.EVENT_ORDER_TRANSITION:
            yield fields.get(c.ATTR_TRANSITION_FROM, ""), fields.get(c.ATTR_TRANSITION_TO, "")


def _values(pairs: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    return {pair["key"]: str(pair["value"]) for pair in pairs or ()}
