"""Sends spans, metrics and log records to a collector as any program does: OTLP/HTTP with JSON."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

Attributes = Mapping[str, str]


def new_trace_id() -> str:
    return secrets.token_hex(16)


def span(name: str, trace_id: str, attributes: Attributes, *, event: Attributes | None = None) -> dict[str, Any]:
    """A root span of one millisecond that ends now."""
    now = time.time_ns()
    return {
        "traceId": trace_id,
        "spanId": secrets.token_hex(8),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
        "attributes": _pairs(attributes),
        "events": [{"timeUnixNano": str(now), "name": "event", "attributes": _pairs(event)}] if event else [],
    }


def send_spans(url: str, service: str, spans: Sequence[Mapping[str, Any]]) -> None:
    _post(url, "traces", {"resourceSpans": [_of(service) | {"scopeSpans": [{"spans": list(spans)}]}]})


def send_log(url: str, service: str, body: str, attributes: Attributes) -> None:
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": body}, "attributes": _pairs(attributes)}
    _post(url, "logs", {"resourceLogs": [_of(service) | {"scopeLogs": [{"logRecords": [record]}]}]})


def send_gauge(url: str, service: str, name: str, attributes: Attributes) -> None:
    point = {"timeUnixNano": str(time.time_ns()), "asDouble": 1.0, "attributes": _pairs(attributes)}
    metric = {"name": name, "unit": "{thing}", "gauge": {"dataPoints": [point]}}
    _post(url, "metrics", {"resourceMetrics": [_of(service) | {"scopeMetrics": [{"metrics": [metric]}]}]})


def _post(url: str, signal: str, document: Mapping[str, Any]) -> None:
    response = httpx.post(f"{url}/v1/{signal}", json=document, timeout=30, trust_env=False)
    response.raise_for_status()
    assert not response.json().get("partialSuccess"), response.text


def _of(service: str) -> dict[str, Any]:
    return {"resource": {"attributes": _pairs({"service.name": service, "service.instance.id": service})}}


def _pairs(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
