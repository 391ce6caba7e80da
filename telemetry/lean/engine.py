"""The facade on lean spans, logs and metrics, with providers of its own: nothing global is set or read."""

from __future__ import annotations

import os
import time
from operator import itemgetter
from threading import Thread
from time import time_ns
from typing import TYPE_CHECKING, cast

from opentelemetry import trace
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, StatusCode

from telemetry import conventions as c
from telemetry import w3c
from telemetry.common import SCOPE, SPAN_LIMITS, from_otel, resource_of, resource_of_child
from telemetry.facade import Step
from telemetry.forking import in_children
from telemetry.holding import Holder
from telemetry.lean.batching import Queue, sizes
from telemetry.lean.block import Block
from telemetry.lean.current import current_context
from telemetry.lean.decoding import decode_span
from telemetry.lean.encoding import Envelope, encode_span
from telemetry.lean.limits import Limits
from telemetry.lean.logs import encode_log
from telemetry.lean.metrics import LeanMetrics
from telemetry.lean.pipe import NO_TRACE, Pipe
from telemetry.lean.sender import SUPPRESSED, poster
from telemetry.lean.span import UNSET
from telemetry.lean.tracer import LeanTracerProvider
from telemetry.otlp_json import encode_trace
from telemetry.series import Drops
from telemetry.store import SpanStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from telemetry.config import TelemetryConfig
    from telemetry.facade import (
        Attributes,
        BoundCounter,
        BoundHistogram,
        By,
        Labels,
        LogEntry,
        RebuiltSpan,
        SpanContext,
    )
    from telemetry.lean.batching import Sends
    from telemetry.lean.sender import Poster
    from telemetry.lean.span import LeanSpan
    from telemetry.otlp_json import SpanData

Ended = tuple[int, InstrumentationScope, bytes]
"""Trace id, scope and the encoded message of an ended span: all that is left of it.

Encoded at its end and not by the thread that sends it: what waits and what is stored is then one string of bytes, a
tenth of the objects' size, known to the byte and nothing to the garbage collector; and the sending thread has nothing
to do that would keep the event loop from the interpreter for a whole batch.
"""

# Beside the message itself: the string's head, the tuple, its place in the store and its share of a page's traces.
_SPAN_BYTES = 120
_SERVER, _CLIENT, _INTERNAL = SpanKind.SERVER, SpanKind.CLIENT, SpanKind.INTERNAL


