"""The standard library's log levels as OpenTelemetry's severities."""

from __future__ import annotations

import logging

from opentelemetry._logs import SeverityNumber

# Source: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)


def severity(level: int) -> SeverityNumber:
    for least, number in _SEVERITIES:
        if level >= least:
            return number
    return SeverityNumber.TRACE
