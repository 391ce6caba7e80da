"""The OpenTelemetry API on lean spans does what the SDK does, told from the OTLP message that comes out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
)

from telemetry.lean.span import LeanSpan, current_ids
from telemetry.lean.tracer import LeanTracerProvider
from tests.unit.telemetry.lean.span_pair import HUGE, LOCAL, REMOTE, STATE, UNSAMPLED, Pair, first, inside


@pytest.mark.parametrize("kind", SpanKind)
@pytest.mark.parametrize("name", ["", "x", "ä", HUGE])
def test_names_and_kinds(pair: Pair, kind: SpanKind, name: str) -> None:
    def operate(tracer: Any) -> None:
        span = tracer.start_span("first", kind=kind)
        span.update_name(name)
        span.end()

    pair.run(operate)


STATUSES: list[list[tuple[Any, ...]]] = [
    [(StatusCode.OK,)],
    [(StatusCode.OK, "ignored")],
    [(StatusCode.ERROR, "why")],
    [(StatusCode.ERROR, "")],
    [(Status(StatusCode.ERROR, "why"),)],
    [(Status(StatusCode.ERROR, "why"), "ignored")],
    [(StatusCode.ERROR, "why"), (StatusCode.OK,)],
    [(StatusCode.OK,), (StatusCode.ERROR, "too late")],
    [(StatusCode.ERROR, "why"), (StatusCode.UNSET,)],
    [(StatusCode.ERROR, "why"), (Status(),)],
    [(StatusCode.ERROR, "first"), (StatusCode.ERROR, "second")],
    [("nonsense",)],
]


@pytest.mark.parametrize("statuses", STATUSES)
def test_statuses(pair: Pair, statuses: list[tuple[Any, ...]]) -> None:
    def operate(tracer: Any) -> None:
        span = tracer.start_span("x")
        for status in statuses:
            span.set_status(*status)
        span.end()

    pair.run(operate)


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("parent", [None, REMOTE, LOCAL, UNSAMPLED, trace.INVALID_SPAN_CONTEXT])
@pytest.mark.parametrize("is_random", [True, False])
@pytest.mark.parametrize("sampler", [None, DEFAULT_ON, ALWAYS_OFF, ParentBased(ALWAYS_OFF), TraceIdRatioBased(0.5)])
def test_parents_flags_and_samplers(parent: SpanContext | None, is_random: bool, sampler: Sampler | None) -> None:
    pair = Pair(sampler=sampler, is_random=is_random)
    contexts = []

    def operate(tracer: Any) -> None:
        context = otel_context.Context() if parent is None else inside(parent)
        span = tracer.start_span("x", context=context)
        below = tracer.start_span("y", context=trace.set_span_in_context(span, context))
        contexts.append([(s.get_span_context(), s.is_recording()) for s in (span, below)])
        below.end()
        span.end()

    pair.run(operate)
    assert contexts[0] == contexts[1]
    assert [c.trace_state for c, _ in contexts[0]] == [c.trace_state for c, _ in contexts[1]]


class Curious(Sampler):
    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.asked: list[Any] = []

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        self.asked.append((args, kwargs))
        return SamplingResult(self.decision, {"from": "sampler"}, STATE)

    def get_description(self) -> str:
        return "curious"


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("decision", Decision)
def test_a_sampler_is_asked_alike_and_its_answer_is_taken(decision: Decision) -> None:
    sampler = Curious(decision)

    def operate(tracer: Any) -> None:
        links = [Link(LOCAL)]
        span = tracer.start_span("x", inside(REMOTE), SpanKind.CLIENT, {"a": 1}, links)
        span.end()
        tracer.start_span("x").end()

    Pair(sampler=sampler).run(operate)

    (in_sdk, _), (in_lean, _) = sampler.asked[0], sampler.asked[2]
    assert in_lean[1:4] == in_sdk[1:4]
    assert [link.context for link in in_lean[5]] == [link.context for link in in_sdk[5]]
    assert sampler.asked[1] == sampler.asked[3]


LINKS = [
    Link(LOCAL),
    Link(REMOTE, {"a": 1}),
    Link(trace.INVALID_SPAN_CONTEXT),
    Link(trace.INVALID_SPAN_CONTEXT, {"a": 1}),
    Link(SpanContext(0, 0, is_remote=True, trace_state=STATE)),
]


@pytest.mark.parametrize("link", LINKS)
def test_links(pair: Pair, link: Link) -> None:
    def operate(tracer: Any) -> None:
        # The SDK changes the attributes of the link it is given.
        span = tracer.start_span("x", links=[Link(link.context, link.attributes)])
        span.add_link(link.context, dict(link.attributes or {}))
        span.end()

    pair.run(operate)


def test_times_are_taken_as_given(pair: Pair) -> None:
    def operate(tracer: Any) -> None:
        span = tracer.start_span("x", start_time=5)
        span.add_event("e", timestamp=6)
        span.add_event("zero", timestamp=0)
        span.end(7)

    assert first(pair.run(operate)).end_time_unix_nano == 7


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def raising(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize("error", [ValueError("x"), asyncio.CancelledError(), StopIteration("x"), KeyError("ä")])
def test_exceptions_in_blocks(pair: Pair, record: bool, mark: bool, error: BaseException) -> None:
    def operate(tracer: Any) -> None:
        options = {"record_exception": record, "set_status_on_exception": mark}
        fail = raising(error)
        with suppress(BaseException), tracer.start_as_current_span("current", **options):
            fail()
        with suppress(BaseException), tracer.start_span("only ended", **options):
            fail()
        with suppress(BaseException), tracer.start_as_current_span("ended by hand", end_on_exit=False) as span:
            fail()
        span.end()

    pair.run(operate)


def test_a_recorded_exception_keeps_its_trace_and_what_is_added(pair: Pair) -> None:
    with pytest.raises(ValueError, match="inner") as raised:
        raise ValueError("inner") from KeyError("cause")
    caught = raised.value

    def operate(tracer: Any) -> None:
        span = tracer.start_span("x")
        span.record_exception(caught, {"exception.type": "mine", "more": 1}, 8, escaped=True)
        span.end()

    exported = pair.run(operate)
    assert "KeyError" in str(first(exported).events[0])


def test_an_exception_that_cannot_be_written_passes_through(pair: Pair) -> None:
    with pytest.raises(HostileError), pair.lean.get_tracer("x").start_as_current_span("x"):
        raise HostileError

    assert pair.lean_spans[0].status.status_code is StatusCode.ERROR


def test_scopes_stand_apart_and_are_one_tracer_each(pair: Pair) -> None:
    pair.run(lambda tracer: tracer.start_span("a").end(), schema_url="https://example.com/1")
    pair.run(lambda tracer: tracer.start_span("b").end(), attributes={"a": 1, "b": ["x"]})
    exported = pair.run(lambda tracer: tracer.start_span("c").end(), schema_url="https://example.com/1")

    assert len(exported.resource_spans[0].scope_spans) == 2
    assert pair.lean.get_tracer("a", "1") is pair.lean.get_tracer("a", "1")
    pair.run(lambda tracer: tracer.start_span("d").end(), instrumenting_library_version=None)


def test_the_block_is_the_current_span_and_the_context_is_kept_whole(pair: Pair) -> None:
    def operate(tracer: Any) -> None:
        token = otel_context.attach(otel_context.set_value("baggage", "kept"))
        with tracer.start_as_current_span("outer") as outer:
            assert otel_context.get_value("baggage") == "kept"
            assert trace.get_current_span() is outer
            with trace.use_span(tracer.start_span("inner"), end_on_exit=True) as inner:
                assert trace.get_current_span() is inner
                assert current_ids() == (inner.get_span_context().trace_id, inner.get_span_context().span_id)
            assert trace.get_current_span() is outer
        otel_context.detach(token)
        assert trace.get_current_span() is trace.INVALID_SPAN

    pair.run(operate)
    assert current_ids() is None


async def test_a_decorator_covers_functions_and_coroutines(pair: Pair) -> None:
    def functions(tracer: Any) -> tuple[Any, Any]:
        @tracer.start_as_current_span("function")
        def function(n: int) -> int:
            """Its doc."""
            return n + 1

        @tracer.start_as_current_span("coroutine")
        async def coroutine(n: int) -> int:
            await asyncio.sleep(0)
            with tracer.start_as_current_span("below"):
                return n + 2

        return function, coroutine

    for tracer in (pair.sdk.get_tracer("x"), pair.lean.get_tracer("x")):
        function, coroutine = functions(tracer)
        assert (function(1), function(2)) == (2, 3)
        assert await asyncio.gather(coroutine(1)) == [3]
        assert await coroutine(2) == 4
        assert (function.__name__, function.__doc__) == ("function", "Its doc.")

    pair.compare()


def test_spans_of_two_tasks_do_not_mix(pair: Pair) -> None:
    tracer = pair.lean.get_tracer("x")

    async def step(name: str) -> None:
        with tracer.start_as_current_span(name):
            await asyncio.sleep(0)
            with tracer.start_as_current_span(f"{name}.inner"):
                await asyncio.sleep(0)

    async def run() -> None:
        with tracer.start_as_current_span("outer"):
            await asyncio.gather(step("a"), step("b"))

    asyncio.run(run())
    spans = {span.name: span for span in pair.lean_spans}
    assert spans["a.inner"].parent_id == spans["a"].span_id
    assert spans["a"].parent_id == spans["b"].parent_id == spans["outer"].span_id


def test_an_ended_span_stays_as_it_is_and_says_so(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    def operate(tracer: Any) -> None:
        span = tracer.start_span("x")
        span.end(9)
        caplog.clear()
        span.set_attribute("a", 1)
        span.set_attributes({"a": 1})
        span.add_event("e")
        span.add_link(LOCAL)
        span.update_name("y")
        span.set_status(StatusCode.OK)
        span.end()
        with suppress(ValueError), span:
            raising(ValueError())()
        assert not span.is_recording()
        warned.append([(record.levelno, record.getMessage()) for record in caplog.records])

    warned: list[Any] = []
    caplog.set_level(logging.WARNING)
    pair.run(operate)

    assert warned[0] == warned[1]
    assert len(warned[1]) == 8


@pytest.fixture
def tracing() -> Iterator[LeanTracerProvider]:
    ended: list[LeanSpan] = []
    return LeanTracerProvider(ended.append)


def test_ids_are_random_and_marked_so(tracing: LeanTracerProvider) -> None:
    contexts = [tracing.get_tracer("x").start_span("x").get_span_context() for _ in range(100)]

    assert len({context.trace_id for context in contexts}) == 100
    assert all(context.trace_flags == 3 and context.is_valid for context in contexts)
