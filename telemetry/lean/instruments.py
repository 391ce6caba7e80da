"""Instruments of the contract behind OpenTelemetry's API: each call goes to the store, by the same rules as ours."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, cast

from opentelemetry import metrics as api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackT
    from opentelemetry.util.types import Attributes

    from telemetry import conventions as c
    from telemetry.facade import Labels
    from telemetry.lean.histograms import Histograms
    from telemetry.series import Series


class LeanCounter(api.NoOpCounter):
    def __init__(self, series: Series, instrument: c.Counter) -> None:
        super().__init__(instrument.name, instrument.unit.value, instrument.description)
        self._series = series
        self._instrument = instrument

    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        del context
        self._series.add(self._instrument, amount, _labels(attributes))


class LeanUpDownCounter(api.NoOpUpDownCounter):
    def __init__(self, series: Series, instrument: c.UpDownCounter) -> None:
        super().__init__(instrument.name, instrument.unit.value, instrument.description)
        self._series = series
        self._instrument = instrument

    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        del context
        self._series.add(self._instrument, amount, _labels(attributes))


class LeanGauge(api._NoOpGauge):  # noqa: SLF001 - the API exports it so
    def __init__(self, series: Series, instrument: c.Gauge) -> None:
        super().__init__(instrument.name, instrument.unit.value, instrument.description)
        self._series = series
        self._instrument = instrument

    def set(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        del context
        self._series.set(self._instrument, amount, _labels(attributes))


class LeanHistogram(api.NoOpHistogram):
    def __init__(self, histograms: Histograms, instrument: c.Histogram) -> None:
        super().__init__(instrument.name, instrument.unit.value, instrument.description)
        self._histograms = histograms
        self._instrument = instrument

    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._histograms.record(self._instrument, amount, _labels(attributes), context)


def reader(callback: CallbackT) -> Callable[[], Iterable[tuple[float, Labels]]]:
    """What `Series.observe` takes, out of an observable instrument's callback."""
    options = api.CallbackOptions()
    if isinstance(callback, Generator):
        # A generator takes its first options by `send`, which it can only once it has come to its first yield.
        next(callback)

        def observations() -> Iterable[api.Observation]:
            return callback.send(options)
    else:

        def observations() -> Iterable[api.Observation]:
            return callback(options)

    def read() -> Iterable[tuple[float, Labels]]:
        return [(observation.value, _labels(observation.attributes)) for observation in observations()]

    return read


def _labels(attributes: Attributes) -> Labels:
    # Values of any other type than text are refused where the labels are checked.
    return cast("Labels", attributes or {})
