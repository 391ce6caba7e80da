"""The facade on the stock OpenTelemetry SDK, with providers of its own: nothing global is set or read."""

from __future__ import annotations

import os
import time
from threading import Thread
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanKind, Tracer

from telemetry import conventions as c
from telemetry import w3c
from telemetry.attributes import converted
from telemetry.common import SCOPE, from_otel, severity, to_otel
from telemetry.declarative.building import by_file
from telemetry.holding import Holder
from telemetry.otlp_json import encode_trace
from telemetry.sdk.export import by_environment
from telemetry.sdk.metrics import SdkMetrics
from telemetry.sdk.spans import HoldingProcessor, SdkSpan, as_data, cost_of, trace_id_of
from telemetry.series import Drops
from telemetry.store import SpanStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import LogRecordLimits
    from opentelemetry.sdk.trace import ReadableSpan, SpanLimits

    from telemetry.config import TelemetryConfig
    from telemetry.declarative.document import Declaration
    from telemetry.facade import (
        Attributes,
        BoundCounter,
        BoundHistogram,
        By,
        Labels,
        LogEntry,
        RebuiltSpan,
        SpanContext,
        Step,
    )
    from telemetry.sdk.export import Queue

_SUPPRESSED = otel_context._SUPPRESS_INSTRUMENTATION_KEY  # noqa: SLF001 - the SDK's mark of its exporter threads


class _Ids(IdGenerator):
    """Ids from the operating system: a private generator would repeat itself in forked children."""

    def generate_trace_id(self) -> int:
        return w3c.new_trace_id()

    def generate_span_id(self) -> int:
        return w3c.new_span_id()

    def is_trace_id_random(self) -> bool:
        return True


