"""What one export says: which series there are, since when, and what has changed since the export before.

The order of metrics and points, the start times and the points that are left out are the SDK's: a counter or gauge
begins with the export that first sees it, a histogram with its first record.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from telemetry import conventions as c
from telemetry.common import SCOPE
from telemetry.lean.metric_encoding import DistributionPoints, MetricFrame, NumberPoints, ResourceFrame
from telemetry.lean.temporality import Temporality

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.resources import Resource

    from telemetry.labels import Key
    from telemetry.lean.histograms import Distribution, Histograms
    from telemetry.lean.temporality import Preference
    from telemetry.series import Series

_SUMS_AND_GAUGES = tuple(i for i in c.INSTRUMENTS if not isinstance(i, c.Histogram))


class _Numbers:
    """One counter or gauge."""

    def __init__(self, instrument: c.Instrument, temporality: Temporality) -> None:
        self._frame = MetricFrame(instrument, temporality)
        self._points = NumberPoints(instrument)
        self._delta = temporality is Temporality.DELTA
        self._since: dict[Key, int] = {}
        self._last: dict[Key, float] = {}

    def encode(self, values: Mapping[Key, float], seen_ns: int, now_ns: int) -> bytes:
        for key in values:
            self._since.setdefault(key, seen_ns)
        # In the order in which the series were first seen, not that of `values`: an observed one may go and come back.
        points = [self._point(key, values[key], now_ns) for key in self._since if key in values]
        return self._frame.metric(points) if points else b""

    def _point(self, key: Key, value: float, now_ns: int) -> bytes:
        since = self._since[key]
        if self._delta:
            change = value - self._last.get(key, 0.0)
            self._last[key], self._since[key] = value, now_ns
            return self._points.point(key, change, since, now_ns)
        return self._points.point(key, value, since, now_ns)


class _Distributions:
    """One histogram."""

    def __init__(self, instrument: c.Histogram, temporality: Temporality) -> None:
        self._frame = MetricFrame(instrument, temporality)
        self._points = DistributionPoints(instrument)
        self._delta = temporality is Temporality.DELTA
        self._previous_ns: int | None = None

    def encode(self, histograms: Histograms, distribution: Distribution, now_ns: int) -> bytes:
        taken = histograms.take(distribution)
        since, self._previous_ns = self._previous_ns, now_ns if self._delta else None
        if not taken:
            return b""
        return self._frame.metric(
            # A series that began since `now_ns` was read may be among them.
            self._points.point(cell.key, tally, min(cell.created_ns, now_ns) if since is None else since, now_ns)
            for cell, tally in taken
        )


class Collection:
    """The state of one exporter; one thread at a time."""

    def __init__(
        self, series: Series, histograms: Histograms, preference: Preference, resource: Resource, version: str
    ) -> None:
        self._series = series
        self._histograms = histograms
        self.frame = ResourceFrame(resource, SCOPE, version)
        self._numbers = {i.name: _Numbers(i, preference.of(i)) for i in _SUMS_AND_GAUGES}
        self._distributions = {
            i.name: _Distributions(i, preference.of(i)) for i in c.INSTRUMENTS if isinstance(i, c.Histogram)
        }
        self._order: dict[str, None] = {}

    def request(self) -> bytes:
        """An ExportMetricsServiceRequest with everything there is to say now."""
        recorded = {distribution.instrument.name: distribution for distribution in self._histograms.recorded()}
        self._order.update(dict.fromkeys(recorded))
        seen_ns = time.time_ns()
        values = {instrument.name: self._series.collect(instrument) for instrument in _SUMS_AND_GAUGES}
        self._order.update(dict.fromkeys(name for name, its in values.items() if its))
        now_ns = time.time_ns()
        return self.frame.request(
            self._distributions[name].encode(self._histograms, recorded[name], now_ns)
            if name in recorded
            else self._numbers[name].encode(values[name], seen_ns, now_ns)
            for name in self._order
        )
