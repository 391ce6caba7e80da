"""Which span an exemplar names: the current one, where it is sampled, as the SDK's trace-based filter rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import trace

from telemetry.lean.block import Block
from telemetry.lean.current import SPAN_KEY
from telemetry.lean.span import SAMPLED, LeanSpan

if TYPE_CHECKING:
    from opentelemetry.context import Context

Ids = tuple[int, int]
"""Trace id and span id; both 0 where there is no span."""

NO_SPAN: Ids = (0, 0)


def sampled_ids(around: Context) -> Ids:
    """The ids of the span that is current in a context; none of a span not sampled.

    Source: https://opentelemetry.io/docs/specs/otel/metrics/sdk/#exemplarfilter
    """
    if type(around) is Block:
        return around.trace.number, around.span_id
    span = around.get(SPAN_KEY)
    if span is None:
        return NO_SPAN
    # Asked in this order, because `isinstance` of an abstract class costs as much as all the rest.
    if type(span) is LeanSpan:
        return (span.trace_id, span.span_id) if span.flags & SAMPLED else NO_SPAN
    if not isinstance(span, trace.Span):
        return NO_SPAN
    its = span.get_span_context()
    return (its.trace_id, its.span_id) if its.is_valid and its.trace_flags & SAMPLED else NO_SPAN
