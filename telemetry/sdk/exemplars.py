"""Exemplars that outlive collections and name only traces that are kept."""

from __future__ import annotations

from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.metrics import AlignedHistogramBucketExemplarReservoir, Exemplar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes

    from telemetry.holding import Holder


class KeptExemplars(AlignedHistogramBucketExemplarReservoir):
    """The last exemplar of each bucket whose trace is kept.

    The SDK's reservoir empties itself at every collection, so that the next push shows none; this one does not. While
    a trace is undecided its exemplars wait with its spans, and never displace one that is certain.
    """

    def __init__(self, boundaries: Sequence[float], holder: Holder[Any], **kwargs: Any) -> None:
        super().__init__(boundaries, **kwargs)
        self._edges = tuple(boundaries)
        self._holder = holder
        self._kept: dict[int, Exemplar] = {}

    def offer(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> None:
        del attributes
        span = trace.get_current_span(context).get_span_context()
        if span.is_valid:
            exemplar = Exemplar({}, value, time_unix_nano, span.span_id, span.trace_id)
            self._holder.when_kept(span.trace_id, partial(self._place, bisect_left(self._edges, value), exemplar))

    def collect(self, point_attributes: Attributes) -> list[Exemplar]:
        del point_attributes
        with self._lock:
            return [exemplar for _, exemplar in sorted(self._kept.items())]

    def _place(self, bucket: int, exemplar: Exemplar) -> None:
        with self._lock:
            last = self._kept.get(bucket)
            if last is None or last.time_unix_nano <= exemplar.time_unix_nano:
                self._kept[bucket] = exemplar


def reservoirs(holder: Holder[Any]) -> Callable[[type[Any]], Callable[..., KeptExemplars]]:
    """What a View takes: a function from the aggregation's type to the reservoir's constructor."""
    return lambda _aggregation: partial(KeptExemplars, holder=holder)
