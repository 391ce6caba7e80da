"""A trace as a tree of steps, from OTLP/JSON; pure.

Shape of the input: `{"resourceSpans": [{"scopeSpans": [{"spans": [...]}]}]}`, ids in hex, times as decimal strings of
Unix nanoseconds (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from telemetry import conventions as c

SERVER = 2
_FAILED = 2


class Step(NamedTuple):
    """One span; times are Unix nanoseconds, attribute values text."""

    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool
    attributes: Mapping[str, str]

    @property
    def duration_ns(self) -> int:
        return max(self.end_ns - self.start_ns, 0)

    @property
    def rebuilt(self) -> bool:
        """Known from the journal only: its length is not known."""
        return self.attributes.get(c.ATTR_FILLPATH_REBUILT) == "true"


class Line(NamedTuple):
    """A step where it stands in the tree: for each level above it and its own, whether it is the last one there."""

    step: Step
    last: tuple[bool, ...]


def steps(document: Mapping[str, Any]) -> list[Step]:
    """All spans of an OTLP/JSON document, by start."""
    spans = (
        span
        for resource in document.get("resourceSpans", ())
        for scope in resource.get("scopeSpans", ())
        for span in scope.get("spans", ())
    )
    return sorted((_step(span) for span in spans), key=lambda step: (step.start_ns, -step.end_ns))


def lines(found: Sequence[Step]) -> list[Line]:
    """Depth first, siblings by start. A step whose parent is not there stands at the top: nothing is left out."""
    parents = {step.span_id: step.parent_id for step in found}
    children: dict[str, list[Step]] = {}
    for step in found:
        below = step.parent_id in parents and not _is_own_ancestor(step.span_id, parents)
        children.setdefault(step.parent_id if below else "", []).append(step)
    return list(_walk(children, "", ()))


def is_complete(found: Sequence[Step], *, final: bool) -> bool:
    """Whether a just answered order's trace has its SERVER span and, once the order is final, its execution."""
    names = {step.name for step in found}
    return any(step.kind == SERVER for step in found) and (not final or c.SPAN_ORDER_EXECUTE in names)


def _is_own_ancestor(span_id: str, parents: Mapping[str, str]) -> bool:
    """Whether the parents lead back to the span: no tracer writes that, but a drawing must not hide it."""
    seen: set[str] = set()
    above = parents[span_id]
    while above in parents and above not in seen:
        seen.add(above)
        above = parents[above]
    return span_id in seen


def _walk(children: Mapping[str, list[Step]], parent: str, above: tuple[bool, ...]) -> Iterator[Line]:
    siblings = children.get(parent, [])
    for position, step in enumerate(siblings, start=1):
        last = (*above, position == len(siblings)) if parent else ()
        yield Line(step, last)
        yield from _walk(children, step.span_id, last)


def _step(span: Mapping[str, Any]) -> Step:
    return Step(
        span_id=span.get("spanId", ""),
        parent_id=span.get("parentSpanId", ""),
        name=span.get("name", ""),
        kind=span.get("kind", 0),
        start_ns=int(span.get("startTimeUnixNano", 0)),
        end_ns=int(span.get("endTimeUnixNano", 0)),
        failed=span.get("status", {}).get("code") == _FAILED,
        attributes={item["key"]: _text(item["value"]) for item in span.get("attributes", ())},
    )


def _text(value: Mapping[str, Any]) -> str:
    plain = next(iter(value.values()), "")
    return str(plain).lower() if isinstance(plain, bool) else str(plain)
