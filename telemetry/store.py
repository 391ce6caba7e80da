"""The spans that this process still knows, so that an order's trace can be shown without any backend."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from telemetry import conventions as c
from telemetry.attributes import plain
from telemetry.forking import in_children
from telemetry.otlp_json import INTERNAL, SpanData, encode_span
from telemetry.w3c import is_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from telemetry.facade import RebuiltSpan

STORE_BYTES = 64 * 1024 * 1024
SPANS_OF_A_TRACE = 256

S = TypeVar("S")


class _Known(Generic[S]):
    """The spans of one trace in the order of their end, and what they take together, in bytes."""

    __slots__ = ("cost", "spans")

    def __init__(self) -> None:
        self.spans: list[S] = []
        self.cost = 0


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
        self._traces: OrderedDict[int, _Known[S]] = OrderedDict()
        self._unlock()
        in_children(self._unlock)

    def _unlock(self) -> None:
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes held, as told by those who put spans in."""
        return self._bytes

    def put(self, trace_id: int, span: S, cost: int) -> None:
        """`cost` is what the span takes, in bytes."""
        self.put_all([(trace_id, span, cost)])

    def put_all(self, spans: Iterable[tuple[int, S, int]]) -> None:
        """The same for many, at a third of the price for each."""
        with self._lock:
            traces = self._traces
            for trace_id, span, cost in spans:
                if cost > self._max_bytes:
                    continue
                known = traces.get(trace_id)
                if known is None:
                    known = traces[trace_id] = _Known()
                if len(known.spans) < self._max_spans:
                    known.spans.append(span)
                    known.cost += cost
                    self._bytes += cost
            while self._bytes > self._max_bytes:
                _, oldest = traces.popitem(last=False)
                self._bytes -= oldest.cost

    def spans(self, trace_id: str, rebuilt: Sequence[RebuiltSpan] = ()) -> list[bytes]:
        """The known spans of a trace, encoded, in the order of their end, after those of `rebuilt` not known."""
        known = [self._data_of(span) for span in self._spans(trace_id)]
        known_ids = {span.context.span_id for span in known}
        earlier = [
            encode_span(_rebuilt(span))
            for span in rebuilt
            if span.context.span_id not in known_ids and span.context.trace_id == trace_id and is_valid(span.context)
        ]
        return [*earlier, *(encode_span(span) for span in known)]

    def _spans(self, trace_id: str) -> list[S]:
        try:
            number = int(trace_id, 16)
        except ValueError:
            return []
        with self._lock:
            known = self._traces.get(number)
            return [] if known is None else known.spans.copy()


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
