"""Orders as the operator interface tells them, and their traces as Jaeger answers them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from scripts.lib.census.judge import INTAKE, ROOT

TRACE_ID = "0" + "a" * 31
ORDER_ID = "order-1"
FILLED = ("RECEIVED", "SUBMITTED", "FILLED")
DENIED = ("RECEIVED", "DENIED")
CANCELED = ("RECEIVED", "SUBMITTED", "ACCEPTED", "PENDING_CANCEL", "CANCELED")


def order(*states: str, attempts: int = 1) -> dict[str, Any]:
    """An order that went through these states."""
    steps = zip((None, *states), states, strict=False)
    return {
        "order_id": ORDER_ID,
        "trace_id": TRACE_ID,
        "status": states[-1],
        "attempts": attempts,
        "transitions": [{"from": before, "to": after} for before, after in steps],
    }


def document(*spans: dict[str, Any]) -> dict[str, Any]:
    """What `/api/traces` answers; Jaeger writes an id without its leading zero."""
    return {"data": [{"traceID": TRACE_ID.lstrip("0"), "spans": list(spans)}]}


def span(name: str, span_id: str, parent_id: str = "root", *, start: int = 1_000, **tags: str) -> dict[str, Any]:
    """One span of a millisecond, below the root."""
    parent = {"refType": "CHILD_OF", "traceID": TRACE_ID.lstrip("0"), "spanID": parent_id}
    return {
        "operationName": name,
        "spanID": span_id,
        "references": [parent] if parent_id else [],
        "startTime": start,
        "duration": 1_000,
        "tags": [{"key": key.replace("__", "."), "value": value} for key, value in tags.items()],
        "logs": [],
    }


def write(before: str, after: str, parent_id: str) -> dict[str, Any]:
    """The `journal.append` of a transition."""
    fields = {"event": "order.transition", "from": before, "to": after}
    written = span("journal.append", f"{before}-{after}", parent_id, order__id=ORDER_ID, order__status=after)
    written["logs"] = [{"fields": [{"key": key, "value": value} for key, value in fields.items()]}]
    return written


def whole(states: Sequence[str]) -> list[dict[str, Any]]:
    """Every span of an order that went through these states; the root first."""
    root = span(ROOT, "root", "", span__kind="server")
    intake = [span(name, name, order__id=ORDER_ID) for name in INTAKE]
    spans = [root, *intake, span("order.execute", "execute", order__id=ORDER_ID, start=5_000)]
    if "SUBMITTED" in states:
        names = ("exchange.limit", "order.size", "exchange.create_order")
        spans += [span(name, name, "execute", order__id=ORDER_ID) for name in names]
    if "PENDING_CANCEL" in states:
        spans.append(span("exchange.cancel_order", "cancel", order__id=ORDER_ID))
    steps = itertools.pairwise(states)
    return [*spans, *(write(before, after, "execute") for before, after in steps)]
