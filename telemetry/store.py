"""The spans that this process still knows, so that an order's trace can be shown without any backend."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from telemetry import conventions as c
from telemetry.attributes import plain
from telemetry.otlp_json import INTERNAL, SpanData, encode_span
from telemetry.w3c import is_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telemetry.facade import RebuiltSpan, SpanContext

STORE_BYTES = 64 * 1024 * 1024
SPANS_OF_A_TRACE = 256

S = TypeVar("S")


class SpanStore(Generic[S]):
    """Ended spans (`S`, the engine's own kind) by trace, bounded in bytes; the trace that was begun first goes first.

    Kept as they are: hardly any of them is ever asked for, so `data_of` turns only those into data. Thread-safe.
    """

    def __init__(
        self, data_of: Callable[[S], SpanData], max_bytes: int = STORE_BYTES, max_spans: int = SPANS_OF_A_TRACE
    ) -> None:
        self._data_of = data_of
        self._max_bytes = max_bytes
        self._max_spans = max_spans
        self._bytes = 0
        self._traces: OrderedDict[str, dict[str, tuple[S, int]]] = OrderedDict()
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes held, as told by those who put spans in."""
        return self._bytes

    def put(self, context: SpanContext, span: S, cost: int) -> None:
        """`cost` is what the span takes, in bytes."""
        if cost > self._max_bytes:
            return
        trace_id, span_id = context
        with self._lock:
            trace = self._traces.setdefault(trace_id, {})
            if len(trace) >= self._max_spans:
                return
            trace[span_id] = (span, cost)
            self._bytes += cost
            while self._bytes > self._max_bytes:
                _, oldest = self._traces.popitem(last=False)
                self._bytes -= sum(one for _, one in oldest.values())

    def spans(self, trace_id: str, rebuilt: Sequence[RebuiltSpan] = ()) -> list[bytes]:
        """The known spans of a trace, encoded, in the order of their end, after those of `rebuilt` not known."""
        with self._lock:
            known = dict(self._traces.get(trace_id, {}))
        earlier = [
            encode_span(_rebuilt(span))
            for span in rebuilt
            if span.context.span_id not in known and span.context.trace_id == trace_id and is_valid(span.context)
        ]
        return [*earlier, *(encode_span(self._data_of(span)) for span, _ in known.values())]


def _rebuilt(span: RebuiltSpan) -> SpanData:
    attributes = {key: plain(key, value) for key, value in span.attributes.items()}
    return SpanData(
        context=span.context,
        parent_span_id=span.parent_span_id,
        name=span.name,
        kind=INTERNAL,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        attributes={**attributes, c.ATTR_FILLPATH_REBUILT: True},
    )
