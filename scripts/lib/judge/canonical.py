"""Decoded OTLP without what two runs of the same operations may tell differently: ids, times, batches, frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from telemetry import conventions as c

# Times of a clock; what an operation names lies outside of it (2001 to 2096).
_CLOCK = range(10**18, 4 * 10**18)
_STACK = "exception.stacktrace"
_UNTOLD = b"untold.."

Seen = Mapping[bytes, bytes]
"""Ids as they were in one run, and what stands for them in both."""


def stand_in(path: str, size: int) -> bytes:
    """What stands for the id of a span that was begun at this place."""
    return hashlib.sha256(f"{size} {path}".encode()).digest()[:size]


_EARLIER = 99


class Times:
    """Times of a series of exports, each as the number of the export that it is the time of; 99 for none's."""

    def __init__(self) -> None:
        self._numbers = {0: 0}

    def of_export(self, time_ns: int) -> int:
        return self._numbers.setdefault(time_ns, len(self._numbers))

    def of_start(self, time_ns: int) -> int:
        return self._numbers.get(time_ns, _EARLIER)


def traces(bodies: Iterable[bytes], seen: Seen, *, ordered: bool, cut: bool = False) -> ExportTraceServiceRequest:
    """All spans in one request, in the order of their end; by id where they ended side by side.

    `cut` says that a limit shortens text: a stack then ends within frames that are each engine's own.
    """
    whole = ExportTraceServiceRequest()
    stand_ins = set(seen.values())
    _join(whole, bodies, "resource_spans", "scope_spans", "spans")
    for scope in (scope for resource in whole.resource_spans for scope in resource.scope_spans):
        for span in scope.spans:
            _span(span, seen, stand_ins, cut=cut)
        if not ordered:
            scope.spans.sort(key=lambda span: span.SerializeToString(deterministic=True))
    if not ordered:
        for resource in whole.resource_spans:
            resource.scope_spans.sort(key=lambda scope: (scope.scope.SerializeToString(), scope.schema_url))
    return whole


def _span(span: Any, seen: Seen, stand_ins: Collection[bytes], *, cut: bool) -> None:
    moments = [span.start_time_unix_nano, *(event.time_unix_nano for event in span.events), span.end_time_unix_nano]
    clock = [moment for moment in moments if moment in _CLOCK]
    assert clock == sorted(clock), f"times run backwards in span {span.name!r}: {clock}"
    span.start_time_unix_nano, span.end_time_unix_nano = _still(moments[0]), _still(moments[-1])
    for event in span.events:
        event.time_unix_nano = _still(event.time_unix_nano)
        for pair in (pair for pair in event.attributes if pair.key == _STACK):
            # The frames between its first and its last line are each engine's own.
            lines = pair.value.string_value.splitlines() or [""]
            pair.value.string_value = lines[0] if cut else f"{lines[0]}\n{lines[-1]}"
    for one in (span, *span.links):
        one.trace_id, one.span_id = seen.get(one.trace_id, one.trace_id), seen.get(one.span_id, one.span_id)
    if span.span_id not in stand_ins:
        # A step's: nobody is told it.
        span.span_id = _UNTOLD
    span.parent_span_id = seen.get(span.parent_span_id, span.parent_span_id)


def logs(bodies: Iterable[bytes], seen: Seen, *, ordered: bool) -> ExportLogsServiceRequest:
    whole = ExportLogsServiceRequest()
    _join(whole, bodies, "resource_logs", "scope_logs", "log_records")
    for scope in (scope for resource in whole.resource_logs for scope in resource.scope_logs):
        for record in scope.log_records:
            record.trace_id = seen.get(record.trace_id, record.trace_id)
            record.span_id = seen.get(record.span_id, record.span_id)
        if not ordered:
            scope.log_records.sort(key=lambda record: record.SerializeToString(deterministic=True))
    return whole


def metrics(bodies: Sequence[bytes], seen: Seen) -> list[ExportMetricsServiceRequest]:
    """Each export by itself: a change is told once, and a total again."""
    times = Times()
    exports = [ExportMetricsServiceRequest.FromString(body) for body in bodies]
    for export in exports:
        for metric in _metrics(export):
            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                _point(point, times, seen)
                if metric.name == c.TELEMETRY_QUEUE_ITEMS.name:
                    point.as_double = 0
    return exports


def _point(point: Any, times: Times, seen: Seen) -> None:
    assert point.start_time_unix_nano <= point.time_unix_nano, "a point ends before it starts"
    for exemplar in getattr(point, "exemplars", ()):
        assert 0 < exemplar.time_unix_nano <= point.time_unix_nano, "an exemplar is of no time before its point"
        exemplar.time_unix_nano = 0
        exemplar.trace_id = seen.get(exemplar.trace_id, exemplar.trace_id)
        exemplar.span_id = seen.get(exemplar.span_id, exemplar.span_id)
    now = times.of_export(point.time_unix_nano)
    point.start_time_unix_nano = times.of_start(point.start_time_unix_nano)
    point.time_unix_nano = now


def without_instance(request: Any, kind: str) -> list[str]:
    """Take the instance ids out of a request of a forked child, where they are random, and return them."""
    found = []
    for resource in getattr(request, kind):
        for pair in resource.resource.attributes:
            if pair.key == "service.instance.id":
                found.append(pair.value.string_value)
                pair.value.string_value = ""
    return found


def _still(moment: int) -> int:
    return 0 if moment in _CLOCK else moment


def _join(whole: Any, bodies: Iterable[bytes], resources: str, scopes: str, items: str) -> None:
    """Into one request: how many there were depends on when the sending thread woke up."""
    by_resource: dict[bytes, Any] = {}
    by_scope: dict[tuple[bytes, bytes], Any] = {}
    for body in bodies:
        request = type(whole).FromString(body)
        for resource in getattr(request, resources):
            key = resource.resource.SerializeToString(deterministic=True) + resource.schema_url.encode()
            if key not in by_resource:
                by_resource[key] = getattr(whole, resources).add(
                    resource=resource.resource, schema_url=resource.schema_url
                )
            for scope in getattr(resource, scopes):
                place = (key, scope.scope.SerializeToString(deterministic=True) + scope.schema_url.encode())
                if place not in by_scope:
                    into = getattr(by_resource[key], scopes)
                    by_scope[place] = into.add(scope=scope.scope, schema_url=scope.schema_url)
                getattr(by_scope[place], items).extend(getattr(scope, items))


def _metrics(request: ExportMetricsServiceRequest) -> Iterator[Any]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            yield from scope.metrics


def equal(sdk: Any, lean: Any, what: str) -> None:
    """Raises AssertionError, with the first lines that differ: by the bytes, so that NaN equals NaN."""
    if sdk.SerializeToString(deterministic=True) == lean.SerializeToString(deterministic=True):
        return
    both: Callable[[Any], list[str]] = lambda message: str(message).splitlines()  # noqa: E731 - said once, used twice
    differing = [(a, b) for a, b in zip(both(sdk), both(lean), strict=False) if a != b][:5]
    raise AssertionError(f"{what} differ: {differing or 'in length'}\n--- sdk\n{sdk}\n--- lean\n{lean}")


def size(request: Any, resources: str) -> int:
    """Spans, log records or metrics in it."""
    scopes, items = {
        "resource_spans": ("scope_spans", "spans"),
        "resource_logs": ("scope_logs", "log_records"),
        "resource_metrics": ("scope_metrics", "metrics"),
    }[resources]
    return sum(len(getattr(scope, items)) for one in getattr(request, resources) for scope in getattr(one, scopes))
