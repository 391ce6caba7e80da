"""Exporters and queues of the SDK that count what they lose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from telemetry.environment import BATCH_SIZE, METRIC_INTERVAL_MS, QUEUE_SIZE, SPAN_DELAY_MS, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

    from telemetry.series import Drops


class SpanExporter(OTLPSpanExporter):
    def __init__(self, endpoint: str, drops: Drops) -> None:
        super().__init__(endpoint=endpoint)
        self._drops = drops

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._drops.count("traces", "export_failed", len(spans))
        return result


class LogExporter(OTLPLogExporter):
    def __init__(self, endpoint: str, drops: Drops) -> None:
        super().__init__(endpoint=endpoint)
        self._drops = drops

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        result = super().export(batch)
        if result is not LogRecordExportResult.SUCCESS:
            self._drops.count("logs", "export_failed", len(batch))
        return result


class MetricExporter(OTLPMetricExporter):
    """A failed export counts once: the sums are cumulative, the next export carries them."""

    def __init__(self, endpoint: str, drops: Drops) -> None:
        super().__init__(endpoint=endpoint)
        self._drops = drops

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        if result is not MetricExportResult.SUCCESS:
            self._drops.count("metrics", "export_failed")
        return result


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


def span_queue(endpoint: str, environ: Mapping[str, str], drops: Drops) -> Queue[BatchSpanProcessor]:
    size = number("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_SIZE, environ)
    processor = BatchSpanProcessor(
        SpanExporter(endpoint, drops),
        max_queue_size=size,
        schedule_delay_millis=number("OTEL_BSP_SCHEDULE_DELAY", SPAN_DELAY_MS, environ),
        max_export_batch_size=min(size, number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_SIZE, environ)),
    )
    return Queue(processor, "traces", drops)


def log_queue(endpoint: str, environ: Mapping[str, str], drops: Drops) -> Queue[BatchLogRecordProcessor]:
    size = number("OTEL_BLRP_MAX_QUEUE_SIZE", QUEUE_SIZE, environ)
    processor = BatchLogRecordProcessor(
        LogExporter(endpoint, drops),
        max_queue_size=size,
        schedule_delay_millis=number("OTEL_BLRP_SCHEDULE_DELAY", SPAN_DELAY_MS, environ),
        max_export_batch_size=min(size, number("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", BATCH_SIZE, environ)),
    )
    return Queue(processor, "logs", drops)


def metric_reader(endpoint: str, environ: Mapping[str, str], drops: Drops) -> PeriodicExportingMetricReader:
    return PeriodicExportingMetricReader(
        MetricExporter(endpoint, drops),
        export_interval_millis=number("OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL_MS, environ),
        export_timeout_millis=number("OTEL_METRIC_EXPORT_TIMEOUT", 30_000, environ),
    )
