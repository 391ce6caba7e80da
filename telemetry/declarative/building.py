"""What the SDK's engine is built with, as a configuration file says: resource, limits, exporters and their queues.

The exporters are the SDK's own. OpenTelemetry's library builds them too, but passes over `tls` and `encoding`, and lets
them add headers of the environment, which are meant for another receiver, to those of the file.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from telemetry import limits
from telemetry.common import resource_by_settings, span_limits
from telemetry.declarative import rules
from telemetry.environment import OTLP_GRPC, OTLP_HTTP, entry_of
from telemetry.headers import headers_of
from telemetry.sdk.counting import CountingLogs, CountingMetrics, CountingSpans
from telemetry.sdk.export import Queue, SetUp, log_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from telemetry.config import TelemetryConfig
    from telemetry.declarative.document import Declaration
    from telemetry.series import Drops

_KINDS = (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter, ObservableGauge)
_TOLD_AS_CHANGES = {
    "cumulative": frozenset[type](),
    "delta": frozenset({Counter, Histogram, ObservableCounter}),
    "low_memory": frozenset({Counter, Histogram}),
}
_COMPRESSIONS = {"none": Compression.NoCompression, "gzip": Compression.Gzip, "deflate": Compression.Deflate}


def by_file(config: TelemetryConfig, declaration: Declaration, drops: Drops) -> SetUp:
    """As the file says, and the settings where it says nothing of this process.

    Raises:
        ValueError: an exporter that an installed package offers does not take what the file gives it.
    """
    model = declaration.model
    tracing, metering, logging = model.tracer_provider, model.meter_provider, model.logger_provider
    with _without_variables():
        return SetUp(
            resource=resource_by_settings(config).merge(declaration.resource),
            span_limits=span_limits(_least(limits.SPAN, model.attribute_limits, tracing and tracing.limits)),
            log_limits=log_limits(_least(limits.LOG_RECORD, model.attribute_limits, logging and logging.limits)),
            spans=[
                Queue(BatchSpanProcessor(CountingSpans(exporter, drops), **sizes), "traces", drops)
                for exporter, sizes in _pipelines("traces", tracing, declaration.path, rules.SPAN_DELAY_MS)
            ],
            logs=[
                Queue(BatchLogRecordProcessor(CountingLogs(exporter, drops), **sizes), "logs", drops)
                for exporter, sizes in _pipelines("logs", logging, declaration.path, rules.LOG_DELAY_MS)
            ],
            readers=[
                _reader(reader.periodic, declaration.path, drops) for reader in (metering.readers if metering else ())
            ],
        )


@contextmanager
def _without_variables() -> Iterator[None]:
    """Exporters take from the process's environment what they are not told; where a file is named, it alone decides."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OTEL_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _least(most: Mapping[str, int], *asked: Any) -> Mapping[str, int]:
    """The lowest of each limit; the last who asks for one overrides who asked before."""
    wanted = {name: limit for who in asked for name in most if (limit := getattr(who, name, None)) is not None}
    return {name: min(limit, wanted.get(name, limit)) for name, limit in most.items()}


def _pipelines(signal: str, provider: Any, path: str, delay_ms: int) -> Iterable[tuple[Any, dict[str, Any]]]:
    """Exporters with the sizes of the batches before them."""
    for processor in provider.processors if provider else ():
        stage = processor.batch or processor.simple
        # Beside these two there is a bridge of events to spans, which is left out.
        if stage is None:
            continue
        size = getattr(stage, "max_queue_size", None) or rules.QUEUE_SIZE
        yield (
            _exporter(signal, stage.exporter, path),
            {
                "max_queue_size": size,
                "schedule_delay_millis": getattr(stage, "schedule_delay", None) or delay_ms,
                "max_export_batch_size": getattr(stage, "max_export_batch_size", None) or min(size, rules.BATCH_SIZE),
            },
        )


def _reader(periodic: Any, path: str, drops: Drops) -> PeriodicExportingMetricReader:
    return PeriodicExportingMetricReader(
        CountingMetrics(_exporter("metrics", periodic.exporter, path), drops),
        export_interval_millis=periodic.interval or rules.METRIC_INTERVAL_MS,
        export_timeout_millis=periodic.timeout or rules.COLLECTION_TIMEOUT_MS,
    )


def _exporter(signal: str, chosen: Any, path: str) -> Any:
    if chosen.otlp_http is not None:
        return _made(signal, OTLP_HTTP, _http(signal, chosen.otlp_http))
    if chosen.otlp_grpc is not None:
        return _made(signal, OTLP_GRPC, _grpc(chosen.otlp_grpc) | _temporality(signal, chosen.otlp_grpc))
    if chosen.console is not None:
        return _made(signal, "console", _temporality(signal, chosen.console))
    ((name, options),) = chosen.additional_properties.items()
    try:
        return _made(signal, name, options or {})
    except (TypeError, ValueError) as error:
        # Not its words: they may quote an option that is a secret.
        raise ValueError(
            f"{path}: the exporter {name} for {signal} does not take the options that it is given "
            f"({type(error).__name__}); correct them"
        ) from None


def _made(signal: str, name: str, options: Mapping[str, Any]) -> Any:
    entry = entry_of(signal, name)
    assert entry is not None, "looked for where the file was read"
    make: Callable[..., Any] = entry.load()
    return make(**options)


def _http(signal: str, chosen: Any) -> dict[str, Any]:
    tls = chosen.tls
    return {
        "endpoint": chosen.endpoint or f"http://localhost:4318/v1/{signal}",
        "headers": headers_of(chosen),
        "timeout": (chosen.timeout or rules.EXPORT_TIMEOUT_MS) / 1_000,
        "compression": _COMPRESSIONS[chosen.compression or "none"],
        "certificate_file": tls and tls.ca_file,
        "client_key_file": tls and tls.key_file,
        "client_certificate_file": tls and tls.cert_file,
        **_temporality(signal, chosen),
    }


def _grpc(chosen: Any) -> dict[str, Any]:
    grpc = import_module("grpc")
    endpoint = chosen.endpoint or "http://localhost:4317"
    options: dict[str, Any] = {
        "endpoint": endpoint,
        "insecure": endpoint.startswith("http:"),
        "headers": headers_of(chosen),
        "timeout": (chosen.timeout or rules.EXPORT_TIMEOUT_MS) / 1_000,
        "compression": grpc.Compression.Gzip if chosen.compression == "gzip" else grpc.Compression.NoCompression,
    }
    if not options["insecure"]:
        files = (chosen.tls and (chosen.tls.ca_file, chosen.tls.key_file, chosen.tls.cert_file)) or (None, None, None)
        options["credentials"] = grpc.ssl_channel_credentials(*(file and Path(file).read_bytes() for file in files))
    return options


def _temporality(signal: str, chosen: Any) -> dict[str, Any]:
    if signal != "metrics":
        return {}
    preference = chosen.temporality_preference
    changes = _TOLD_AS_CHANGES[preference.value if preference else "cumulative"]
    return {
        "preferred_temporality": {
            kind: AggregationTemporality.DELTA if kind in changes else AggregationTemporality.CUMULATIVE
            for kind in _KINDS
        }
    }
