"""Steps of earlier process lives, rebuilt from the journal so that a trace is whole after a restart."""

from __future__ import annotations

from collections.abc import Sequence

from service.core.orders import Order, Transition
from service.execution import attributes
from telemetry import conventions as c
from telemetry.facade import AttributeValue, RebuiltSpan, SpanContext


def rebuilt_spans(order: Order, transitions: Sequence[Transition]) -> list[RebuiltSpan]:
    """The SERVER span and each journaled step under the ids they had; lengths are not known, so steps have none."""
    if not transitions:
        return []
    identity = attributes.identity(order)
    root = RebuiltSpan(
        name=c.server_span_name(order.source),
        context=attributes.trace_of(order),
        parent_span_id=None,
        start_ns=order.received_ns,
        end_ns=max(order.received_ns, transitions[0].ts_ns),
        attributes={**identity, c.ATTR_WEBHOOK_SOURCE: order.source},
    )
    return [root, *(_step(order, step, identity) for step in transitions if step.span_id)]


def _step(order: Order, step: Transition, identity: dict[str, AttributeValue]) -> RebuiltSpan:
    found = {**identity, c.ATTR_ORDER_STATUS: step.to_status.value}
    if step.reason:
        found[c.ATTR_DENIAL_REASON] = step.reason
    assert step.span_id is not None, "filtered by the caller"
    return RebuiltSpan(
        name=c.SPAN_JOURNAL_APPEND,
        context=SpanContext(order.trace.trace_id, step.span_id),
        parent_span_id=order.trace.span_id,
        start_ns=step.ts_ns,
        end_ns=step.ts_ns,
        attributes=found,
    )
