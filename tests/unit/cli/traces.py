"""Traces as OTLP/JSON, written short."""

from __future__ import annotations

from typing import Any

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
BEGIN_NS = 1_700_000_000_000_000_000


def span(
    name: str,
    span_id: str,
    parent: str = "",
    *,
    at_us: int = 0,
    took_us: int = 0,
    kind: int = 1,
    failed: bool = False,
    **attributes: Any,
) -> dict[str, Any]:
    """One span; times in microseconds from the trace's begin; `order__status="X"` is the attribute `order.status`."""
    start = BEGIN_NS + at_us * 1000
    return {
        "traceId": TRACE_ID,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + took_us * 1000),
        "status": {"code": 2} if failed else {},
        "attributes": [{"key": key.replace("__", "."), "value": _value(value)} for key, value in attributes.items()],
    }


def document(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


FILLED = document(
    span("order.execute", "e", "a", at_us=2_500, took_us=7_500, order__status="FILLED"),
    span("POST /webhook/{source}", "a", kind=2, took_us=2_000, http__response__status_code=202),
    span("exchange.create_order", "x", "e", at_us=4_000, took_us=5_000, exchange__outcome="accepted"),
    span("webhook.decode", "b", "a", at_us=100, took_us=50),
    span("journal.append", "c", "a", at_us=500, took_us=1_000, journal__commit__id=7, journal__batch__size=3),
)
"""A market order that was filled: webhook, journal, execution."""
