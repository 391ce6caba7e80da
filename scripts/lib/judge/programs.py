"""Programs of the facade, drawn at random: spans in spans, metrics, log lines, exemplars, what a forked child does."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from scripts.lib.judge.together import WAYS, Way
from scripts.lib.judge.values import (
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
    attributes,
    edges,
    labels,
    names,
    numbers,
    own_attributes,
)
from telemetry.facade import LogEntry, Repeated, SpanContext

_CALLER = SpanContext("a" * 32, "b" * 16)
CONTEXTS = [_CALLER, SpanContext("c" * 32, "d" * 16), SpanContext("no", "id"), SpanContext("0" * 32, "0" * 16)]
_TRACEPARENTS = [
    None,
    f"00-{_CALLER.trace_id}-{_CALLER.span_id}-01",
    f"00-{_CALLER.trace_id}-{_CALLER.span_id}-00",
    "nonsense",
]


class Block(NamedTuple):
    """One span of the facade; `steps` on it, and blocks below it, side by side where `together` is set."""

    what: str
    name: str
    given: dict[str, Any]
    traceparent: str | None
    trust: bool
    parent: SpanContext | None
    links: list[SpanContext]
    steps: list[tuple[Any, ...]]
    below: list[Any]
    together: bool
    error: str


class Program(NamedTuple):
    """`steps` come before and after the blocks; `forked` is what a forked child does after all.

    Metrics are exported only where `metrics` is set: collecting all instruments takes the SDK longer than all the rest.
    """

    preference: str
    resource: dict[str, str]
    way: Way
    blocks: list[Block]
    steps: list[list[tuple[Any, ...]]]
    forked: list[Block]
    metrics: bool


@st.composite
def _metric_step(draw: st.DrawFn) -> tuple[Any, ...]:
    kind = draw(st.sampled_from(["add", "record", "record", "gauge"]))
    if kind == "add":
        counter = draw(st.sampled_from(COUNTERS))
        return kind, counter, draw(numbers), draw(labels(counter))
    if kind == "gauge":
        gauge = draw(st.sampled_from(GAUGES))
        return kind, gauge, draw(numbers), draw(labels(gauge))
    histogram = draw(st.sampled_from(HISTOGRAMS))
    return kind, histogram, draw(st.one_of(numbers, edges(histogram))), draw(labels(histogram))


@st.composite
def _bound_step(draw: st.DrawFn) -> tuple[Any, ...]:
    """As `add` and `record`, with some of the labels bound before and the values of the others given in their order."""
    kind, instrument, value, its = draw(_metric_step().filter(lambda step: step[0] != "gauge"))
    names = [name for name in its if isinstance(its[name], str)]
    varying = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    bound = {name: value for name, value in its.items() if name not in varying}
    given = tuple(its[name] for name in varying)
    if draw(st.integers(0, 19)) == 0:
        given = (*given, "one too many")
    return f"bound {kind}", instrument, value, varying, bound, given


@st.composite
def _preset(draw: st.DrawFn) -> tuple[Any, ...]:
    counter = draw(st.sampled_from(COUNTERS))
    return "preset", counter, {name: [value] for name, value in draw(labels(counter)).items() if isinstance(value, str)}


_entries = st.builds(
    LogEntry,
    time_ns=st.integers(0, 2**63),
    severity=st.integers(0, 60),
    severity_text=st.sampled_from(["", "INFO", "WARNING", "ä"]),
    message=names,
    attributes=attributes,
)
_given = st.one_of(own_attributes, st.shared(st.builds(Repeated, own_attributes), key="repeated"))
"""Also one and the same for many spans of a program, as those of one order carry."""

_steps = st.one_of(
    st.tuples(
        st.just("step"),
        names,
        st.one_of(st.none(), st.integers(0, 10**17)),
        _given,
        st.sampled_from(["", "", "ValueError", "CancelledError"]),
    ),
    st.tuples(st.just("steps"), st.lists(st.tuples(names, st.integers(0, 10**17), _given), max_size=3)),
    st.tuples(st.just("set"), _given),
    st.tuples(st.just("event"), names, _given),
    st.tuples(st.just("fail"), st.text(max_size=6), names),
    st.tuples(st.just("link"), st.sampled_from(CONTEXTS)),
    st.tuples(st.just("keep")),
    st.tuples(st.just("log"), _entries),
    _metric_step(),
    _bound_step(),
)


def _blocks(below: st.SearchStrategy[list[Block]]) -> st.SearchStrategy[list[Block]]:
    block = st.builds(
        Block,
        what=st.sampled_from(["request", "span", "span", "client"]),
        name=names,
        given=_given,
        traceparent=st.sampled_from(_TRACEPARENTS),
        trust=st.booleans(),
        parent=st.sampled_from([None, None, None, *CONTEXTS]),
        links=st.lists(st.sampled_from(CONTEXTS), max_size=2),
        steps=st.lists(_steps, max_size=5),
        below=below,
        together=st.booleans(),
        error=st.sampled_from(["", "", "ValueError", "KeyError", "CancelledError", "KeyboardInterrupt"]),
    )
    return st.lists(block, max_size=2)


programs = st.builds(
    Program,
    preference=st.sampled_from(["cumulative", "delta", "lowmemory", "nonsense"]),
    resource=st.dictionaries(st.sampled_from(["team", "größe", "service.name", "n"]), st.text(max_size=6), max_size=2),
    way=st.sampled_from(WAYS),
    blocks=_blocks(_blocks(_blocks(st.just([])))),
    steps=st.lists(
        st.lists(
            st.one_of(
                _metric_step(), _bound_step(), _preset(), st.just(("collect",)), st.tuples(st.just("log"), _entries)
            ),
            max_size=4,
        ),
        max_size=4,
    ),
    forked=st.one_of(st.just([]), st.just([]), st.just([]), _blocks(st.just([]))),
    metrics=st.sampled_from([True, False, False]),
)
