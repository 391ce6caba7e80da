"""Between a service and its collector: passes exports on, and writes down which spans the collector acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SpanId = tuple[str, str]
"""Trace id and span id, hex."""

_TRACES = "/v1/traces"


def ignore() -> None:
    """Does nothing at that moment."""


class Relay:
    """To the collector at `url`; what it does not answer is answered 503, so that it is sent again.

    `on_its_way` is called as spans are about to be passed on, `acknowledged` when they are acknowledged and the service
    does not know it yet: the moments at which a kill is worst.
    """

    def __init__(self, url: str) -> None:
        self.on_its_way: Callable[[], None] = ignore
        self.acknowledged: Callable[[], None] = ignore
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self._lock = threading.Lock()
        self._spans: set[SpanId] = set()

    def close(self) -> None:
        self._http.close()

    @property
    def spans(self) -> set[SpanId]:
        """All that the collector acknowledged so far."""
        with self._lock:
            return set(self._spans)

    def __call__(self, path: str, body: bytes) -> int:
        """Pass one export on; the collector's status."""
        traces = path == _TRACES
        if traces:
            self.on_its_way()
        try:
            answer = self._http.post(path, content=body, headers={"Content-Type": "application/x-protobuf"})
        except httpx.HTTPError:
            return HTTPStatus.SERVICE_UNAVAILABLE
        if traces and answer.is_success:
            request = ExportTraceServiceRequest.FromString(body)
            found = {
                (span.trace_id.hex(), span.span_id.hex())
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            }
            with self._lock:
                self._spans |= found
            self.acknowledged()
        return answer.status_code