class LeanTelemetry:
    """See the facade. `senders` take the place of what is made from the settings, by signal; None exports nothing.

    Raises:
        ValueError: an `OTEL_*` variable that names an endpoint or a limit is wrong.
    """

    def __init__(
        self,
        config: TelemetryConfig,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        senders: Mapping[str, Sends | None] | None = None,
    ) -> None:
        self._config = config
        self._closed = False
        self._drops = Drops()
        self._store: SpanStore[Ended] = SpanStore(_data_of, _cost_of)
        self._holder: Holder[Ended] = Holder(self._deliver, self._drops, clock=clock)
        self._resource = resource_of(config)
        if senders is None:
            senders = {signal: poster(signal, config.otlp_endpoint, environ, self._drops) for signal in c.SIGNALS}
        self._envelope = Envelope(self._resource)
        in_children(self._after_fork)
        traces, logs = senders.get("traces"), senders.get("logs")
        self._spans: Queue[Ended] | None = None
        self._logs: Queue[tuple[InstrumentationScope, bytes]] | None = None
        if traces is not None:
            self._spans = Queue("traces", self._envelope.request, traces, self._drops, sizes("BSP", environ))
        if logs is not None:
            self._logs = Queue("logs", self._envelope.request, logs, self._drops, sizes("BLRP", environ))
        self._metrics = LeanMetrics(
            config, self._resource, self._drops, self._holder, cast("Poster | None", senders.get("metrics")), environ
        )
        self._metrics.series.observe(c.TELEMETRY_QUEUE_ITEMS, self._queue_items)
        self.provider = LeanTracerProvider(
            self._ended, resource=self._resource, opened=self._holder.open, flush=self._flush
        )
        self._scope = InstrumentationScope(SCOPE, config.service_version)
        tracer = self.provider.tracer(self._scope, Limits(SPAN_LIMITS))
        self._pipe = Pipe(tracer, self._holder, self._drops, self._deliver, self._deliver_all)

    def request(self, name: str, attributes: Attributes, *, traceparent: str | None, trust: bool) -> Block:
        caller = w3c.parse_traceparent(traceparent)
        parent = caller if trust else None
        links = [caller] if caller is not None and parent is None else []
        made = Block()
        made.pipe = self._pipe
        made.name = name
        made.first = attributes
        made.kind = _SERVER
        made.parent = parent
        made.links = links
        made.light = False
        made.trace = NO_TRACE
        return made

    def span(
        self,
        name: str,
        attributes: Attributes | None = None,
        *,
        parent: SpanContext | None = None,
        links: Sequence[SpanContext] = (),
        client: bool = False,
    ) -> Block:
        made = Block()
        made.pipe = self._pipe
        made.name = name
        made.first = attributes
        made.kind = _CLIENT if client else _INTERNAL
        made.parent = parent
        made.links = links
        made.light = False
        made.trace = NO_TRACE
        return made

    def step(
        self, name: str, began_ns: int, attributes: Attributes | None = None, *, error: BaseException | None = None
    ) -> None:
        if error is None:
            self.steps([Step(name, began_ns, time_ns(), attributes or {})])
        else:
            self.span(name, attributes).pass_by(began_ns, error)

    def steps(self, steps: Sequence[Step]) -> None:
        around = current_context()
        try:
            if type(around) is Block and around.steps(steps):
                return
        except Exception:  # noqa: BLE001 - telemetry never hurts an order; the spans are lost and counted
            self._drops.count("traces", "internal_error", len(steps))
            return
        for name, began_ns, ended_ns, attributes in steps:
            self.span(name, attributes).pass_by(began_ns, None, ended_ns)

    def current(self) -> SpanContext | None:
        around = current_context()
        if type(around) is Block:
            return around.context
        context = trace.get_current_span().get_span_context()
        return from_otel(context) if context.is_valid else None

    def add(self, instrument: c.Counter | c.UpDownCounter, value: Decimal | float = 1, **labels: str) -> None:
        self._metrics.add(instrument, value, labels)

    def record(self, instrument: c.Histogram, value: Decimal | float, **labels: str) -> None:
        self._metrics.record(instrument, value, labels)

    def counter(self, instrument: c.Counter | c.UpDownCounter, **labels: str) -> BoundCounter:
        return self._metrics.series.counter(instrument, labels)

    def counters(self, instrument: c.Counter | c.UpDownCounter, *varying: str, **labels: str) -> By[BoundCounter]:
        return self._metrics.series.counters(instrument, varying, labels)

    def histogram(self, instrument: c.Histogram, **labels: str) -> BoundHistogram:
        return self._metrics.histogram(instrument, labels)

    def histograms(self, instrument: c.Histogram, *varying: str, **labels: str) -> By[BoundHistogram]:
        return self._metrics.histograms(instrument, varying, labels)

    def set(self, instrument: c.Gauge, value: Decimal | float, **labels: str) -> None:
        self._metrics.set(instrument, value, labels)

    def observe(self, instrument: c.Gauge, read: Callable[[], Iterable[tuple[float, Labels]]]) -> None:
        self._metrics.series.observe(instrument, read)

    def preset(self, instrument: c.Counter | c.UpDownCounter | c.Gauge, **values: Sequence[str]) -> None:
        self._metrics.series.preset(instrument, values)

    @property
    def exports_logs(self) -> bool:
        return self._logs is not None

    def log(self, entry: LogEntry) -> None:
        # What the sending itself logs must not be exported, or a dead endpoint feeds itself.
        around = current_context()
        if self._logs is None or around.get(SUPPRESSED):
            return
        try:
            if type(around) is Block:
                where = around.trace.number, around.span_id, around.trace.flags
            else:
                context = trace.get_current_span().get_span_context()
                where = context.trace_id, context.span_id, context.trace_flags
            self._logs.put((self._scope, encode_log(entry, where if where[0] and where[1] else None)))
        except Exception:  # noqa: BLE001 - a log call never raises into the caller; it is counted
            self._drops.count("logs", "internal_error")

    def trace(self, trace_id: str, rebuilt: Sequence[RebuiltSpan] = ()) -> bytes:
        resource = {key: str(value) for key, value in self._resource.attributes.items()}
        spans = self._store.spans(trace_id, rebuilt)
        return encode_trace(resource, SCOPE, self._config.service_version, spans)

    def metrics(self, accept: str) -> tuple[bytes, str]:
        return self._metrics.expose(accept)

    def close(self, timeout: float) -> None:
        if self._closed:
            return
        self._closed = True
        # Side by side: a dead endpoint for one signal must not use up the others' time.
        stops: list[Callable[[float], None]] = [self._metrics.shutdown]
        stops.extend(queue.close for queue in (self._spans, self._logs) if queue is not None)
        threads = [Thread(target=self._stop, args=(stop, timeout), daemon=True) for stop in stops]
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _stop(self, stop: Callable[[float], None], timeout: float) -> None:
        try:
            stop(timeout)
        except Exception:  # noqa: BLE001 - closing goes on, whatever one part does; it is counted
            self._drops.count("metrics", "shutdown")

    def _after_fork(self) -> None:
        self._envelope.describe(resource_of_child(self._resource))

    def _ended(self, span: LeanSpan) -> None:
        try:
            encoded = encode_span(span)
        except Exception:  # noqa: BLE001 - one span that cannot be encoded must not hurt its caller; it is counted
            encoded = self._encoded_again(span)
        trace_id = span.trace_id
        end = self._holder.closed if span.kind is _SERVER else self._holder.ended
        failed = span.status is not UNSET and span.status.status_code is StatusCode.ERROR
        end(trace_id, (trace_id, span.owner.instrumentation_scope, encoded), failed=failed)

    def _encoded_again(self, span: LeanSpan) -> bytes:
        """Mostly another thread was setting an attribute while the span ended; from now on none can.

        Where that was not it, nothing is left of the span, but its trace has ended with it all the same.
        """
        try:
            return encode_span(span)
        except Exception:  # noqa: BLE001 - as above
            self._drops.count("traces", "internal_error")
            return b""

    def _deliver(self, ended: Ended) -> None:
        if not ended[2]:
            return
        self._store.put(ended)
        if self._spans is not None:
            self._spans.put(ended)

    def _deliver_all(self, ended: list[Ended]) -> None:
        """Spans of which there is a message."""
        self._store.put_all(ended)
        if self._spans is not None:
            self._spans.put_all(ended)

    def _flush(self, timeout: float) -> bool:
        return self._spans is None or self._spans.flush(timeout)

    def _queue_items(self) -> Iterable[tuple[float, Labels]]:
        return [
            (queue.waiting, {"signal": signal})
            for signal, queue in (("traces", self._spans), ("logs", self._logs))
            if queue is not None
        ]


def _data_of(ended: Ended) -> SpanData:
    return decode_span(ended[2])


def _cost_of(ended: Sequence[Ended]) -> int:
    return sum(map(len, map(_message_of, ended))) + _SPAN_BYTES * len(ended)


_message_of = itemgetter(2)
