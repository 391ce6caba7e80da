"""Whether metrics are told as totals or as changes."""

from __future__ import annotations

import logging
from enum import IntEnum
from typing import TYPE_CHECKING

from telemetry import conventions as c

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"

log = logging.getLogger(__name__)


class Temporality(IntEnum):
    """OTLP's AggregationTemporality; the SDK's has the same numbers."""

    DELTA = 1
    CUMULATIVE = 2


class Preference:
    """What OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE asks for: cumulative (the default), delta, lowmemory.

    Lowmemory tells changes only where that saves remembering a total: of histograms and of counters that are added
    to, not of those that are observed. What may go down is always a total. Source:
    https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration
    """

    __slots__ = ("counters", "histograms", "observed_counters")

    def __init__(self, environ: Mapping[str, str]) -> None:
        text = environ.get(VARIABLE, "cumulative").strip().lower()
        if text not in {"cumulative", "delta", "lowmemory"}:
            log.warning("%s names none of cumulative, delta, lowmemory; metrics are cumulative", VARIABLE)
        self.observed_counters = Temporality.DELTA if text == "delta" else Temporality.CUMULATIVE
        self.counters = self.histograms = (
            Temporality.DELTA if text in {"delta", "lowmemory"} else Temporality.CUMULATIVE
        )

    def of(self, instrument: c.Instrument) -> Temporality:
        """Of an instrument of ours: its sums are kept here and observed at the collection, whichever the engine."""
        if isinstance(instrument, c.Histogram):
            return self.histograms
        return self.observed_counters if isinstance(instrument, c.Counter) else Temporality.CUMULATIVE
