"""The verdict on the traces: one trace an order, each restart in it; and how long a restart took to go on.

A killed process takes its last spans with it. So `order.resume` is demanded only of processes whose later spans came
in: exports go out in the order in which spans ended, and resuming ends before the service is ready.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scripts.lib.chaos.evidence import Evidence, Life, Span, Spans

Order = Mapping[str, Any]


class Restart(NamedTuple):
    """One start over orders that were unfinished; `seconds` from its start to the first step of one of them.

    None: it was killed before it came to that. `observed`: its spans up to readiness came in.
    """

    number: int
    unfinished: int
    observed: bool
    resumed: int
    seconds: float | None


class Traces(NamedTuple):
    """`checked`: pairs of an order and a restart that was to continue it, for which `order.resume` was demanded."""

    problems: Sequence[str]
    restarts: Sequence[Restart]
    checked: int


class _Way(NamedTuple):
    """When an order was journaled and when it made its last step, Unix nanoseconds."""

    order: Order
    received_ns: int
    ended_ns: int
    steps_ns: Sequence[int]


def judge_traces(evidence: Evidence) -> Traces:
    """Restarts are all lives but the first."""
    ways = [_way(order) for order in evidence.orders]
    resumed: defaultdict[str, list[int]] = defaultdict(list)
    for span in evidence.spans.orders:
        if span.name == "order.resume":
            resumed[span.order_id].append(span.started_ns)
    problems = [*_strays(evidence.orders, evidence.spans.orders)]
    restarts, checked = [], 0
    for number, life in enumerate(evidence.lives[1:], 2):
        restart, missing = _restart(number, life, ways, resumed, evidence.spans)
        restarts.append(restart)
        problems += missing
        checked += restart.unfinished * restart.observed
    return Traces(problems, [restart for restart in restarts if restart.unfinished], checked)


def _way(order: Order) -> _Way:
    steps = [int(datetime.fromisoformat(step["at"]).timestamp() * 1e6) * 1000 for step in order["transitions"]]
    return _Way(order, steps[0], steps[-1], steps)


def _strays(orders: Sequence[Order], spans: Sequence[Span]) -> Iterator[str]:
    """Spans of an order outside of its trace."""
    trace_ids = {order["order_id"]: order["trace_id"] for order in orders}
    for span in spans:
        expected = trace_ids.get(span.order_id)
        if expected is not None and span.trace_id != expected:
            yield f"{span.name} of order {span.order_id} is in trace {span.trace_id}, not in {expected}"


def _restart(
    number: int, life: Life, ways: Sequence[_Way], resumed: Mapping[str, Sequence[int]], spans: Spans
) -> tuple[Restart, Sequence[str]]:
    unfinished = [way for way in ways if way.received_ns < life.started_ns <= way.ended_ns]
    observed = _is_observed(life, spans)
    counts = {way.order["order_id"]: _within(life, resumed.get(way.order["order_id"], ())) for way in unfinished}
    missing = [
        f"order {order_id} was unfinished at start {number}, its trace has {len(found)} order.resume from it"
        for order_id, found in counts.items()
        if len(found) > 1 or (observed and not found)
    ]
    steps = (moment for way in unfinished for moment in _within(life, way.steps_ns))
    first = min([*steps, *(moment for found in counts.values() for moment in found)], default=None)
    seconds = None if first is None else (first - life.started_ns) / 1e9
    return Restart(number, len(unfinished), observed, sum(map(bool, counts.values())), seconds), missing


def _is_observed(life: Life, spans: Spans) -> bool:
    if life.ready_ns is None:
        return False
    return any(life.ready_ns < newest_ns < life.ended_ns for newest_ns in spans.newest_ns)


def _within(life: Life, moments_ns: Sequence[int]) -> Sequence[int]:
    return [moment for moment in moments_ns if life.started_ns <= moment <= life.ended_ns]
