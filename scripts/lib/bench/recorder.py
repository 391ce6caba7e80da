"""A telemetry engine that notes every call made for an order, and otherwise does nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from scripts.lib.bench.calls import Binding, Call, Order, What
from telemetry.config import TelemetryConfig
from telemetry.conventions import Counter, Gauge, Histogram, Instrument, UpDownCounter
from telemetry.facade import Attributes, Labels, LogEntry, Repeated, SpanContext, Step
from telemetry.off import OffSpan, OffTelemetry

Preset = tuple[Counter | UpDownCounter | Gauge, Mapping[str, Sequence[str]]]

_of_an_order: ContextVar[bool] = ContextVar("of_an_order", default=False)
"""Set where a webhook begins and inherited by every task that it begins. The rest is the service's housekeeping."""


class _Notes:
    """The calls for one order, by task: what runs side by side is replayed one after another."""

    def __init__(self) -> None:
        self.tasks: dict[int, list[Call]] = {}
        self.open: dict[int, list[int]] = {}
        self.numbers: dict[str, int] = {}


class RecordedSpan:
    """A span of nothing but ids whose calls are noted, as they are for an engine that records."""

    recording = True

    def __init__(self, recorder: Recorder, span: OffSpan, begin: Call) -> None:
        self._recorder = recorder
        self._span = span
        self._begin = begin

    def __enter__(self) -> Self:
        if self._begin.what == "request":
            _of_an_order.set(True)
        self._recorder.entered(self._begin, self._span.context)
        self._span.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._span.__exit__(kind, error, traceback)
        self._recorder.left(self._begin.span, (kind, error, None))

    @property
    def context(self) -> SpanContext:
        self._note("context")
        return self._span.context

    def set(self, attributes: Attributes) -> None:
        self._note("set", _kept(attributes))

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        self._note("event", name, _kept(attributes or {}))

    def fail(self, error_type: str, message: str = "") -> None:
        self._note("fail", error_type, message)

    def keep(self) -> None:
        self._note("keep")

    def link(self, context: SpanContext) -> None:
        self._note("link", context)

    def _note(self, what: What, *arguments: object) -> None:
        self._recorder.note(Call(what, self._begin.span, arguments))


class RecordedSeries:
    """Series of one binding, and each of them once its values are known; records are noted."""

    def __init__(self, recorder: Recorder, binding: int, values: str | tuple[str, ...] = ()) -> None:
        self._recorder = recorder
        self._binding = binding
        self._values = values

    def __getitem__(self, values: str | tuple[str, ...]) -> RecordedSeries:
        return RecordedSeries(self._recorder, self._binding, values)

    def add(self, value: Decimal | float = 1) -> None:
        self._recorder.note(Call("bound add", self._binding, (self._values, value)))

    def record(self, value: Decimal | float) -> None:
        self._recorder.note(Call("bound record", self._binding, (self._values, value)))


