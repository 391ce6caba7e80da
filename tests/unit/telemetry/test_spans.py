"""Spans: the tree, the context across tasks, attributes, errors, and the document that shows them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from telemetry import conventions as c
from telemetry.attributes import decimal_text
from telemetry.facade import RebuiltSpan, SpanContext, Step, Telemetry
from telemetry.otlp_json import SpanData
from telemetry.store import SpanStore
from telemetry.w3c import parse_traceparent

Spans = Callable[[str], dict[str, Any]]
SERVER = c.server_span_name("tv")
CALLER = SpanContext("a" * 32, "b" * 16)
TRACEPARENT = f"00-{CALLER.trace_id}-{CALLER.span_id}-00"


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {entry["key"]: next(iter(entry["value"].values())) for entry in span["attributes"]}


async def test_spans_form_a_tree_across_tasks(telemetry: Telemetry, spans: Spans) -> None:
    async def step(name: str) -> None:
        with telemetry.span(name):
            await asyncio.sleep(0)
            with telemetry.span(f"{name}.inner"):
                await asyncio.sleep(0)

    with telemetry.request(SERVER, {}, traceparent=None, trust=False) as request:
        request.keep()
        await asyncio.gather(step("one"), step("two"))

    found = spans(request.context.trace_id)
    assert found["one"]["parentSpanId"] == found["two"]["parentSpanId"] == request.context.span_id
    assert found["one.inner"]["parentSpanId"] == found["one"]["spanId"]
    assert found["two.inner"]["parentSpanId"] == found["two"]["spanId"]
    assert telemetry.current() is None


def test_a_step_is_a_span_below_the_current_one_that_has_ended_already(telemetry: Telemetry, spans: Spans) -> None:
    with telemetry.request(SERVER, {}, traceparent=None, trust=False) as request:
        request.keep()
        began_ns = time.time_ns() - 5_000_000
        telemetry.step("one", began_ns, {"text": "a", "money": Decimal("1.50")})
        assert telemetry.current() == request.context

    span = spans(request.context.trace_id)["one"]
    assert span["parentSpanId"] == request.context.span_id
    assert int(span["startTimeUnixNano"]) == began_ns
    assert 5_000_000 <= int(span["endTimeUnixNano"]) - began_ns < 5_000_000_000
    assert attributes(span) == {"text": "a", "money": "1.50"}
    assert "code" not in span.get("status", {})


def test_steps_told_together_are_spans_below_the_current_one_with_times_of_their_own(
    telemetry: Telemetry, spans: Spans
) -> None:
    many = dict.fromkeys(map(str, range(70)), 1)
    with telemetry.request(SERVER, {}, traceparent=None, trust=False) as request:
        request.keep()
        telemetry.steps([Step("one", 10, 20, {}), Step("two", 20, 35, {"money": Decimal("1.50")})])
        telemetry.steps([Step("three", 35, 36, many)])

    found = spans(request.context.trace_id)
    assert list(found) == ["one", "two", "three", SERVER]
    assert {found[name]["parentSpanId"] for name in ("one", "two", "three")} == {request.context.span_id}
    assert [(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])) for span in found.values()][:3] == [
        (10, 20),
        (20, 35),
        (35, 36),
    ]
    assert attributes(found["two"]) == {"money": "1.50"}
    assert len(attributes(found["three"])) == 64


def test_a_step_that_ended_in_an_error_says_which_and_keeps_its_trace(telemetry: Telemetry, spans: Spans) -> None:
    with telemetry.request(SERVER, {}, traceparent=None, trust=False) as request:
        telemetry.step("one", time.time_ns(), error=ValueError("no"))
        telemetry.step("two", time.time_ns(), error=asyncio.CancelledError())

    found = spans(request.context.trace_id)
    assert found["one"]["status"]["code"] == 2
    assert attributes(found["one"])["error.type"] == "ValueError"
    assert [event["name"] for event in found["one"]["events"]] == [c.EVENT_EXCEPTION]
    assert "code" not in found["two"].get("status", {})
    assert [event["name"] for event in found["two"]["events"]] == [c.EVENT_CANCELLED]


def test_an_order_goes_on_below_the_stored_context(telemetry: Telemetry, spans: Spans) -> None:
    stored = SpanContext("c" * 32, "d" * 16)

    with telemetry.span(c.SPAN_ORDER_EXECUTE, parent=stored, links=[CALLER]):
        assert telemetry.current().trace_id == stored.trace_id

    span = spans(stored.trace_id)[c.SPAN_ORDER_EXECUTE]
    assert span["parentSpanId"] == stored.span_id
    assert span["links"] == [{"traceId": CALLER.trace_id, "spanId": CALLER.span_id}]


def test_a_callers_context_is_a_link_and_its_flag_switches_nothing_off(telemetry: Telemetry, spans: Spans) -> None:
    with telemetry.request(SERVER, {}, traceparent=TRACEPARENT, trust=False) as request:
        request.keep()

    assert request.context.trace_id != CALLER.trace_id
    span = spans(request.context.trace_id)[SERVER]
    assert span["links"][0]["traceId"] == CALLER.trace_id
    assert "parentSpanId" not in span


def test_a_trusted_callers_context_is_the_parent(telemetry: Telemetry, spans: Spans) -> None:
    with telemetry.request(SERVER, {}, traceparent=TRACEPARENT, trust=True) as request:
        request.keep()

    assert spans(CALLER.trace_id)[SERVER]["parentSpanId"] == CALLER.span_id


def test_a_request_is_a_root_even_inside_another_span(telemetry: Telemetry) -> None:
    with telemetry.span("outer") as outer, telemetry.request(SERVER, {}, traceparent=None, trust=False) as request:
        assert request.context.trace_id != outer.context.trace_id


def test_a_replay_links_to_the_first_answer(telemetry: Telemetry, spans: Spans) -> None:
    with telemetry.request(SERVER, {}, traceparent=None, trust=False) as request:
        request.link(CALLER)
        request.link(SpanContext("no", "id"))
        request.keep()

    assert [link["spanId"] for link in spans(request.context.trace_id)[SERVER]["links"]] == [CALLER.span_id]


@pytest.mark.parametrize(
    "header",
    [None, "", "x", TRACEPARENT.upper(), f"ff{TRACEPARENT[2:]}", f"{TRACEPARENT}-x", f"00-{'0' * 32}-{'b' * 16}-01"],
)
def test_what_is_no_traceparent_is_none(header: str | None) -> None:
    assert parse_traceparent(header) is None


def test_money_stands_as_decimal_strings_and_secrets_do_not_stand(telemetry: Telemetry, spans: Spans) -> None:
    with telemetry.span("x", {"price": Decimal("1E-7"), "n": 3, "ok": True, "api_key": "hunter2"}) as span:
        span.set({"huge": Decimal("1e999999999"), "what": object()})  # type: ignore[dict-item]

    found = attributes(spans(span.context.trace_id)["x"])
    assert found["price"] == "0.0000001"
    assert (found["n"], found["ok"], found["what"]) == ("3", True, "<object>")
    assert len(found["huge"]) < 100
    assert "hunter2" not in json.dumps(found)


def test_text_that_is_no_utf8_costs_neither_the_span_nor_the_metrics(telemetry: Telemetry, spans: Spans) -> None:
    with suppress(RuntimeError), telemetry.span("x", {"tag": "a\ud800b"}) as span:
        telemetry.add(c.WEBHOOK_STALE_REJECTED, source="tv", symbol="\ud800")
        raise RuntimeError("\ud800")

    assert attributes(spans(span.context.trace_id)["x"])["tag"] == "a?b"
    assert b'symbol="?"' in telemetry.metrics("")[0]


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("hunter2")


def test_an_exception_that_cannot_be_written_leaves_the_context_as_it_was(telemetry: Telemetry) -> None:
    with suppress(HostileError), telemetry.span("x"):
        raise HostileError

    assert telemetry.current() is None


@given(st.decimals())
def test_decimals_are_written_short(number: Decimal) -> None:
    assert len(decimal_text(number)) <= 128


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=18))
def test_decimals_keep_their_value(number: Decimal) -> None:
    assert Decimal(decimal_text(number)) == number


def test_an_exception_passes_through_unchanged_and_marks_the_span(telemetry: Telemetry, spans: Spans) -> None:
    error = RuntimeError("token=hunter2 " + "x" * 1000)

    with pytest.raises(RuntimeError) as raised, telemetry.span("x") as span:
        raise error

    assert raised.value is error
    found = spans(span.context.trace_id)["x"]
    assert found["status"]["code"] == 2
    assert attributes(found)[c.ATTR_ERROR_TYPE] == "RuntimeError"
    event = attributes(found["events"][0])
    assert len(event[c.ATTR_EXCEPTION_MESSAGE]) <= 256
    assert "hunter2" not in json.dumps(found)


def test_cancellation_is_no_error(telemetry: Telemetry, spans: Spans) -> None:
    with pytest.raises(asyncio.CancelledError), telemetry.span("x") as span:
        raise asyncio.CancelledError

    found = spans(span.context.trace_id)["x"]
    assert "status" not in found
    assert found["events"][0]["name"] == c.EVENT_CANCELLED


def test_the_first_failure_is_the_cause(telemetry: Telemetry, spans: Spans) -> None:
    with suppress(ValueError), telemetry.span("x") as span:
        span.fail("timeout", "the exchange did not answer")
        raise ValueError("later")

    assert attributes(spans(span.context.trace_id)["x"])[c.ATTR_ERROR_TYPE] == "timeout"


def test_a_failed_request_is_kept(telemetry: Telemetry, clock: Any, spans: Spans) -> None:
    for _ in range(20):
        with telemetry.request(SERVER, {}, traceparent=None, trust=False):
            pass
    with telemetry.request(SERVER, {}, traceparent=None, trust=False) as request:
        request.fail("journal_unavailable")

    assert SERVER in spans(request.context.trace_id)


def test_unkept_requests_are_dropped_beyond_ten_a_second(
    telemetry: Telemetry, spans: Spans, value: Callable[..., float | None]
) -> None:
    seen = []
    for _ in range(15):
        with telemetry.request(SERVER, {}, traceparent=None, trust=False) as request, telemetry.span("child"):
            seen.append(request.context.trace_id)

    assert [len(spans(trace_id)) for trace_id in seen] == [2] * 10 + [0] * 5
    assert value("execution_telemetry_dropped_total", signal="traces", reason="sampling") == 10


def as_protobuf(document: bytes) -> TracesData:
    """OTLP/JSON writes ids in hex where protobuf's JSON expects base64."""

    def convert(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: base64.b64encode(bytes.fromhex(item)).decode()
                if key in {"traceId", "spanId", "parentSpanId"}
                else convert(item)
                for key, item in node.items()
            }
        return [convert(item) for item in node] if isinstance(node, list) else node

    return json_format.ParseDict(convert(json.loads(document)), TracesData())


