"""Asks Jaeger what arrived: traces by an attribute or by their id.

Searched as Jaeger's own page does, `/api/traces`: over HTTP the newer interface, `/api/v3/traces`, takes no attributes
and, asked with some, answers with every trace. What is found is read there, as OpenTelemetry wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import httpx

from tests.acceptance.stack.waiting import eventually

SERVER, INTERNAL, CLIENT = 2, 1, 3
_NOT_FOUND = 404
_MOST = 1500


class Event(NamedTuple):
    name: str
    attributes: Mapping[str, str]


class Span(NamedTuple):
    """One span; values of attributes are text, times Unix nanoseconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool
    attributes: Mapping[str, str]
    events: Sequence[Event]
    links: Sequence[tuple[str, str]]
    resource: Mapping[str, str]


class Trace(NamedTuple):
    """The spans of one trace, by their start."""

    trace_id: str
    spans: Sequence[Span]

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    @property
    def root(self) -> Span:
        """The only span without a parent in the trace."""
        known = {span.span_id for span in self.spans}
        (root,) = [span for span in self.spans if span.parent_id not in known]
        return root

    def below(self, span: Span) -> list[Span]:
        return [child for child in self.spans if child.parent_id == span.span_id]

    def tree(self, span: Span | None = None) -> tuple[str, list[Any]]:
        """A span's name and the trees below it."""
        top = span or self.root
        return top.name, [self.tree(child) for child in self.below(top)]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


class Jaeger:
    """The query interface at `url`; `service` is the `service.name` of what is looked for."""

    def __init__(self, url: str, service: str = "fillpath") -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._service = service

    def close(self) -> None:
        self._http.close()

    def find(self, **attributes: str) -> list[Trace]:
        """Traces with a span, or a process, that has all these attributes; `__` in a name stands for a dot."""
        return self.search({name.replace("__", "."): value for name, value in attributes.items()})

    def search(self, attributes: Mapping[str, str], *, service: str | None = None) -> list[Trace]:
        """As `find`, by names as they are."""
        found = (self.trace(trace_id) for trace_id in self.ids(attributes, service=service))
        return [trace for trace in found if trace is not None]

    def ids(self, attributes: Mapping[str, str], *, service: str | None = None, most: int = _MOST) -> list[str]:
        """The ids of the traces, of the last hour, that `search` would read."""
        query = {
            "service": service or self._service,
            "tags": json.dumps(dict(attributes)),
            "lookback": "1h",
            "limit": str(most),
        }
        response = self._http.get("/api/traces", params=query)
        response.raise_for_status()
        found = [str(trace["traceID"]).zfill(32) for trace in response.json()["data"]]
        assert len(found) < most, f"{most} traces or more have {attributes}; ask for more"
        return found

    def trace(self, trace_id: str) -> Trace | None:
        found = _traces(self._http.get(f"/api/v3/traces/{trace_id}"))
        return found[0] if found else None

    def span_ids(self, trace_id: str) -> set[str]:
        """Of the spans that it has of a trace: quick, for looking through thousands of traces."""
        response = self._http.get(f"/api/v3/traces/{trace_id}")
        if response.status_code == _NOT_FOUND:
            return set()
        response.raise_for_status()
        scopes = (scope for resource in response.json()["result"]["resourceSpans"] for scope in resource["scopeSpans"])
        return {span["spanId"] for scope in scopes for span in scope["spans"]}

    def text(self, trace_id: str) -> str:
        """All that it tells about a trace, as it tells it."""
        return self._http.get(f"/api/v3/traces/{trace_id}").text

    def whole(self, trace_id: str, *names: str, within: float = 60.0) -> Trace:
        """A trace once it has a span of each of these names."""

        def look() -> Trace | None:
            trace = self.trace(trace_id)
            return trace if trace is not None and set(names) <= set(trace.names) else None

        found = eventually(look, within=within)
        assert found is not None
        return found


def _traces(response: httpx.Response) -> list[Trace]:
    if response.status_code == _NOT_FOUND:
        return []
    response.raise_for_status()
    by_id: dict[str, list[Span]] = {}
    for span in _spans(response.json()):
        by_id.setdefault(span.trace_id, []).append(span)
    return [Trace(trace_id, sorted(spans, key=lambda span: span.start_ns)) for trace_id, spans in by_id.items()]


def _spans(document: Mapping[str, Any]) -> Iterator[Span]:
    for resource in document["result"]["resourceSpans"]:
        about = _attributes(resource.get("resource", {}))
        for scope in resource["scopeSpans"]:
            yield from (_span(span, about) for span in scope["spans"])


def _span(span: Mapping[str, Any], resource: Mapping[str, str]) -> Span:
    return Span(
        name=span["name"],
        trace_id=span["traceId"],
        span_id=span["spanId"],
        parent_id=span.get("parentSpanId", ""),
        kind=span.get("kind", 0),
        start_ns=int(span["startTimeUnixNano"]),
        end_ns=int(span["endTimeUnixNano"]),
        failed=span.get("status", {}).get("code") == 2,
        attributes=_attributes(span),
        events=[Event(event["name"], _attributes(event)) for event in span.get("events", ())],
        links=[(link["traceId"], link["spanId"]) for link in span.get("links", ())],
        resource=resource,
    )


def _attributes(holder: Mapping[str, Any]) -> dict[str, str]:
    pairs = ((item["key"], next(iter(item["value"].values()), "")) for item in holder.get("attributes", ()))
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in pairs}
