"""What the blocks of one engine share, and what those of one trace do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind

from telemetry.common import SCOPE, SPAN_LIMITS
from telemetry.holding import Held
from telemetry.lean.limits import Limits
from telemetry.lean.own import NOTHING, OwnSpan
from telemetry.lean.span import SAMPLED

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import TraceState

    from telemetry.holding import Holder
    from telemetry.lean.span import LeanSpan
    from telemetry.lean.tracer import LeanTracer
    from telemetry.series import Drops


class Trace:
    """What the spans of one trace have in common; `fate` says whether they are kept."""

    __slots__ = ("fate", "flags", "hex", "number", "state")

    def __init__(self, number: int, flags: int, state: TraceState | None, fate: Held[Any]) -> None:
        self.number = number
        self.hex: str | None = None
        self.flags = flags
        self.state = state
        self.fate = fate


class _Nobody:
    """The owner of spans that go nowhere."""

    limits = Limits(SPAN_LIMITS)
    instrumentation_scope = InstrumentationScope(SCOPE)
    resource = Resource.get_empty()

    def finish(self, span: LeanSpan) -> None:
        """Nothing."""


_nobody = _Nobody()


def lost(trace_id: int, span_id: int) -> OwnSpan:
    """A span that only has ids."""
    span = OwnSpan(_nobody, "", SpanKind.INTERNAL, None, 0, False, trace_id, span_id, SAMPLED, None, 0)  # noqa: FBT003
    span.given = NOTHING
    return span


UNBORN = lost(0, 0)
UNBORN.end(0)
NO_TRACE = Trace(0, SAMPLED, None, Held())
"""Of a block that has not begun."""


class Pipe:
    """What all blocks of an engine share: their tracer, what keeps or drops a trace, and the counts of failures.

    `deliver` takes an ended span of a trace that is known to be kept, `deliver_all` many of them.
    """

    __slots__ = (
        "deliver",
        "deliver_all",
        "drops",
        "event_attributes",
        "events",
        "holder",
        "most",
        "provider",
        "scope",
        "tracer",
    )

    def __init__(
        self,
        tracer: LeanTracer,
        holder: Holder[Any],
        drops: Drops,
        deliver: Callable[[Any], None],
        deliver_all: Callable[[list[Any]], None],
    ) -> None:
        self.tracer = tracer
        self.provider = tracer.provider
        self.scope = tracer.instrumentation_scope
        self.holder = holder
        self.drops = drops
        self.deliver, self.deliver_all = deliver, deliver_all
        limits = tracer.limits
        self.most, self.event_attributes = limits.span.most, limits.event.most
        self.events = limits.events or 0
