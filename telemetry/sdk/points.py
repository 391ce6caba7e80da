"""The SDK's data points as samples of the exposition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import NumberDataPoint

from telemetry.exposition import Distribution, Exemplar, Sample
from telemetry.facade import SpanContext

if TYPE_CHECKING:
    from collections.abc import Mapping


def sample(labels: Mapping[str, str], point: Any) -> Sample | Distribution:
    """`point` is a NumberDataPoint or a HistogramDataPoint; `labels` are its attributes as text."""
    if isinstance(point, NumberDataPoint):
        return Sample(labels, float(point.value))
    exemplars = [
        Exemplar(SpanContext(f"{e.trace_id:032x}", f"{e.span_id:016x}"), float(e.value), e.time_unix_nano)
        for e in point.exemplars
    ]
    return Distribution(labels, point.explicit_bounds, point.bucket_counts, float(point.sum), exemplars)
