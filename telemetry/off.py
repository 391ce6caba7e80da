"""The engine that records nothing: it only makes ids, because the answer to a sender carries a trace id."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Self

from telemetry import w3c
from telemetry.exposition import TEXT
from telemetry.otlp_json import encode_trace
from telemetry.store import rebuilt_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal
    from types import TracebackType

    from telemetry.config import TelemetryConfig
    from telemetry.conventions import Counter, Gauge, Histogram, UpDownCounter
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

_current: ContextVar[OffSpan | None] = ContextVar("fillpath_off_span", default=None)

_NOTE = b"# Telemetry is switched off: nothing is counted here.\n"


class OffSpan:
    """A span that is only its ids, and its own context manager; its own id is made when somebody asks for it."""

    __slots__ = ("_context", "_token", "trace_id")

    recording = False

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        self._context: SpanContext | None = None
        self._token: Token[OffSpan | None] | None = None

    @property
    def context(self) -> SpanContext:
        if self._context is None:
            self._context = w3c.new_context(self.trace_id)
        return self._context

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)

    def set(self, attributes: Attributes) -> None:
        """Nothing."""

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        """Nothing."""

    def fail(self, error_type: str, message: str = "") -> None:
        """Nothing."""

    def keep(self) -> None:
        """Nothing."""

    def link(self, context: SpanContext) -> None:
        """Nothing."""


class OffSeries:
    """A series of which nothing is kept, and all series of its instrument by any labels."""

    __slots__ = ()

    def __getitem__(self, values: str | tuple[str, ...]) -> OffSeries:
        return self

    def add(self, value: Decimal | float = 1) -> None:
        """Nothing."""

    def record(self, value: Decimal | float) -> None:
        """Nothing."""


_OFF_SERIES = OffSeries()


def _new_trace() -> str:
    return f"{w3c.new_trace_id():032x}"


class OffTelemetry:
    """See the facade; nothing is recorded, held or exported."""

    def __init__(self, config: TelemetryConfig) -> None:
        self._config = config

    def request(self, name: str, attributes: Attributes, *, traceparent: str | None, trust: bool) -> OffSpan:
        del name, attributes
        caller = w3c.parse_traceparent(traceparent) if trust else None
        return OffSpan(caller.trace_id if caller else _new_trace())

    def span(
        self,
        name: str,
        attributes: Attributes | None = None,
        *,
        parent: SpanContext | None = None,
        links: Sequence[SpanContext] = (),
        client: bool = False,
    ) -> OffSpan:
        del name, attributes, links, client
        above = parent or _current.get()
        return OffSpan(above.trace_id if above else _new_trace())

    def step(
        self, name: str, began_ns: int, attributes: Attributes | None = None, *, error: BaseException | None = None
    ) -> None:
        """Nothing."""

    def steps(self, steps: Sequence[Step]) -> None:
        """Nothing."""

    def current(self) -> SpanContext | None:
        around = _current.get()
        return None if around is None else around.context

    def add(self, instrument: Counter | UpDownCounter, value: Decimal | float = 1, **labels: str) -> None:
        """Nothing."""

    def record(self, instrument: Histogram, value: Decimal | float, **labels: str) -> None:
        """Nothing."""

    def counter(self, instrument: Counter | UpDownCounter, **labels: str) -> BoundCounter:
        del instrument, labels
        return _OFF_SERIES

    def counters(self, instrument: Counter | UpDownCounter, *varying: str, **labels: str) -> By[BoundCounter]:
        del instrument, varying, labels
        return _OFF_SERIES

    def histogram(self, instrument: Histogram, **labels: str) -> BoundHistogram:
        del instrument, labels
        return _OFF_SERIES

    def histograms(self, instrument: Histogram, *varying: str, **labels: str) -> By[BoundHistogram]:
        del instrument, varying, labels
        return _OFF_SERIES

    def set(self, instrument: Gauge, value: Decimal | float, **labels: str) -> None:
        """Nothing."""

    def observe(self, instrument: Gauge, read: Callable[[], Iterable[tuple[float, Labels]]]) -> None:
        """Nothing; `read` is never called."""

    def preset(self, instrument: Counter | UpDownCounter | Gauge, **values: Sequence[str]) -> None:
        """Nothing."""

    @property
    def exports_logs(self) -> bool:
        return False

    def log(self, entry: LogEntry) -> None:
        """Nothing; standard error has the record."""

    def trace(self, trace_id: str, rebuilt: Sequence[RebuiltSpan] = ()) -> bytes:
        """Only what the journal knows."""
        version = self._config.service_version
        resource = {"service.name": "fillpath", "service.version": version}
        return encode_trace(resource, "fillpath", version, rebuilt_spans(trace_id, rebuilt))

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """A comment that says why there is nothing; always Prometheus text, for OpenMetrics knows no comments."""
        del accept
        return _NOTE, TEXT

    def close(self, timeout: float) -> None:
        """Nothing is left to export."""
