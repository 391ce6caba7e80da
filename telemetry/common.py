"""What both engines take from OpenTelemetry alike: resource, limits, severities and the forms of a span's context."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk.resources import OTELResourceDetector, Resource, _get_process_dependent_resource
from opentelemetry.sdk.trace import SpanLimits

from telemetry import limits
from telemetry.facade import SpanContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.config import TelemetryConfig

SCOPE = "fillpath"


def span_limits(most: Mapping[str, int]) -> SpanLimits:
    """The SDK's form of limits by their names in `telemetry.limits`."""
    # All of them named, or the environment would set the rest.
    return SpanLimits(
        max_attributes=most["attribute_count_limit"],
        max_span_attributes=most["attribute_count_limit"],
        max_event_attributes=most["event_attribute_count_limit"],
        max_link_attributes=most["link_attribute_count_limit"],
        max_events=most["event_count_limit"],
        max_links=most["link_count_limit"],
        max_attribute_length=most["attribute_value_length_limit"],
        max_span_attribute_length=most["attribute_value_length_limit"],
    )


SPAN_LIMITS = span_limits(limits.SPAN)
LOG_ATTRIBUTES = limits.LOG_RECORD["attribute_count_limit"]
LOG_ATTRIBUTE_LENGTH = limits.LOG_RECORD["attribute_value_length_limit"]

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
    return resource_by_settings(config).merge(OTELResourceDetector().detect())


def resource_by_settings(config: TelemetryConfig) -> Resource:
    return Resource(
        {
            "service.name": "fillpath",
            "service.version": config.service_version,
            "service.instance.id": config.instance_id,
            "deployment.environment.name": config.environment,
        }
    )


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
