"""The spans that this process still knows, so that an order's trace can be shown without any backend."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from telemetry import conventions as c
from telemetry.attributes import plain
from telemetry.otlp_json import INTERNAL, SpanData, encode_span
from telemetry.w3c import is_valid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.facade import RebuiltSpan

STORE_BYTES = 32 * 1024 * 1024
SPANS_OF_A_TRACE = 256
# What a span costs beside its text: two dictionary entries, keys, object headers.
_OVERHEAD = 300


class SpanStore:
    """Encoded spans by trace, bounded in bytes; the trace that was begun first goes first. Thread-safe."""

    def __init__(self, max_bytes: int = STORE_BYTES, max_spans: int = SPANS_OF_A_TRACE) -> None:
        self._max_bytes = max_bytes
        self._max_spans = max_spans
        self._bytes = 0
        self._traces: OrderedDict[str, dict[str, bytes]] = OrderedDict()
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._bytes

    def put(self, span: SpanData) -> None:
        encoded = encode_span(span)
        cost = len(encoded) + _OVERHEAD
        if cost > self._max_bytes:
            return
        trace_id, span_id = span.context
        with self._lock:
            trace = self._traces.setdefault(trace_id, {})
            if len(trace) >= self._max_spans:
                return
            trace[span_id] = encoded
            self._bytes += cost
            while self._bytes > self._max_bytes:
                _, oldest = self._traces.popitem(last=False)
                self._bytes -= sum(len(one) + _OVERHEAD for one in oldest.values())

    def spans(self, trace_id: str, rebuilt: Sequence[RebuiltSpan] = ()) -> list[bytes]:
        """The known spans of a trace in the order of their end, after those of `rebuilt` that are not known."""
        with self._lock:
            known = dict(self._traces.get(trace_id, {}))
        earlier = [
            encode_span(_rebuilt(span))
            for span in rebuilt
            if span.context.span_id not in known and span.context.trace_id == trace_id and is_valid(span.context)
        ]
        return [*earlier, *known.values()]


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
