"""Metrics of the lean engine: one store of sums, gauges and histograms for `/metrics` and for OTLP."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from telemetry import conventions as c
from telemetry.common import resource_of_child
from telemetry.exposition import Distribution, Exemplar, Family, Sample, expose, wants_open_metrics
from telemetry.facade import SpanContext
from telemetry.forking import in_children
from telemetry.lean.collection import Collection
from telemetry.lean.histograms import Histograms
from telemetry.lean.periodic import PeriodicExport
from telemetry.lean.provider import LeanMeterProvider
from telemetry.lean.temporality import Preference, Temporality
from telemetry.series import Series

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.resources import Resource

    from telemetry.config import TelemetryConfig
    from telemetry.holding import Holder
    from telemetry.labels import Key
    from telemetry.lean.batching import Sends
    from telemetry.lean.foreign import ForeignMetrics
    from telemetry.lean.histograms import Exemplars, Tally
    from telemetry.series import Drops


T = TypeVar("T")


class LeanMetrics:
    """Every instrument of the contract; used as `telemetry.sdk.metrics.SdkMetrics` is.

    `provider` is OpenTelemetry's MeterProvider: instruments of the contract count here, all others in the SDK, and
    their points join ours in each export and in `/metrics`. Without `poster` nothing is exported.
    """

    def __init__(
        self,
        config: TelemetryConfig,
        resource: Resource,
        drops: Drops,
        holder: Holder[Any],
        poster: Sends | None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        preference = Preference(environ)
        self._drops = drops
        self._resource, self._holder, self._preference = resource, holder, preference
        self._foreign: ForeignMetrics | None = None
        self._target = {key: str(value) for key, value in resource.attributes.items()}
        self.series = Series(config, drops)
        self._histograms = Histograms(self.series, holder, drops, delta=preference.histograms is Temporality.DELTA)
        # Bound once: a call less for every record.
        self.add = self.series.add
        self.set = self.series.set
        self.record = self._histograms.record
        self.histogram, self.histograms = self._histograms.histogram, self._histograms.histograms
        self.provider = LeanMeterProvider(self.series, self._histograms, self._others)
        self._collection = Collection(self.series, self._histograms, preference, resource, config.service_version)
        self._collecting, self._building = Lock(), Lock()
        # Before the exporter's own, which starts a thread that needs the lock.
        in_children(self._after_fork)
        self._export = PeriodicExport(self.request, poster, drops, environ) if poster is not None else None

    def request(self) -> bytes:
        """One ExportMetricsServiceRequest. A change that is told as such (delta temporality) is told once."""
        with self._collecting:
            return self._collection.request() + self._of_others(lambda others: others.request(), b"")

    def expose(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type, as the facade's `metrics`."""
        recorded = {distribution.instrument.name: distribution for distribution in self._histograms.recorded()}
        families = []
        for instrument in c.INSTRUMENTS:
            names = instrument.label_names
            if not isinstance(instrument, c.Histogram):
                values = self.series.collect(instrument)
                families.append(Family(instrument, [Sample(_labels(names, key), its) for key, its in values.items()]))
            elif distribution := recorded.get(instrument.name):
                tallies = self._histograms.peek(distribution)
                edges = instrument.buckets
                families.append(
                    Family(instrument, [_distribution(_labels(names, cell.key), edges, its) for cell, its in tallies])
                )
        families += self._of_others(lambda others: others.families(), [])
        return expose(families, self._target, open_metrics=wants_open_metrics(accept))

    def shutdown(self, timeout: float) -> None:
        """Export once more, within `timeout` seconds."""
        if self._export is not None:
            self._export.shutdown(timeout)

    def _others(self) -> ForeignMetrics:
        with self._building:
            if self._foreign is None:
                from telemetry.lean.foreign import ForeignMetrics  # noqa: PLC0415 - see there

                self._foreign = ForeignMetrics(self._resource, self._holder, self._preference)
            return self._foreign

    def _of_others(self, read: Callable[[ForeignMetrics], T], otherwise: T) -> T:
        try:
            return otherwise if self._foreign is None else read(self._foreign)
        except Exception:  # noqa: BLE001 - what others' callbacks and attributes hold must not cost our own metrics
            self._drops.count("metrics", "internal_error")
            return otherwise

    def _after_fork(self) -> None:
        self._collecting, self._building = Lock(), Lock()
        self._collection.frame.describe(resource_of_child(self._resource))


def _labels(names: tuple[str, ...], key: Key) -> dict[str, str]:
    return dict(zip(names, key, strict=True))


def _distribution(labels: Mapping[str, str], edges: tuple[float, ...], tally: Tally) -> Distribution:
    return Distribution(labels, edges, tally.counts, tally.total, _exemplars(tally.exemplars))


def _exemplars(exemplars: Exemplars) -> list[Exemplar]:
    return [
        Exemplar(SpanContext(f"{trace_id:032x}", f"{span_id:016x}"), value, time_ns)
        for time_ns, value, trace_id, span_id in exemplars.values()
    ]
