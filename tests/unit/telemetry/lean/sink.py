"""A receiver inside the process."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from telemetry.config import TelemetryConfig
from telemetry.facade import SpanContext

CALLER = SpanContext("a" * 32, "b" * 16)
CONFIG = TelemetryConfig(service_version="1.2.3", instance_id="one", exchanges=("paper",), sources=("tv",))


class Sink:
    """Takes requests instead of a receiver; `accepts` false refuses them."""

    timeout = 10.0

    def __init__(self, *, accepts: bool = True) -> None:
        self.bodies: list[bytes] = []
        self.accepts = accepts

    def post(self, body: bytes, deadline: float) -> bool:
        self.bodies.append(body)
        return self.accepts

    def hurry(self) -> None:
        pass

    def close(self) -> None:
        pass

    def spans(self) -> list[Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