def test_a_trace_decodes_as_otlp(telemetry: Telemetry) -> None:
    with telemetry.span("x", {"f": 1.5, "i": 2**40, "b": False, "inf": float("inf")}, links=[CALLER]) as span:
        span.event(c.EVENT_ORDER_TRANSITION, {c.ATTR_TRANSITION_FROM: "RECEIVED", c.ATTR_TRANSITION_TO: "SUBMITTED"})
        span.fail("timeout")

    data = as_protobuf(telemetry.trace(span.context.trace_id))

    decoded = data.resource_spans[0].scope_spans[0].spans[0]
    assert decoded.trace_id.hex() == span.context.trace_id
    assert {a.key: a.value.WhichOneof("value") for a in decoded.attributes} == {
        "f": "double_value",
        "i": "int_value",
        "b": "bool_value",
        "inf": "double_value",
        "error.type": "string_value",
    }
    assert decoded.events[0].name == c.EVENT_ORDER_TRANSITION
    assert decoded.end_time_unix_nano >= decoded.start_time_unix_nano > 0


def test_rebuilt_spans_stand_only_where_the_store_knows_nothing(telemetry: Telemetry, spans: Spans) -> None:
    with telemetry.span("known") as span:
        pass
    trace_id = span.context.trace_id
    rebuilt = [
        RebuiltSpan("earlier", SpanContext(trace_id, "e" * 16), None, 1, 2, {"price": Decimal("1.5")}),
        RebuiltSpan("known from the journal", span.context, None, 1, 2, {}),
    ]

    document = json.loads(telemetry.trace(trace_id, rebuilt))

    found = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert [one["name"] for one in found] == ["earlier", "known"]
    assert attributes(found[0]) == {"price": "1.5", c.ATTR_FILLPATH_REBUILT: True}


