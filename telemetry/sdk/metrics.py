"""Metrics of the SDK: histograms are the SDK's, sums and gauges are kept outside and observed by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

from telemetry import conventions as c
from telemetry.bound import Finder
from telemetry.exposition import Family, expose, wants_open_metrics
from telemetry.sdk.exemplars import reservoirs
from telemetry.sdk.points import sample
from telemetry.series import Refused, Series, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal

    from opentelemetry.metrics import CallbackOptions
    from opentelemetry.sdk.metrics.export import Metric
    from opentelemetry.sdk.resources import Resource

    from telemetry.config import TelemetryConfig
    from telemetry.facade import BoundHistogram, Labels
    from telemetry.holding import Holder
    from telemetry.labels import Key
    from telemetry.series import Drops

_BY_NAME = {instrument.name: instrument for instrument in c.INSTRUMENTS}


class _Recorded:
    """One series of one of the SDK's histograms."""

    def __init__(self, histogram: Any, labels: Labels, drops: Drops) -> None:
        self._histogram = histogram
        self._labels = labels
        self._drops = drops

    def record(self, value: object) -> None:
        number = within(value, 0.0)
        if number is None:
            self._drops.count("metrics", "invalid_value")
            return
        try:
            self._histogram.record(number, self._labels)
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; it is counted
            self._drops.count("metrics", "internal_error")


class SdkMetrics:
    """Every instrument of the contract on one meter, read by `/metrics` and, with an exporter, every few seconds."""

    def __init__(
        self,
        config: TelemetryConfig,
        resource: Resource,
        drops: Drops,
        holder: Holder[Any],
        exporting: Sequence[MetricReader],
    ) -> None:
        self.series = Series(config, drops)
        self._drops = drops
        self._exposed = InMemoryMetricReader()
        self._target = {key: str(value) for key, value in resource.attributes.items()}
        self._provider = MeterProvider(
            metric_readers=[self._exposed, *exporting],
            resource=resource,
            # Named, for the environment could switch it off or on for spans that nobody keeps.
            exemplar_filter=TraceBasedExemplarFilter(),
            shutdown_on_exit=False,
            views=[_view(instrument, config, holder) for instrument in c.INSTRUMENTS],
        )
        self._meter = self._provider.get_meter("fillpath", config.service_version)
        self._histograms: dict[str, Any] = {}
        finder: Finder[BoundHistogram] = Finder(self.series.rules, self._recorded, lambda _: Refused(drops, 0.0))
        self.histogram, self.histograms = finder.find, finder.family
        for instrument in c.INSTRUMENTS:
            self._create(instrument)

    def record(self, instrument: c.Histogram, value: Decimal | float, labels: Labels) -> None:
        self.histogram(instrument, labels).record(value)

    def expose(self, accept: str) -> tuple[bytes, str]:
        data = self._exposed.get_metrics_data()
        metrics = (
            []
            if data is None
            else [
                metric
                for resource in data.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
            ]
        )
        return expose(map(_family, metrics), self._target, open_metrics=wants_open_metrics(accept))

    def shutdown(self, timeout: float) -> None:
        self._provider.shutdown(timeout_millis=timeout * 1000)

    def _recorded(self, instrument: c.Instrument, key: Key) -> BoundHistogram:
        labels = dict(zip(instrument.label_names, key, strict=True))
        return _Recorded(self._histograms[instrument.name], labels, self._drops)

    def _create(self, instrument: c.Instrument) -> None:
        name, unit, description = instrument.name, instrument.unit.value, instrument.description
        if isinstance(instrument, c.Histogram):
            self._histograms[name] = self._meter.create_histogram(name, unit, description)
            return
        callbacks = [self._reader(instrument)]
        if isinstance(instrument, c.Counter):
            self._meter.create_observable_counter(name, callbacks, unit, description)
        elif isinstance(instrument, c.UpDownCounter):
            self._meter.create_observable_up_down_counter(name, callbacks, unit, description)
        else:
            self._meter.create_observable_gauge(name, callbacks, unit, description)

    def _reader(self, instrument: c.Instrument) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def read(_options: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(value, dict(zip(instrument.label_names, key, strict=True)))
                for key, value in self.series.collect(instrument).items()
            ]

        return read


def _view(instrument: c.Instrument, config: TelemetryConfig, holder: Holder[Any]) -> View:
    # A configuration larger than the declared one gets room too: nothing may fall into the overflow series.
    limit = max(instrument.cardinality_limit, instrument.series(config) + 1)
    if isinstance(instrument, c.Histogram):
        return View(
            instrument_name=instrument.name,
            aggregation=ExplicitBucketHistogramAggregation(instrument.buckets),
            exemplar_reservoir_factory=reservoirs(holder),
            aggregation_cardinality_limit=limit,
        )
    return View(instrument_name=instrument.name, aggregation_cardinality_limit=limit)


def _family(metric: Metric) -> Family:
    instrument = _BY_NAME[metric.name]
    points: Iterable[Any] = metric.data.data_points
    return Family(instrument, [sample({n: str(p.attributes[n]) for n in instrument.label_names}, p) for p in points])
