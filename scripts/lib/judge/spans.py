"""Programs of OpenTelemetry's tracing API, and both engines' providers that play them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from scripts.lib.judge import canonical
from scripts.lib.judge.together import WAYS, Way, all_of, run
from scripts.lib.judge.values import attributes, names, values
from telemetry.lean.encoding import Envelope, encode_span
from telemetry.lean.span import LeanSpan
from telemetry.lean.tracer import LeanTracerProvider

_STATE = TraceState([("vendor", "a"), ("other", "b")])
_REMOTE = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1), trace_state=_STATE)
_LOCAL = SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(3))
_UNSAMPLED = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(0))
_PLACES = [_LOCAL, _REMOTE, _UNSAMPLED, trace.INVALID_SPAN_CONTEXT]
_MOMENTS = st.integers(0, 10**17)


class ByName(Sampler):
    """Decides by the name, adds an attribute and a trace state: the same for the same operations."""

    def should_sample(
        self,
        parent_context: otel_context.Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        del parent_context, trace_id, kind, links, trace_state
        decision = (Decision.DROP, Decision.RECORD_ONLY, Decision.RECORD_AND_SAMPLE)[len(name) % 3]
        return SamplingResult(decision, {**(attributes or {}), "sampled.by": "name"}, _STATE)

    def get_description(self) -> str:
        return "by name"


SAMPLERS: dict[str, Sampler | None] = {
    "none": None,
    "on": ALWAYS_ON,
    "off": ALWAYS_OFF,
    "parent": ParentBased(ALWAYS_ON),
    "parent off": ParentBased(ALWAYS_OFF),
    "name": ByName(),
}
SCOPES: tuple[dict[str, Any], ...] = (
    {"instrumenting_module_name": "one", "instrumenting_library_version": "1"},
    {"instrumenting_module_name": "größe", "instrumenting_library_version": None},
    {"instrumenting_module_name": "one", "instrumenting_library_version": "1", "schema_url": "https://example.com/1"},
    {"instrumenting_module_name": "", "attributes": {"a": [1, 2], "b": "x"}},
)


class Node(NamedTuple):
    """One span: `how` it is made, `steps` on it, and spans below it, `together` if they run side by side."""

    name: str
    scope: int
    how: str
    kind: SpanKind
    above: int | None
    given: dict[str, Any]
    links: list[tuple[int, dict[str, Any]]]
    start: int | None
    steps: list[tuple[Any, ...]]
    below: list[Any]
    together: bool
    error: str
    record: bool
    mark: bool


class SpanProgram(NamedTuple):
    resource: dict[str, Any]
    sampler: str
    limit: int | None
    length: int | None
    way: Way
    nodes: list[Node]


_steps = st.one_of(
    st.tuples(st.just("set_attribute"), st.text(max_size=6), values),
    st.tuples(st.just("set_attributes"), attributes),
    st.tuples(st.just("add_event"), names, attributes),
    st.tuples(st.just("add_event"), names, attributes, _MOMENTS),
    st.tuples(st.just("add_link"), st.integers(0, len(_PLACES) - 1), attributes),
    st.tuples(st.just("update_name"), names),
    st.tuples(st.just("set_status"), st.sampled_from(StatusCode), st.one_of(st.none(), names)),
    st.tuples(st.just("record_exception"), names, attributes),
    st.tuples(st.just("end"), _MOMENTS),
)


def _nodes(below: st.SearchStrategy[list[Node]]) -> st.SearchStrategy[list[Node]]:
    node = st.builds(
        Node,
        name=names,
        scope=st.integers(0, len(SCOPES) - 1),
        how=st.sampled_from(["block", "block", "decorator", "span", "used"]),
        kind=st.sampled_from(SpanKind),
        above=st.one_of(st.none(), st.none(), st.integers(0, len(_PLACES) - 1)),
        given=attributes,
        links=st.lists(st.tuples(st.integers(0, len(_PLACES) - 1), attributes), max_size=2),
        start=st.one_of(st.none(), st.none(), _MOMENTS),
        steps=st.lists(_steps, max_size=5),
        below=below,
        together=st.booleans(),
        error=st.sampled_from(["", "", "ValueError", "KeyError", "CancelledError", "ZeroDivisionError"]),
        record=st.booleans(),
        mark=st.booleans(),
    )
    return st.lists(node, max_size=2)


programs = st.builds(
    SpanProgram,
    resource=st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.one_of(st.text(max_size=5), st.integers(-5, 5), st.floats(), st.booleans(), st.lists(st.text(max_size=3))),
        max_size=3,
    ),
    sampler=st.sampled_from([*SAMPLERS, "none", "none"]),
    limit=st.sampled_from([None, None, 0, 1, 2, 5]),
    length=st.sampled_from([None, None, 0, 3, 100]),
    way=st.sampled_from(WAYS),
    nodes=_nodes(_nodes(_nodes(st.just([])))),
)
"""Up to three levels of spans, of several tracers."""


class _Collecting(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled:
            self.spans.append(span)


class Providers:
    """One provider of each engine for a program, and what they have ended."""

    def __init__(self, program: SpanProgram) -> None:
        self.program = program
        self.resource = Resource(program.resource, "https://example.com/resource")
        sampler = SAMPLERS[program.sampler]
        limits = _limits(program)
        self._sdk_spans = _Collecting()
        self.sdk = TracerProvider(
            sampler=sampler or ALWAYS_ON, resource=self.resource, shutdown_on_exit=False, span_limits=limits
        )
        self.sdk.add_span_processor(self._sdk_spans)
        self.lean_spans: list[LeanSpan] = []
        self.lean = LeanTracerProvider(
            self.lean_spans.append, resource=self.resource, sampler=sampler, span_limits=limits
        )

    def judge(self) -> int:
        """Play the program to both; the number of spans compared. Raises AssertionError where they differ."""
        in_sdk, in_lean = Play(self.sdk, self.program), Play(self.lean, self.program)
        in_sdk.all()
        in_lean.all()
        options = {"ordered": self.program.way == "in turn", "cut": self.program.length is not None}
        expected = canonical.traces([encode_spans(self._sdk_spans.spans).SerializeToString()], in_sdk.seen, **options)
        items = [(span.instrumentation_scope, encode_span(span)) for span in self.lean_spans]
        bodies = [Envelope(self.resource).request(items)] if items else []
        canonical.equal(expected, canonical.traces(bodies, in_lean.seen, **options), "spans")
        # And read as the SDK's own spans are, by processors and exporters of others.
        readable = encode_spans([span.as_readable() for span in self.lean_spans]).SerializeToString()
        canonical.equal(expected, canonical.traces([readable], in_lean.seen, **options), "readable spans")
        assert in_sdk.told == in_lean.told, f"spans say different things of themselves: {in_sdk.told} {in_lean.told}"
        return len(items)


def _limits(program: SpanProgram) -> SpanLimits:
    count = SpanLimits.UNSET if program.limit is None else program.limit
    length = SpanLimits.UNSET if program.length is None else program.length
    return SpanLimits(
        max_attributes=count,
        max_events=count,
        max_links=count,
        max_span_attributes=count,
        max_event_attributes=count,
        max_link_attributes=count,
        max_attribute_length=length,
        max_span_attribute_length=length,
    )


class Play:
    """One engine's run of a program; `seen` are its ids, `told` what spans said of themselves, both by place."""

    def __init__(self, provider: trace.TracerProvider, program: SpanProgram) -> None:
        self._tracers = [provider.get_tracer(**scope) for scope in SCOPES]
        self._way = program.way
        self._nodes = program.nodes
        self.seen: dict[bytes, bytes] = {}
        self.told: dict[str, tuple[Any, ...]] = {}

    def all(self) -> None:
        run(self._way, lambda: self._several(self._nodes, "", together=True))

    async def _several(self, nodes: list[Node], path: str, *, together: bool) -> None:
        parts = [self._part(node, f"{path}/{number}") for number, node in enumerate(nodes)]
        await all_of(self._way if together else "in turn", parts)

    def _part(self, node: Node, path: str) -> Callable[[], Any]:
        async def part() -> None:
            try:
                await self._one(node, path)
            except BaseException as error:
                if not isinstance(error, _ERRORS):
                    raise

        return part

    async def _one(self, node: Node, path: str) -> None:
        tracer = self._tracers[node.scope]
        context = None if node.above is None else _inside(_PLACES[node.above])
        options: dict[str, Any] = {
            "context": context,
            "kind": node.kind,
            "attributes": dict(node.given),
            # The SDK changes the attributes of the links it is given.
            "links": [Link(_PLACES[place], dict(its)) for place, its in node.links],
            "start_time": node.start,
            "record_exception": node.record,
            "set_status_on_exception": node.mark,
        }
        if node.how == "decorator":

            @tracer.start_as_current_span(node.name, **options)
            async def function() -> None:
                await self._inside(trace.get_current_span(), node, path)

            await function()
            return
        with self._made(tracer, node, options) as span:
            await self._inside(span, node, path)

    @contextmanager
    def _made(self, tracer: trace.Tracer, node: Node, options: dict[str, Any]) -> Iterator[trace.Span]:
        if node.how == "block":
            with tracer.start_as_current_span(node.name, **options) as span:
                yield span
        elif node.how == "used":
            span = tracer.start_span(node.name, **options)
            with trace.use_span(
                span, end_on_exit=True, record_exception=node.record, set_status_on_exception=node.mark
            ):
                yield span
        else:
            with tracer.start_span(node.name, **options) as span:
                yield span

    async def _inside(self, span: trace.Span, node: Node, path: str) -> None:
        context = span.get_span_context()
        root = context.trace_id.to_bytes(16, "big")
        if context.trace_id != _LOCAL.trace_id:
            self.seen.setdefault(root, canonical.stand_in(path, 16))
        self.seen[context.span_id.to_bytes(8, "big")] = canonical.stand_in(path, 8)
        self.told[path] = (span.is_recording(), int(context.trace_flags), context.is_remote, dict(context.trace_state))
        for number, (name, *arguments) in enumerate(node.steps):
            if number == len(node.steps) // 2:
                await self._several(node.below, path, together=node.together)
            _step(span, name, arguments)
            await asyncio.sleep(0)
        if not node.steps:
            await self._several(node.below, path, together=node.together)
        if node.error:
            raise _RAISED[node.error]("ä broken thing")


_RAISED: dict[str, type[BaseException]] = {
    "ValueError": ValueError,
    "KeyError": KeyError,
    "CancelledError": asyncio.CancelledError,
    "ZeroDivisionError": ZeroDivisionError,
}
_ERRORS = tuple(_RAISED.values())


def _step(span: trace.Span, name: str, arguments: list[Any]) -> None:
    if name == "add_link":
        span.add_link(_PLACES[arguments[0]], dict(arguments[1]))
    elif name == "record_exception":
        span.record_exception(ValueError(arguments[0]), arguments[1])
    else:
        getattr(span, name)(*arguments)


def _inside(context: SpanContext) -> otel_context.Context:
    return trace.set_span_in_context(NonRecordingSpan(context), otel_context.Context())
