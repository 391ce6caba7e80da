"""What both engines take from OpenTelemetry alike: resource, limits, severities and the forms of a span's context."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.resources import OTELResourceDetector, Resource, _get_process_dependent_resource
from opentelemetry.sdk.trace import SpanLimits

from telemetry.facade import SpanContext

if TYPE_CHECKING:
    from telemetry.config import TelemetryConfig

SCOPE = "fillpath"

# All of them named, or the environment would set the rest.
SPAN_LIMITS = SpanLimits(
    max_attributes=64,
    max_span_attributes=64,
    max_event_attributes=16,
    max_link_attributes=16,
    max_events=64,
    max_links=16,
    max_attribute_length=4096,
    max_span_attribute_length=4096,
)
LOG_ATTRIBUTES = 64
LOG_ATTRIBUTE_LENGTH = 8192

# Source: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)


def severity(level: int) -> SeverityNumber:
    """OpenTelemetry's severity of one of the standard library's log levels."""
    for least, number in _SEVERITIES:
        if level >= least:
            return number
    return SeverityNumber.TRACE


def resource_of(config: TelemetryConfig) -> Resource:
    """What the settings say of this process; `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` win."""
    own = Resource(
        {
            "service.name": "fillpath",
            "service.version": config.service_version,
            "service.instance.id": config.instance_id,
            "deployment.environment.name": config.environment,
        }
    )
    return own.merge(OTELResourceDetector().detect())


def resource_of_child(resource: Resource) -> Resource:
    """What the SDK makes of a resource in a forked child: two processes need two instance ids."""
    return resource.merge(_get_process_dependent_resource())


def from_otel(context: trace.SpanContext) -> SpanContext:
    return SpanContext(f"{context.trace_id:032x}", f"{context.span_id:016x}")


def to_otel(context: SpanContext) -> trace.SpanContext:
    """Always sampled: whether a span is kept is decided here, not by a caller's flag."""
    return trace.SpanContext(
        int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=trace.TraceFlags(1)
    )
