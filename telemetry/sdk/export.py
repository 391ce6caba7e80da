"""What the SDK's engine is built with, as the environment names it: exporters and queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry.sdk._logs import LogRecordLimits
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from telemetry import limits
from telemetry.common import SPAN_LIMITS, resource_of
from telemetry.environment import (
    BATCH_SIZE,
    METRIC_INTERVAL_MS,
    OTLP_GRPC,
    OTLP_HTTP,
    QUEUE_SIZE,
    SPAN_DELAY_MS,
    endpoint,
    entry_of,
    exporters,
    missing,
    number,
)
from telemetry.sdk.counting import CountingLogs, CountingMetrics, CountingSpans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits

    from telemetry.config import TelemetryConfig
    from telemetry.series import Drops


class _QueueCounts:
    """What the SDK's batch processor tells about its queue; it takes any object with these three methods."""

    def __init__(self, signal: str, drops: Drops) -> None:
        self._signal = signal
        self._drops = drops

    def register_queue_size(self, get_queue_size: Callable[[], int]) -> None:
        """The queue's size is read from the queue itself."""

    def drop_items(self, count: int, error_type: str = "queue_full") -> None:
        self._drops.count(self._signal, "shutdown" if error_type == "already_shutdown" else "queue_full", count)

    def finish_items(self, count: int) -> None:
        """Whether the export succeeded is counted by the exporter."""


P = TypeVar("P", BatchSpanProcessor, BatchLogRecordProcessor)


class Queue(Generic[P]):
    """The queue before one exporter."""

    def __init__(self, processor: P, signal: str, drops: Drops) -> None:
        self.processor: P = processor
        self._signal = signal
        self._drops = drops
        # The processors build their inner part themselves and report to the SDK's own meters; there is no parameter.
        self._inner: Any = processor._batch_processor  # noqa: SLF001 - the only way to count evictions
        self._inner._metrics = _QueueCounts(signal, drops)  # noqa: SLF001 - as above

    @property
    def waiting(self) -> int:
        """How many items wait for export."""
        return len(self._inner._queue)  # noqa: SLF001 - as above

    def shutdown(self, timeout: float) -> None:
        """Export what waits, within `timeout` seconds; count the rest."""
        self._inner.shutdown(timeout_millis=int(timeout * 1000))
        if left := self.waiting:
            self._drops.count(self._signal, "shutdown", left)


@dataclass(frozen=True, slots=True)
class SetUp:
    """What an engine is built with: what this process is, how much is kept of what it tells, and where that goes."""

    resource: Resource
    span_limits: SpanLimits
    log_limits: LogRecordLimits
    spans: Sequence[Queue[BatchSpanProcessor]]
    logs: Sequence[Queue[BatchLogRecordProcessor]]
    readers: Sequence[MetricReader]


def by_environment(config: TelemetryConfig, environ: Mapping[str, str], drops: Drops) -> SetUp:
    """As the settings and the `OTEL_*` variables say.

    Raises:
        ValueError: a variable that names an endpoint or a compression is wrong.
    """
    return SetUp(
        resource=resource_of(config),
        span_limits=SPAN_LIMITS,
        log_limits=log_limits(limits.LOG_RECORD),
        spans=span_queues(config.otlp_endpoint, environ, drops),
        logs=log_queues(config.otlp_endpoint, environ, drops),
        readers=metric_readers(config.otlp_endpoint, environ, drops),
    )


def log_limits(most: Mapping[str, int]) -> LogRecordLimits:
    """The SDK's form of limits by their names in `telemetry.limits`."""
    count, length = most["attribute_count_limit"], most["attribute_value_length_limit"]
    # All of them named, or the environment would set the rest.
    return LogRecordLimits(
        max_attributes=count,
        max_attribute_length=length,
        max_log_record_attributes=count,
        max_log_record_attribute_length=length,
    )


def span_queues(configured: str | None, environ: Mapping[str, str], drops: Drops) -> list[Queue[BatchSpanProcessor]]:
    """One for each exporter; none where nothing is exported."""
    return [
        Queue(BatchSpanProcessor(CountingSpans(exporter, drops), **_sizes("BSP", environ)), "traces", drops)
        for exporter in _exporters("traces", configured, environ)
    ]


def log_queues(
    configured: str | None, environ: Mapping[str, str], drops: Drops
) -> list[Queue[BatchLogRecordProcessor]]:
    return [
        Queue(BatchLogRecordProcessor(CountingLogs(exporter, drops), **_sizes("BLRP", environ)), "logs", drops)
        for exporter in _exporters("logs", configured, environ)
    ]


def metric_readers(configured: str | None, environ: Mapping[str, str], drops: Drops) -> list[MetricReader]:
    return [
        # Some bring a reader of their own: Prometheus's listens for scrapes.
        exporter
        if isinstance(exporter, MetricReader)
        else PeriodicExportingMetricReader(
            CountingMetrics(exporter, drops),
            export_interval_millis=number("OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL_MS, environ),
            export_timeout_millis=number("OTEL_METRIC_EXPORT_TIMEOUT", 30_000, environ),
        )
        for exporter in _exporters("metrics", configured, environ)
    ]


def _exporters(signal: str, configured: str | None, environ: Mapping[str, str]) -> Iterator[Any]:
    """Everything but their endpoints they read from the process's environment themselves."""
    for name in exporters(signal, environ):
        options = {}
        if name in {OTLP_HTTP, OTLP_GRPC}:
            url = endpoint(signal, configured, environ, name)
            if url is None:
                continue
            options["endpoint"] = url
        entry = entry_of(signal, name)
        if entry is None:
            raise ValueError(missing(signal, name))
        yield entry.load()(**options)


def _sizes(family: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Of a batch processor, from `OTEL_<family>_*`."""
    size = number(f"OTEL_{family}_MAX_QUEUE_SIZE", QUEUE_SIZE, environ)
    return {
        "max_queue_size": size,
        "schedule_delay_millis": number(f"OTEL_{family}_SCHEDULE_DELAY", SPAN_DELAY_MS, environ),
        "max_export_batch_size": min(size, number(f"OTEL_{family}_MAX_EXPORT_BATCH_SIZE", BATCH_SIZE, environ)),
    }