class SdkTelemetry:
    """See the facade. Where there is a `declaration`, it takes the place of the environment.

    Raises:
        ValueError: an `OTEL_*` variable that names an endpoint or a compression is wrong, or an exporter of the
            declaration cannot be built.
    """

    def __init__(
        self,
        config: TelemetryConfig,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        declaration: Declaration | None = None,
    ) -> None:
        self._config = config
        self._closed = False
        self._drops = Drops()
        self._store: SpanStore[tuple[int, ReadableSpan]] = SpanStore(as_data, cost_of)
        self._holder: Holder[ReadableSpan] = Holder(self._deliver, self._drops, clock=clock)
        made = (
            by_environment(config, environ, self._drops)
            if declaration is None
            else by_file(config, declaration, self._drops)
        )
        self._resource, self._spans, self._logs = made.resource, made.spans, made.logs
        self._metrics = SdkMetrics(config, self._resource, self._drops, self._holder, made.readers)
        self._metrics.series.observe(c.TELEMETRY_QUEUE_ITEMS, self._queue_items)
        self._tracer = self._build_tracer(made.span_limits)
        self._logger = self._build_logger(made.log_limits) if self._logs else None

    def request(self, name: str, attributes: Attributes, *, traceparent: str | None, trust: bool) -> SdkSpan:
        caller = w3c.parse_traceparent(traceparent)
        parent = caller if trust else None
        links = [caller] if caller is not None and parent is None else []
        root = otel_context.Context()
        return self._scope(name, attributes, links, SpanKind.SERVER, _below(parent, root))

    def span(
        self,
        name: str,
        attributes: Attributes | None = None,
        *,
        parent: SpanContext | None = None,
        links: Sequence[SpanContext] = (),
        client: bool = False,
    ) -> SdkSpan:
        kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
        return self._scope(name, attributes or {}, links, kind, _below(parent, None))

    def step(
        self, name: str, began_ns: int, attributes: Attributes | None = None, *, error: BaseException | None = None
    ) -> None:
        self._scope(name, attributes or {}, (), SpanKind.INTERNAL, None, began_ns).pass_by(error)

    def steps(self, steps: Sequence[Step]) -> None:
        for name, began_ns, ended_ns, attributes in steps:
            self._scope(name, attributes, (), SpanKind.INTERNAL, None, began_ns).pass_by(None, ended_ns)

    def current(self) -> SpanContext | None:
        context = trace.get_current_span().get_span_context()
        return from_otel(context) if context.is_valid else None

    def add(self, instrument: c.Counter | c.UpDownCounter, value: Decimal | float = 1, **labels: str) -> None:
        self._metrics.series.add(instrument, value, labels)

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
        self._metrics.series.set(instrument, value, labels)

    def observe(self, instrument: c.Gauge, read: Callable[[], Iterable[tuple[float, Labels]]]) -> None:
        self._metrics.series.observe(instrument, read)

    def preset(self, instrument: c.Counter | c.UpDownCounter | c.Gauge, **values: Sequence[str]) -> None:
        self._metrics.series.preset(instrument, values)

    @property
    def exports_logs(self) -> bool:
        return self._logger is not None

    def log(self, entry: LogEntry) -> None:
        # What the exporters themselves log must not be exported, or a dead endpoint feeds itself.
        if self._logger is None or otel_context.get_value(_SUPPRESSED):
            return
        try:
            self._logger.emit(
                LogRecord(
                    timestamp=entry.time_ns,
                    observed_timestamp=entry.time_ns,
                    severity_number=severity(entry.severity),
                    severity_text=entry.severity_text,
                    body=entry.message,
                    attributes=dict(entry.attributes),
                )
            )
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
        stops += [queue.shutdown for queue in self._spans]
        stops += [queue.shutdown for queue in self._logs]
        threads = [Thread(target=self._stop, args=(stop, timeout), daemon=True) for stop in stops]
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _stop(self, stop: Callable[[float], None], timeout: float) -> None:
        try:
            stop(timeout)
        except Exception:  # noqa: BLE001 - the SDK raises when its time is over; closing goes on
            self._drops.count("metrics", "shutdown")

    def _scope(
        self,
        name: str,
        attributes: Attributes,
        links: Sequence[SpanContext],
        kind: SpanKind,
        context: Context | None,
        began_ns: int | None = None,
    ) -> SdkSpan:
        def start() -> Span:
            try:
                return self._tracer.start_span(
                    name,
                    context=context,
                    kind=kind,
                    attributes=converted(attributes),
                    links=[Link(to_otel(link)) for link in links if w3c.is_valid(link)],
                    start_time=began_ns,
                    record_exception=False,
                    set_status_on_exception=False,
                )
            except Exception:  # noqa: BLE001 - telemetry never hurts an order; the block gets ids and is counted
                self._drops.count("traces", "internal_error")
                return NonRecordingSpan(to_otel(w3c.new_context()))

        return SdkSpan(start, self._holder, self._drops)

    def _deliver(self, span: ReadableSpan) -> None:
        try:
            self._store.put((trace_id_of(span), span))
        except Exception:  # noqa: BLE001 - one span that cannot be shown must not stop the others; it is counted
            self._drops.count("traces", "internal_error")
        for queue in self._spans:
            queue.processor.on_end(span)

    def _queue_items(self) -> Iterable[tuple[float, Labels]]:
        queues: dict[str, Sequence[Queue[Any]]] = {"traces": self._spans, "logs": self._logs}
        return [(sum(q.waiting for q in each), {"signal": signal}) for signal, each in queues.items() if each]

    def _build_tracer(self, limits: SpanLimits) -> Tracer:
        provider = TracerProvider(
            # Named, because the environment could name one that drops orders.
            sampler=ALWAYS_ON,
            resource=self._resource,
            shutdown_on_exit=False,
            id_generator=_Ids(),
            span_limits=limits,
        )
        provider.add_span_processor(HoldingProcessor(self._holder))
        return provider.get_tracer(SCOPE, self._config.service_version)

    def _build_logger(self, limits: LogRecordLimits) -> Any:
        provider = LoggerProvider(resource=self._resource, shutdown_on_exit=False, log_record_limits=limits)
        for queue in self._logs:
            provider.add_log_record_processor(queue.processor)
        return provider.get_logger(SCOPE, self._config.service_version)


def _below(parent: SpanContext | None, otherwise: Context | None) -> Context | None:
    """A context whose current span is `parent`; without a usable one `otherwise`."""
    if parent is None or not w3c.is_valid(parent):
        return otherwise
    return trace.set_span_in_context(NonRecordingSpan(to_otel(parent)), otel_context.Context())
