"""OpenTelemetry's MeterProvider: instruments of the contract count in our store, all others in the SDK's.

An instrument is ours by its name, whichever meter makes it, because one name is one metric in `/metrics`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from opentelemetry import metrics as api

from telemetry import conventions as c
from telemetry.lean.instruments import LeanCounter, LeanGauge, LeanHistogram, LeanUpDownCounter, reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.metrics import CallbackT
    from opentelemetry.util.types import Attributes

    from telemetry.lean.foreign import ForeignMetrics
    from telemetry.lean.histograms import Histograms
    from telemetry.series import Series

_BY_NAME = {instrument.name: instrument for instrument in c.INSTRUMENTS}

log = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=c.Instrument)


class LeanMeterProvider(api.MeterProvider):
    """What libraries are given that bring metrics of their own, and what reads our instruments through the API."""

    def __init__(self, series: Series, histograms: Histograms, others: Callable[[], ForeignMetrics]) -> None:
        self._series = series
        self._histograms = histograms
        self._others = others

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> api.Meter:
        def others() -> api.Meter:
            return self._others().provider.get_meter(name, version, schema_url, attributes)

        return LeanMeter(name, version, schema_url, self._series, self._histograms, others)


class LeanMeter(api.Meter):
    """`others` gives the SDK's meter of the same scope; it is asked only for an instrument that is not ours."""

    def __init__(
        self,
        name: str,
        version: str | None,
        schema_url: str | None,
        series: Series,
        histograms: Histograms,
        others: Callable[[], api.Meter],
    ) -> None:
        super().__init__(name, version, schema_url)
        self._series = series
        self._histograms = histograms
        self._others = others

    def create_counter(self, name: str, unit: str = "", description: str = "") -> api.Counter:
        if not _is_ours(name):
            return self._others().create_counter(name, unit, description)
        instrument = _ours(name, c.Counter)
        return LeanCounter(self._series, instrument) if instrument else api.NoOpCounter(name)

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> api.UpDownCounter:
        if not _is_ours(name):
            return self._others().create_up_down_counter(name, unit, description)
        instrument = _ours(name, c.UpDownCounter)
        return LeanUpDownCounter(self._series, instrument) if instrument else api.NoOpUpDownCounter(name)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> api.Histogram:
        if not _is_ours(name):
            return self._others().create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=explicit_bucket_boundaries_advisory
            )
        instrument = _ours(name, c.Histogram)
        return LeanHistogram(self._histograms, instrument) if instrument else api.NoOpHistogram(name)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> api._Gauge:
        if not _is_ours(name):
            return self._others().create_gauge(name, unit, description)
        instrument = _ours(name, c.Gauge)
        return LeanGauge(self._series, instrument) if instrument else api._NoOpGauge(name)  # noqa: SLF001 - the API exports it so

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableGauge:
        if not _is_ours(name):
            return self._others().create_observable_gauge(name, callbacks, unit, description)
        instrument = _ours(name, c.Gauge)
        if instrument is not None:
            for callback in callbacks or ():
                self._series.observe(instrument, reader(callback))
        return api.NoOpObservableGauge(name)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableCounter:
        if not _is_ours(name):
            return self._others().create_observable_counter(name, callbacks, unit, description)
        # Ours are added to; a total kept elsewhere would have to replace what was added.
        _refuse(name)
        return api.NoOpObservableCounter(name)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableUpDownCounter:
        if not _is_ours(name):
            return self._others().create_observable_up_down_counter(name, callbacks, unit, description)
        _refuse(name)
        return api.NoOpObservableUpDownCounter(name)


def _is_ours(name: str) -> bool:
    # The SDK takes names as the same whatever their case.
    return name.lower() in _BY_NAME


def _ours(name: str, kind: type[Kind]) -> Kind | None:
    instrument = _BY_NAME[name.lower()]
    if isinstance(instrument, kind):
        return instrument
    _refuse(name)
    return None


def _refuse(name: str) -> None:
    kind = type(_BY_NAME[name.lower()]).__name__
    log.warning(
        "%s is a %s of the telemetry contract and was asked for as another kind; it records nothing", name, kind
    )
