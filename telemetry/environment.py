"""The `OTEL_*` variables: which are read, which are not, and why. The documentation's table is made from this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNALS = ("traces", "metrics", "logs")

METRIC_INTERVAL_MS = 5_000
SPAN_DELAY_MS = 1_000
QUEUE_SIZE = 8_192
BATCH_SIZE = 512


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable, or a family of them, with `<SIGNAL>` for TRACES, METRICS and LOGS; what it does, or why nothing."""

    name: str
    effect: str


SUPPORTED = (
    Variable("OTEL_SDK_DISABLED", "`true` switches telemetry off: no spans, no metrics, no export; logs stay"),
    Variable("OTEL_SERVICE_NAME", "`service.name` instead of `fillpath`"),
    Variable("OTEL_RESOURCE_ATTRIBUTES", "added to the resource; wins over the settings"),
    Variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "base URL of an OTLP/HTTP receiver; wins over the settings; no endpoint means no export",
    ),
    Variable("OTEL_EXPORTER_OTLP_<SIGNAL>_ENDPOINT", "whole URL for one signal; wins over the base URL"),
    Variable("OTEL_<SIGNAL>_EXPORTER", "`none` keeps this signal from being exported; other values are ignored"),
    Variable("OTEL_EXPORTER_OTLP_HEADERS, _<SIGNAL>_HEADERS", "headers of each export, `key=value,...`"),
    Variable("OTEL_EXPORTER_OTLP_TIMEOUT, _<SIGNAL>_TIMEOUT", "seconds for one export with its retries (10)"),
    Variable("OTEL_EXPORTER_OTLP_COMPRESSION, _<SIGNAL>_COMPRESSION", "`gzip`, `deflate` or `none` (none)"),
    Variable("OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_KEY, _CLIENT_CERTIFICATE", "files for TLS"),
    Variable("OTEL_METRIC_EXPORT_INTERVAL", f"milliseconds between two exports ({METRIC_INTERVAL_MS})"),
    Variable("OTEL_METRIC_EXPORT_TIMEOUT", "milliseconds for one collection (30000)"),
    Variable("OTEL_BSP_SCHEDULE_DELAY", f"milliseconds a span waits for company ({SPAN_DELAY_MS})"),
    Variable("OTEL_BSP_MAX_QUEUE_SIZE", f"spans that may wait for export ({QUEUE_SIZE}); above, the oldest goes"),
    Variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", f"spans in one export ({BATCH_SIZE})"),
    Variable("OTEL_BLRP_SCHEDULE_DELAY, _MAX_QUEUE_SIZE, _MAX_EXPORT_BATCH_SIZE", "the same for log records"),
)

IGNORED = (
    Variable(
        "OTEL_TRACES_SAMPLER, _SAMPLER_ARG",
        "a sampler would drop orders; the service itself samples, refused unauthenticated requests only",
    ),
    Variable("OTEL_EXPORTER_OTLP_PROTOCOL, _<SIGNAL>_PROTOCOL", "always `http/protobuf`"),
    Variable("OTEL_METRICS_EXEMPLAR_FILTER", "an exemplar always names a trace that is kept"),
    Variable("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "always cumulative, as Prometheus needs it"),
    Variable("OTEL_PROPAGATORS", "nothing is sent towards exchanges; `traceparent` is read by a rule of each source"),
    Variable("OTEL_BSP_EXPORT_TIMEOUT, OTEL_BLRP_EXPORT_TIMEOUT", "the exporter's own time-out holds"),
    Variable("OTEL_SPAN_*_LIMIT, OTEL_ATTRIBUTE_*_LIMIT", "limits are part of the promise of bounded memory"),
    Variable("OTEL_LOG_LEVEL", "the service's own setting"),
)


def disabled(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def endpoint(signal: str, configured: str | None, environ: Mapping[str, str]) -> str | None:
    """The whole URL that a signal is exported to; None means that it is not.

    Raises:
        ValueError: what is configured is no HTTP URL.
    """
    upper = signal.upper()
    if environ.get(f"OTEL_{upper}_EXPORTER", "").strip().lower() == "none":
        return None
    own = environ.get(f"OTEL_EXPORTER_OTLP_{upper}_ENDPOINT", "").strip()
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip() or configured
    url = own or (f"{base.rstrip('/')}/v1/{signal}" if base else None)
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            # The URL itself stays out of the message: it may carry credentials.
            raise ValueError(f"the OTLP endpoint for {signal} is no http:// or https:// URL; expected http://host:4318")
    return url


def number(name: str, default: int, environ: Mapping[str, str], *, least: int = 1) -> int:
    """A whole number from the environment; what is none, or below `least`, counts as not set, as the SDK rules."""
    try:
        value = int(float(environ.get(name, default)))
    except (ValueError, OverflowError):
        return default
    return value if value >= least else default
