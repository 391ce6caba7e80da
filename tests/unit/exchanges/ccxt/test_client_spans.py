"""The CLIENT spans of an order's HTTP requests, which hold no query and no key."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import ccxt
import pytest

from service.exchanges.ccxt.guard import SecondSend, recording
from service.exchanges.ccxt.session import open_session
from telemetry.sdk import SdkTelemetry
from tests.unit.exchanges.ccxt.wire_lab import API_KEY, CONFIG, DONE, ORDER_ID, exchange, place, reply


class Traced:
    """A guarded session whose spans can be read."""

    def __init__(self) -> None:
        self.telemetry = SdkTelemetry(CONFIG, {})

    async def order(
        self, ccxt_id: str, url: str, *, connect_timeout: float = 5, **attributes: str
    ) -> tuple[str, list[dict[str, Any]]]:
        """One order under a span; all that is known of its trace as text, and its CLIENT spans."""
        async with open_session(self.telemetry, connect_timeout=connect_timeout) as session:
            api = exchange(ccxt_id, session, url)
            with (
                self.telemetry.span("exchange.create_order") as span,
                recording(ORDER_ID, attributes=attributes, placing=True),
                contextlib.suppress(ccxt.BaseError, SecondSend),
            ):
                await place(api)
        return self.telemetry.trace(span.context.trace_id).decode(), self.clients(span.context.trace_id)

    def clients(self, trace_id: str) -> list[dict[str, Any]]:
        spans = json.loads(self.telemetry.trace(trace_id))["resourceSpans"][0]["scopeSpans"][0]["spans"]
        return [span for span in spans if span["kind"] == 3]


@pytest.fixture
def traced():
    traced = Traced()
    yield traced
    traced.telemetry.close(5)


def attributes_of(span: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in span["attributes"]}


async def test_a_request_of_an_order_is_a_client_span_without_its_query(server, traced):
    server.otherwise = reply(200, DONE["deribit"])

    text, (span,) = await traced.order("deribit", server.url, **{"order.id": "42"})

    assert span["name"] == "GET"
    port = server.url.rpartition(":")[2]
    assert attributes_of(span) == {
        "order.id": "42",
        "http.request.method": "GET",
        "url.full": f"{server.url}/api/v2/private/buy",
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": "200",
    }
    assert ORDER_ID not in text, "it stands in the query"


async def test_an_error_status_is_the_spans_error(server, traced):
    server.otherwise = reply(503, "busy")

    _, (span,) = await traced.order("deribit", server.url)

    assert attributes_of(span)["error.type"] == "503"
    assert span["status"]["code"] == 2


async def test_a_failed_request_leaves_its_kind_of_error_and_no_signed_address(server, traced):
    # aiohttp's words for a connection that takes too long hold the whole address.
    text, (span,) = await traced.order("deribit", server.url.replace("http:", "https:"), connect_timeout=0.5)

    assert attributes_of(span)["error.type"] == "ConnectionTimeoutError"
    assert ORDER_ID not in text, "it stands in the query"
    assert API_KEY not in text


async def test_a_poll_makes_no_span(server, traced):
    server.otherwise = reply(200, {"code": "0", "data": []})
    async with open_session(traced.telemetry, connect_timeout=5) as session:
        api = exchange("okx", session, server.url)
        with traced.telemetry.span("follow") as span, recording(None, attributes=None):
            await api.privateGetAccountBalance()
    assert traced.clients(span.context.trace_id) == []


async def test_the_exchange_gets_no_trace_context(server, traced):
    server.otherwise = reply(200, DONE["deribit"])

    await traced.order("deribit", server.url)

    assert "traceparent" not in server.received[0].headers
