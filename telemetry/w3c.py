"""W3C Trace Context: ids and the traceparent header (https://www.w3.org/TR/trace-context-2/)."""

from __future__ import annotations

import os
import random
import re

from telemetry.facade import SpanContext

_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?"
)


# The operating system's random bytes cost a system call an id, and hand the interpreter's lock to another thread: up
# to a tenth of a request's time. One seed from there is enough, if a forked child takes another one.
_random = random.Random(os.urandom(32))  # noqa: S311 - ids have to differ, not to be secret
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(32)))


def new_trace_id() -> int:
    """128 random bits; forked processes differ."""
    return _random.getrandbits(128) or new_trace_id()


def new_span_id() -> int:
    """64 random bits; forked processes differ."""
    return _random.getrandbits(64) or new_span_id()


def new_context(trace_id: str | None = None) -> SpanContext:
    return SpanContext(trace_id or f"{new_trace_id():032x}", f"{new_span_id():016x}")


def numbers(context: SpanContext) -> tuple[int, int] | None:
    """Both ids as numbers; None unless they are lowercase hex of the right length and not zero."""
    trace_id, span_id = context
    try:
        trace, span = int(trace_id, 16), int(span_id, 16)
    except ValueError:
        return None
    # Written again, they are the same only where nothing but digits was in them.
    if trace and span and f"{trace:032x}" == trace_id and f"{span:016x}" == span_id:
        return trace, span
    return None


def is_valid(context: SpanContext) -> bool:
    """Lowercase hex of the right length and not zero."""
    return numbers(context) is not None


def parse_traceparent(header: str | None) -> SpanContext | None:
    """The caller's ids; None when there are none that the specification allows. The sampled flag is not read."""
    match = _TRACEPARENT.fullmatch(header.strip()) if header else None
    if match is None or match["version"] == "ff" or (match["version"] == "00" and match["more"]):
        return None
    context = SpanContext(match["trace"], match["span"])
    return context if is_valid(context) else None
