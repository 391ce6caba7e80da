"""Any exporter of the SDK, and what it could not deliver counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

    from telemetry.series import Drops


class CountingSpans(SpanExporter):
    def __init__(self, exporter: SpanExporter, drops: Drops) -> None:
        self.exporter = exporter
        self._drops = drops

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self.exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._drops.count("traces", "export_failed", len(spans))
        return result

    def shutdown(self) -> None:
        self.exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.exporter.force_flush(timeout_millis)


class CountingLogs(LogRecordExporter):
    def __init__(self, exporter: LogRecordExporter, drops: Drops) -> None:
        self.exporter = exporter
        self._drops = drops

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        result = self.exporter.export(batch)
        if result is not LogRecordExportResult.SUCCESS:
            self._drops.count("logs", "export_failed", len(batch))
        return result

    def shutdown(self) -> None:
        self.exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        return self.exporter.force_flush(timeout_millis)


class CountingMetrics(MetricExporter):
    """A failed export counts once: where sums are cumulative, the next export carries them."""

    def __init__(self, exporter: MetricExporter, drops: Drops) -> None:
        super().__init__(
            preferred_temporality=exporter._preferred_temporality,  # noqa: SLF001 - what a reader takes from it
            preferred_aggregation=exporter._preferred_aggregation,  # noqa: SLF001 - as above
        )
        self.exporter = exporter
        self._drops = drops

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        result = self.exporter.export(metrics_data, timeout_millis, **kwargs)
        if result is not MetricExportResult.SUCCESS:
            self._drops.count("metrics", "export_failed")
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self.exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self.exporter.shutdown(timeout_millis, **kwargs)
