"""The spans that this process still knows, so that an order's trace can be shown without any backend."""

from __future__ import annotations

from collections import deque
from operator import itemgetter
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from telemetry import conventions as c
from telemetry.attributes import plain
from telemetry.forking import in_children
from telemetry.otlp_json import INTERNAL, SpanData, encode_span
from telemetry.w3c import is_valid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from telemetry.facade import RebuiltSpan

STORE_BYTES = 64 * 1024 * 1024
SPANS_OF_A_TRACE = 256
TOGETHER = 64

S = TypeVar("S", bound="tuple[Any, ...]")


class _Page(NamedTuple, Generic[S]):
    """Spans that ended one after the other, the traces that they are of, and what they take together, in bytes."""

    spans: list[S]
    traces: frozenset[int]
    cost: int


class SpanStore(Generic[S]):
    """Ended spans, bounded in bytes; those that ended first go first, `together` at a time.

    A span (`S`, the engine's own kind) is a tuple that begins with its trace id. Kept as they are, a page of them under
    one entry: hardly any is ever asked for, so `data_of` turns only those into data. `cost_of` tells the bytes that
    several take together. Thread-safe.
    """

    def __init__(
        self,
        data_of: Callable[[S], SpanData],
        cost_of: Callable[[Sequence[S]], int],
        *,
        max_bytes: int = STORE_BYTES,
        max_spans: int = SPANS_OF_A_TRACE,
        together: int = TOGETHER,
    ) -> None:
        self._data_of = data_of
        self._cost_of = cost_of
        self._max_bytes = max_bytes
        self._max_spans = max_spans
        self._together = together
        self._bytes = 0
        self._fresh: deque[S] = deque()
        self._pages: deque[_Page[S]] = deque()
        self._unlock()
        in_children(self._unlock)

    def _unlock(self) -> None:
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes held, but for those of a page that has just been begun."""
        return self._bytes

    def put(self, span: S) -> None:
        self._fresh.append(span)
        if len(self._fresh) >= self._together:
            self._turn()

    def put_all(self, spans: Iterable[S]) -> None:
        self._fresh.extend(spans)
        if len(self._fresh) >= self._together:
            self._turn()

    def _turn(self) -> None:
        with self._lock:
            take = self._fresh.popleft
            spans = [take() for _ in range(len(self._fresh))]
            page = _Page(spans, frozenset(map(_trace_of, spans)), self._cost_of(spans))
            self._pages.append(page)
            self._bytes += page.cost
            while self._bytes > self._max_bytes:
                self._bytes -= self._pages.popleft().cost

    def spans(self, trace_id: str, rebuilt: Sequence[RebuiltSpan] = ()) -> list[bytes]:
        """The known spans of a trace, encoded, in the order of their end, after those of `rebuilt` not known."""
        known = [self._data_of(span) for span in self._spans(trace_id)]
        earlier = rebuilt_spans(trace_id, rebuilt, {span.context.span_id for span in known})
        return [*earlier, *(encode_span(span) for span in known)]

    def _spans(self, trace_id: str) -> list[S]:
        """At most `max_spans` of them."""
        try:
            number = int(trace_id, 16)
        except ValueError:
            return []
        with self._lock:
            pages = [page.spans for page in self._pages if number in page.traces]
            pages.append(list(self._fresh))
        return [span for page in pages for span in page if span[0] == number][: self._max_spans]


_trace_of = itemgetter(0)


def rebuilt_spans(
    trace_id: str, rebuilt: Sequence[RebuiltSpan], known_ids: Collection[str] = frozenset()
) -> list[bytes]:
    """Those of this trace that are not known, encoded."""
    return [
        encode_span(_rebuilt(span))
        for span in rebuilt
        if span.context.span_id not in known_ids and span.context.trace_id == trace_id and is_valid(span.context)
    ]


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