class Recorder(OffTelemetry):
    """See the facade; `begin` before each order."""

    def __init__(self, config: TelemetryConfig) -> None:
        super().__init__(config)
        self.presets: list[Preset] = []
        self.bindings: list[Binding] = []
        self._loop_thread = threading.get_ident()
        self._orders: list[_Notes] = []
        self._now = _Notes()
        self._lock = threading.Lock()
        self._spans = -1

    def begin(self, *, discard: bool = False) -> None:
        """What comes from now on belongs to the next order; with `discard` it is forgotten."""
        with self._lock:
            self._now = _Notes()
            if not discard:
                self._orders.append(self._now)

    def orders(self) -> list[Order]:
        return [[call for calls in notes.tasks.values() for call in calls] for notes in self._orders]

    def note(self, call: Call) -> None:
        # Another thread than the event loop's is the journal's, which tells of commits.
        if _of_an_order.get() or threading.get_ident() != self._loop_thread:
            with self._lock:
                self._now.tasks.setdefault(_task(), []).append(call)

    def entered(self, begin: Call, context: SpanContext) -> None:
        with self._lock:
            self._now.numbers[context.span_id] = begin.span
            self._now.open.setdefault(_task(), []).append(begin.span)
        self.note(begin)

    def left(self, number: int, error: tuple[Any, ...]) -> None:
        self._now.open[_task()].remove(number)
        self.note(Call("exit", number, error))

    def request(self, name: str, attributes: Attributes, *, traceparent: str | None, trust: bool) -> Any:
        names = {"traceparent": traceparent, "trust": trust}
        begin = Call("request", self._next_number(), (name, _kept(attributes)), names)
        return RecordedSpan(self, super().request(name, attributes, traceparent=traceparent, trust=trust), begin)

    def span(
        self,
        name: str,
        attributes: Attributes | None = None,
        *,
        parent: SpanContext | None = None,
        links: Sequence[SpanContext] = (),
        client: bool = False,
    ) -> Any:
        above = parent
        if above is None and not self._now.open.get(_task()):
            above = super().current()  # of the task that began this one
        number = -1 if above is None else self._now.numbers.get(above.span_id, -1)
        arguments = (name,) if attributes is None else (name, _kept(attributes))
        begin = Call("span", self._next_number(), arguments, {"links": tuple(links), "client": client}, number)
        return RecordedSpan(self, super().span(name, parent=parent), begin)

    def step(
        self, name: str, began_ns: int, attributes: Attributes | None = None, *, error: BaseException | None = None
    ) -> None:
        self.note(Call("step", -1, (name, began_ns, _kept(attributes or {})), {"error": error}))

    def steps(self, steps: Sequence[Step]) -> None:
        self.note(Call("steps", -1, (tuple(one._replace(attributes=_kept(one.attributes)) for one in steps),)))

    def current(self) -> SpanContext | None:
        self.note(Call("current"))
        return super().current()

    def add(self, instrument: Counter | UpDownCounter, value: Decimal | float = 1, **labels: str) -> None:
        self.note(Call("add", -1, (instrument, value), labels))

    def record(self, instrument: Histogram, value: Decimal | float, **labels: str) -> None:
        self.note(Call("record", -1, (instrument, value), labels))

    def counter(self, instrument: Counter | UpDownCounter, **labels: str) -> RecordedSeries:
        return self._bind(instrument, (), labels)

    def counters(self, instrument: Counter | UpDownCounter, *varying: str, **labels: str) -> RecordedSeries:
        return self._bind(instrument, varying, labels)

    def histogram(self, instrument: Histogram, **labels: str) -> RecordedSeries:
        return self._bind(instrument, (), labels)

    def histograms(self, instrument: Histogram, *varying: str, **labels: str) -> RecordedSeries:
        return self._bind(instrument, varying, labels)

    def _bind(self, instrument: Instrument, varying: tuple[str, ...], labels: Mapping[str, str]) -> RecordedSeries:
        self.bindings.append(Binding(instrument, varying, labels))
        return RecordedSeries(self, len(self.bindings) - 1)

    def set(self, instrument: Gauge, value: Decimal | float, **labels: str) -> None:
        self.note(Call("gauge", -1, (instrument, value), labels))

    def observe(self, instrument: Gauge, read: Callable[[], Iterable[tuple[float, Labels]]]) -> None:
        """Nothing: what is read at a collection belongs to no order."""

    def preset(self, instrument: Counter | UpDownCounter | Gauge, **values: Sequence[str]) -> None:
        self.presets.append((instrument, values))

    def log(self, entry: LogEntry) -> None:
        self.note(Call("log", -1, (entry,)))

    def _next_number(self) -> int:
        with self._lock:
            self._spans += 1
            return self._spans


def _kept(attributes: Attributes) -> Attributes:
    """What stays as it is, whatever the caller does afterwards."""
    return attributes if isinstance(attributes, Repeated) else dict(attributes)


def _task() -> int:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return threading.get_ident() if task is None else id(task)
