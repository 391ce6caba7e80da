"""The `OTEL_*` variables: which are obeyed, by which engine, which are not, and why: the documentation's tables."""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.environment import BATCH_SIZE, METRIC_INTERVAL_MS, QUEUE_SIZE, SPAN_DELAY_MS

BOTH = ("lean", "sdk")
SDK = ("sdk",)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable, or a family of them, with `<SIGNAL>` for TRACES, METRICS and LOGS; what it does, or why nothing.

    `engines` obey it; what only one of them obeys either selects that one or matters only to it.
    """

    name: str
    effect: str
    engines: tuple[str, ...] = BOTH


OBEYED = (
    Variable(
        "OTEL_CONFIG_FILE, OTEL_EXPERIMENTAL_CONFIG_FILE",
        "a declarative configuration in YAML, which selects the SDK's engine; see below",
        SDK,
    ),
    Variable("OTEL_SDK_DISABLED", "`true` switches telemetry off: no spans, no metrics, no export; logs stay"),
    Variable("OTEL_SERVICE_NAME", "`service.name` instead of `fillpath`"),
    Variable("OTEL_RESOURCE_ATTRIBUTES", "added to the resource; wins over the settings"),
    Variable(
        "OTEL_<SIGNAL>_EXPORTER",
        "`otlp` (the default) or `none`, which keeps this signal from being exported; `console`, `prometheus` and "
        "whatever installed packages offer, also several, select the SDK's engine",
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_PROTOCOL, _<SIGNAL>_PROTOCOL",
        "`http/protobuf` (the default); `grpc` selects the SDK's engine and needs the extra `grpc`",
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "base URL of an OTLP receiver; wins over the settings; no endpoint means no export",
    ),
    Variable("OTEL_EXPORTER_OTLP_<SIGNAL>_ENDPOINT", "whole URL for one signal; wins over the base URL"),
    Variable("OTEL_EXPORTER_OTLP_HEADERS, _<SIGNAL>_HEADERS", "headers of each export, `key=value,...`"),
    Variable("OTEL_EXPORTER_OTLP_TIMEOUT, _<SIGNAL>_TIMEOUT", "seconds for one export with its retries (10)"),
    Variable("OTEL_EXPORTER_OTLP_COMPRESSION, _<SIGNAL>_COMPRESSION", "`gzip`, `deflate` or `none` (none)"),
    Variable(
        "OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_KEY, _CLIENT_CERTIFICATE",
        "files for TLS; each also with the signal before the last part, like `_TRACES_CERTIFICATE`",
    ),
    Variable(
        "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER, _HTTP_<SIGNAL>_CREDENTIAL_PROVIDER",
        "an entry point that gives the HTTP session of the exports; selects the SDK's engine",
        SDK,
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "`cumulative` (the default, as Prometheus needs it), `delta` or `lowmemory`; `/metrics` is always cumulative",
    ),
    Variable("OTEL_METRIC_EXPORT_INTERVAL", f"milliseconds between two exports ({METRIC_INTERVAL_MS})"),
    Variable("OTEL_METRIC_EXPORT_TIMEOUT", "milliseconds for one collection (30000)", SDK),
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
    Variable("OTEL_METRICS_EXEMPLAR_FILTER", "an exemplar always names a trace that is kept"),
    Variable(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "buckets are part of what dashboards and alert rules rely on",
    ),
    Variable("OTEL_PROPAGATORS", "nothing is sent towards exchanges; `traceparent` is read by a rule of each source"),
    Variable("OTEL_BSP_EXPORT_TIMEOUT, OTEL_BLRP_EXPORT_TIMEOUT", "the exporter's own time-out holds"),
    Variable(
        "OTEL_SPAN_*_LIMIT, OTEL_EVENT_*_LIMIT, OTEL_LINK_*_LIMIT, OTEL_LOGRECORD_*_LIMIT, OTEL_ATTRIBUTE_*_LIMIT",
        "limits are part of the promise of bounded memory",
    ),
    Variable("OTEL_PYTHON_ID_GENERATOR", "ids are random: they are the names of orders' traces for years"),
    Variable("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "the settings and `OTEL_RESOURCE_ATTRIBUTES` say what this is"),
    Variable("OTEL_LOG_LEVEL", "the service's own setting"),
)

REFUSED = (
    Variable(
        "OTEL_CONFIG_FILE, OTEL_EXPERIMENTAL_CONFIG_FILE",
        "two different files, or one that cannot be read or obeyed: the message names place, expectation and remedy",
    ),
    Variable("OTEL_EXPORTER_OTLP_PROTOCOL, _<SIGNAL>_PROTOCOL", "`http/json` and all that is no protocol of OTLP"),
    Variable("OTEL_EXPORTER_OTLP_ENDPOINT, _<SIGNAL>_ENDPOINT", "what is no `http://` or `https://` URL"),
    Variable(
        "OTEL_EXPORTER_OTLP_HEADERS, _<SIGNAL>_HEADERS",
        "what is no header: the exporters would leave it out, and print it",
    ),
    Variable("OTEL_<SIGNAL>_EXPORTER", "a name that no installed package offers"),
)
