"""Metrics of others, who ask OpenTelemetry's API for a meter: the SDK counts them, and they join ours.

Imported only once somebody asks: with all that it needs of the SDK it takes 100 ms to load. Its exemplars name only
traces that are kept, as ours do.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.prometheus._mapping import map_unit, sanitize_attribute, sanitize_full_name
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics.export import AggregationTemporality, Gauge, Histogram, InMemoryMetricReader, Sum
from opentelemetry.sdk.metrics.view import View

from telemetry import conventions as c
from telemetry.exposition import Family
from telemetry.sdk.exemplars import KeptExemplars
from telemetry.sdk.points import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics import ExemplarReservoir
    from opentelemetry.sdk.metrics.export import Metric
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import Attributes

    from telemetry.exposition import Distribution, Sample
    from telemetry.holding import Holder
    from telemetry.lean.temporality import Preference

_OURS = {instrument.family_name for instrument in c.INSTRUMENTS}


class KeptSamples(sdk.SimpleFixedSizeExemplarReservoir):
    """The SDK's reservoir of everything but bucket histograms, offered only what belongs to traces that are kept."""

    def __init__(self, holder: Holder[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._holder = holder

    def offer(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> None:
        trace_id = trace.get_current_span(context).get_span_context().trace_id
        self._holder.when_kept(trace_id, partial(super().offer, value, time_unix_nano, attributes, context))


class ForeignMetrics:
    """An SDK MeterProvider and its two readers: totals for `/metrics`, and what the export prefers."""

    def __init__(self, resource: Resource, holder: Holder[Any], preference: Preference) -> None:
        self._holder = holder
        self._exposed = InMemoryMetricReader()
        self._exported = InMemoryMetricReader(preferred_temporality=_temporalities(preference))
        self.provider = sdk.MeterProvider(
            metric_readers=[self._exposed, self._exported],
            resource=resource,
            exemplar_filter=sdk.TraceBasedExemplarFilter(),
            shutdown_on_exit=False,
            # Everything but the reservoir is the SDK's default.
            views=[View(instrument_name="*", exemplar_reservoir_factory=self._reservoirs)],
        )

    def request(self) -> bytes:
        """An ExportMetricsServiceRequest, to be joined to ours; empty where there is nothing to tell."""
        data = self._exported.get_metrics_data()
        request: bytes = b"" if data is None else encode_metrics(data).SerializeToString()
        return request

    def families(self) -> list[Family]:
        """One family a name: of several metrics with one name those of the first one's kind, each label set once."""
        families: dict[str, tuple[c.Instrument, dict[tuple[tuple[str, str], ...], Sample | Distribution]]] = {}
        for metric in _metrics(self._exposed.get_metrics_data()):
            instrument = _instrument(metric)
            if instrument is None or instrument.family_name in _OURS:
                continue
            known, samples = families.setdefault(instrument.family_name, (instrument, {}))
            if type(known) is not type(instrument):
                continue
            for point in metric.data.data_points:
                labels = _labels(point.attributes)
                samples.setdefault(tuple(sorted(labels.items())), sample(labels, point))
        return [Family(instrument, list(samples.values())) for instrument, samples in families.values()]

    def _reservoirs(self, _aggregation: type[Any]) -> Callable[..., ExemplarReservoir]:
        return self._reservoir

    def _reservoir(self, **kwargs: Any) -> ExemplarReservoir:
        # Only bucket histograms are given boundaries.
        return (KeptExemplars if "boundaries" in kwargs else KeptSamples)(holder=self._holder, **kwargs)


def _temporalities(preference: Preference) -> dict[type, AggregationTemporality]:
    return {
        sdk.Counter: AggregationTemporality(preference.counters),
        sdk.ObservableCounter: AggregationTemporality(preference.observed_counters),
        sdk.Histogram: AggregationTemporality(preference.histograms),
    }


def _metrics(data: Any) -> Iterator[Metric]:
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            yield from scope.metrics


def _instrument(metric: Metric) -> c.Instrument | None:
    """A declaration that shows under the Prometheus name of a foreign metric; None for a kind that has none.

    Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#metric-metadata-1
    """
    name, unit = sanitize_full_name(metric.name), map_unit(metric.unit or "")
    if unit and not name.endswith(unit):
        name = f"{name}_{unit}"
    # The unit stands in the name already, so that the declaration's unit is one that adds nothing.
    described = (c.Unit.INFO, metric.description or "")
    match metric.data:
        case Sum(is_monotonic=True):
            return c.Counter(name.removesuffix("_total"), *described)
        case Sum():
            return c.UpDownCounter(name, *described)
        case Gauge():
            return c.Gauge(name, *described)
        case Histogram():
            return c.Histogram(name, *described, buckets=())
    return None


def _labels(attributes: Mapping[str, Any] | None) -> dict[str, str]:
    return {
        sanitize_attribute(key): value if isinstance(value, str) else json.dumps(value, default=str)
        for key, value in (attributes or {}).items()
    }
