"""The verdict on one order: what its trace lacks of what its transitions demand; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.lib.census.spans import Span, Trace
from telemetry import conventions as c

ROOT = c.server_span_name("")
INTAKE = (
    c.SPAN_WEBHOOK_ADDRESS,
    c.SPAN_WEBHOOK_LIMIT,
    c.SPAN_WEBHOOK_SIZE,
    c.SPAN_WEBHOOK_DECODE,
    c.SPAN_WEBHOOK_AUTHENTICATE,
    c.SPAN_WEBHOOK_IDEMPOTENCY,
    c.SPAN_WEBHOOK_SOURCE_LIMIT,
    c.SPAN_ORDER_VALIDATE,
    c.SPAN_ORDER_NORMALIZE,
    c.SPAN_ORDER_CHECK_RISK,
    c.SPAN_JOURNAL_APPEND,
)
"""Below the root of every journaled alert."""

_TO_SUBMIT = (c.SPAN_ORDER_EXECUTE, c.SPAN_EXCHANGE_LIMIT, c.SPAN_ORDER_SIZE, c.SPAN_EXCHANGE_CREATE_ORDER)
_ON_THE_WAY = {
    "SUBMITTED": _TO_SUBMIT,
    "DENIED": (c.SPAN_ORDER_EXECUTE,),
    "EXPIRED": (c.SPAN_ORDER_EXECUTE,),
    "IN_DOUBT": (c.SPAN_ORDER_RECONCILE,),
    "PENDING_CANCEL": (c.SPAN_EXCHANGE_CANCEL_ORDER,),
}
"""What an order that came into a state has spans of, somewhere in its trace."""

Order = Mapping[str, Any]


def lacks(order: Order, found: Sequence[Trace]) -> Sequence[str]:
    """Nothing where its trace is whole; `order` is what the operator interface tells, `found` what Jaeger has of it."""
    if len(found) != 1:
        return [f"{len(found)} traces; expected 1"]
    trace = found[0]
    if trace.trace_id != order["trace_id"]:
        return [f"it is in trace {trace.trace_id}; the service says {order['trace_id']}"]
    return [*_tree(trace), *_names(order, trace), *_steps(order, trace), *_identity(order, trace)]


def _tree(trace: Trace) -> Iterator[str]:
    """One root, which is the webhook; the parent of everything else is there."""
    ids = Counter(span.span_id for span in trace.spans)
    yield from (f"span {span_id} is there {count} times" for span_id, count in ids.items() if count > 1)
    roots = [span for span in trace.spans if not span.parent_id]
    if [(root.name, root.server) for root in roots] != [(ROOT, True)]:
        yield f"its roots are {', '.join(root.name for root in roots) or 'none'}; expected the SERVER span {ROOT}"
    for span in trace.spans:
        if span.parent_id and span.parent_id not in ids:
            yield f"the parent of {span.name} ({span.span_id})"


def _names(order: Order, trace: Trace) -> Iterator[str]:
    have = Counter(span.name for span in trace.spans)
    root_id = next((span.span_id for span in trace.spans if span.name == ROOT), None)
    below = {span.name for span in trace.spans if span.parent_id == root_id}
    yield from (f"{name} below the root" for name in INTAKE if name not in below)
    states = [step["to"] for step in order["transitions"]]
    demanded = {name for state in states for name in _ON_THE_WAY.get(state, ())}
    yield from (name for name in sorted(demanded) if not have[name])
    if have[c.SPAN_EXCHANGE_CREATE_ORDER] != order["attempts"]:
        yield f"{order['attempts']} {c.SPAN_EXCHANGE_CREATE_ORDER}: there are {have[c.SPAN_EXCHANGE_CREATE_ORDER]}"


def _steps(order: Order, trace: Trace) -> Iterator[str]:
    """Each transition after the first is told once, by the write that made it durable."""
    made = Counter((step["from"], step["to"]) for step in order["transitions"] if step["from"] is not None)
    told = Counter(step for span in trace.spans if span.name == c.SPAN_JOURNAL_APPEND for step in span.steps)
    for before, after in sorted((made - told).elements()):
        yield f"{c.SPAN_JOURNAL_APPEND} of {before} to {after}"
    for before, after in sorted((told - made).elements()):
        yield f"the transition {before} to {after}, which a span tells, in the order's history"


def _identity(order: Order, trace: Trace) -> Iterator[str]:
    ids = {span.attributes[c.ATTR_ORDER_ID] for span in trace.spans if c.ATTR_ORDER_ID in span.attributes}
    yield from (f"it also has spans of order {other}" for other in sorted(ids - {order["order_id"]}))
    if order["status"] not in {status for span in trace.spans if (status := _told_status(span))}:
        yield f"a span with {c.ATTR_ORDER_STATUS} {order['status']}"


def _told_status(span: Span) -> str | None:
    return span.attributes.get(c.ATTR_ORDER_STATUS)