Stored = tuple[int, SpanData]


def stored(trace: int, span: int) -> Stored:
    context = SpanContext(f"{trace:032x}", f"{span:016x}")
    return trace, SpanData(
        context=context, parent_span_id=None, name="x", kind=1, start_ns=1, end_ns=2, attributes={"text": "y" * 100}
    )


def store(**bounds: int) -> SpanStore[Stored]:
    return SpanStore(lambda stored: stored[1], lambda spans: 700 * len(spans), **bounds)


def test_the_store_is_bounded_in_bytes_and_forgets_what_ended_first() -> None:
    bounded = store(max_bytes=5_000, together=2)

    for trace in range(1, 100):
        bounded.put(stored(trace, 1))

    assert 0 < bounded.size <= 5_000
    assert bounded.spans(f"{1:032x}") == []
    assert len(bounded.spans(f"{98:032x}")) == len(bounded.spans(f"{99:032x}")) == 1


def test_the_store_tells_a_bounded_number_of_spans_of_a_trace_wherever_they_are() -> None:
    bounded = store(max_spans=4, together=3)

    for span in range(1, 10):
        bounded.put_all([stored(1, span), stored(2, span)])

    found = [json.loads(span)["spanId"] for span in bounded.spans(f"{1:032x}")]
    assert found == [f"{span:016x}" for span in range(1, 5)]
