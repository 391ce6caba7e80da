"""What the service sees of telemetry: spans, instruments, logs. No engine shows through.

Nothing here blocks, and nothing raises into the caller: a failure inside is counted and dropped. Exceptions of the
caller's own pass through a span unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from telemetry.conventions import Counter, Gauge, Histogram, UpDownCounter

AttributeValue = str | bool | int | float | Decimal
"""Decimals become decimal strings on spans: money never passes through a float there."""

Attributes = Mapping[str, AttributeValue]
Labels = Mapping[str, str]


class Repeated(dict[str, AttributeValue]):
    """Attributes that many spans carry, as those of one order do: an engine may encode them once for all of these.

    Whoever has one changes it no more. `told` is the same for events.
    """

    __slots__ = ("encoded", "told")

    def __init__(self, attributes: Attributes) -> None:
        super().__init__(attributes)
        self.encoded: bytes | None = None
        self.told: bytes | None = None


class Step(NamedTuple):
    """What `Telemetry.steps` makes a span of; times are Unix nanoseconds."""

    name: str
    began_ns: int
    ended_ns: int
    attributes: Attributes


class SpanContext(NamedTuple):
    """W3C ids, lowercase hex: 32 and 16 digits."""

    trace_id: str
    span_id: str


class Span(Protocol):
    @property
    def context(self) -> SpanContext: ...

    @property
    def recording(self) -> bool:
        """Whether what is set is looked at by anybody: where it takes time to find out, it need not be otherwise."""
        ...

    def set(self, attributes: Attributes) -> None: ...

    def event(self, name: str, attributes: Attributes = ...) -> None: ...

    def fail(self, error_type: str, message: str = "") -> None:
        """Status ERROR and `error.type`; for what went wrong on our side or the exchange's, never for a refusal."""
        ...


class RequestSpan(Span, Protocol):
    """The SERVER span of one webhook. Its spans are held until it ends, then kept or dropped together."""

    def keep(self) -> None:
        """Keep this trace whatever the rate: it was authenticated or journaled. A failed span keeps it too."""
        ...

    def link(self, context: SpanContext) -> None:
        """Point to another trace that this one belongs to: the first answer of a replayed alert."""
        ...


class RebuiltSpan(NamedTuple):
    """A step of an earlier process life, known from the journal only; times are Unix nanoseconds."""

    name: str
    context: SpanContext
    parent_span_id: str | None
    start_ns: int
    end_ns: int
    attributes: Attributes


class LogEntry(NamedTuple):
    """One log record, already redacted; `severity` is the standard library's level, `time_ns` Unix nanoseconds."""

    time_ns: int
    severity: int
    severity_text: str
    message: str
    attributes: Mapping[str, str | bool | int | float]


class BoundCounter(Protocol):
    """One series of a counter."""

    def add(self, value: Decimal | float = 1) -> None: ...


class BoundHistogram(Protocol):
    """One series of a histogram."""

    def record(self, value: Decimal | float) -> None: ...


Series_co = TypeVar("Series_co", covariant=True)


class By(Protocol[Series_co]):
    """Series of one instrument by the labels that vary: `[value]` of the only one, `[value, value]` of several.

    A series whose labels come from outside, as addresses do, is asked for at each record: a label may show as `other`
    at first and as itself later.
    """

    def __getitem__(self, values: str | tuple[str, ...], /) -> Series_co: ...


class Telemetry(Protocol):
    def request(
        self, name: str, attributes: Attributes, *, traceparent: str | None, trust: bool
    ) -> AbstractContextManager[RequestSpan]:
        """A SERVER span: a new root, `traceparent` its link; its child only where `trust` is set."""
        ...

    def span(
        self,
        name: str,
        attributes: Attributes = ...,
        *,
        parent: SpanContext | None = None,
        links: Sequence[SpanContext] = (),
        client: bool = False,
    ) -> AbstractContextManager[Span]:
        """A span below `parent`, else below the current span; the current one while the block runs."""
        ...

    def step(
        self, name: str, began_ns: int, attributes: Attributes = ..., *, error: BaseException | None = None
    ) -> None:
        """A span below the current one that began at `began_ns` (Unix nanoseconds) and ends now, in `error` if given.

        For what makes no spans and log lines of its own: it is never the current span, and costs a fraction of one.
        """
        ...

    def steps(self, steps: Sequence[Step]) -> None:
        """The same for several that are over, at a fraction of what each costs alone."""
        ...

    def current(self) -> SpanContext | None: ...

    def add(self, instrument: Counter | UpDownCounter, value: Decimal | float = 1, **labels: str) -> None: ...

    def record(self, instrument: Histogram, value: Decimal | float, **labels: str) -> None: ...

    def counter(self, instrument: Counter | UpDownCounter, **labels: str) -> BoundCounter:
        """One series, found once: adding to it costs a quarter of `add`."""
        ...

    def counters(self, instrument: Counter | UpDownCounter, *varying: str, **labels: str) -> By[BoundCounter]:
        """The series with these labels, by the values of the `varying` ones in this order."""
        ...

    def histogram(self, instrument: Histogram, **labels: str) -> BoundHistogram:
        """As `counter`; the series begins with its first record."""
        ...

    def histograms(self, instrument: Histogram, *varying: str, **labels: str) -> By[BoundHistogram]:
        """As `counters`."""
        ...

    def set(self, instrument: Gauge, value: Decimal | float, **labels: str) -> None: ...

    def observe(self, instrument: Gauge, read: Callable[[], Iterable[tuple[float, Labels]]]) -> None:
        """Ask `read` for the values at each collection, from another thread: it must be quick and thread-safe."""
        ...

    def preset(self, instrument: Counter | UpDownCounter | Gauge, **values: Sequence[str]) -> None:
        """Report 0 for every combination of these label values from now on."""
        ...

    @property
    def exports_logs(self) -> bool:
        """Whether `log` does anything."""
        ...

    def log(self, entry: LogEntry) -> None:
        """Export one log record with the current span's ids; nothing happens without an endpoint."""
        ...

    def trace(self, trace_id: str, rebuilt: Sequence[RebuiltSpan] = ()) -> bytes:
        """OTLP/JSON of the spans this process knows of a trace, and of `rebuilt` where it knows nothing."""
        ...

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics where `accept` asks for it, else Prometheus text.

        Takes milliseconds and may be called from any thread: a worker thread keeps them off the event loop.
        """
        ...

    def close(self, timeout: float) -> None:
        """Export what is left, within `timeout` seconds."""
        ...
