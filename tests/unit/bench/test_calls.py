from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from scripts.lib.bench.calls import Call, Recorded, bind, replay
from scripts.lib.bench.recorder import Recorder
from telemetry import conventions as c
from telemetry.config import TelemetryConfig
from telemetry.facade import LogEntry, Repeated
from telemetry.sdk import SdkTelemetry

CONFIG = TelemetryConfig(service_version="1", instance_id="bench", sources=("bench",), exchanges=("paper",))


def entry(order_id):
    return LogEntry(1_700_000_000_000_000_000, 20, "INFO", "order FILLED", {"order_id": order_id})


async def one_order(telemetry, order_id):
    """Two tasks: a webhook that begins an execution, as the service does."""
    durations = telemetry.histograms(c.ORDER_DURATION, "order_type", exchange="paper")

    async def execute(parent):
        with telemetry.span("order.execute", {"order.id": order_id}, parent=parent) as span:
            await asyncio.sleep(0)
            durations["market"].record(0.25)
            span.event("order.transition", {"from": "RECEIVED", "to": "FILLED"})
            with telemetry.span("journal.append"):
                telemetry.log(entry(order_id))

    with telemetry.request("POST /webhook/{source}", {}, traceparent=None, trust=False) as request:
        request.keep()
        telemetry.add(c.ORDERS, 1, exchange="paper", symbol="X/Y", side="buy", order_type="market", status="FILLED")
        task = asyncio.create_task(execute(request.context))
        await asyncio.sleep(0)
        request.set({"order.id": order_id, "order.filled_quantity": Decimal("1.5")})
    await task


async def recorded(*ids):
    recorder = Recorder(CONFIG)

    async def housekeeping():
        while True:
            recorder.set(c.BUILD_INFO, 1, version="1")
            await asyncio.sleep(0)

    beside = asyncio.create_task(housekeeping())
    for order_id in ids:
        recorder.begin()
        await asyncio.create_task(one_order(recorder, order_id))
    beside.cancel()
    return recorder


async def test_what_is_called_for_an_order_is_recorded_and_the_services_housekeeping_is_not():
    (order,) = (await recorded("order-number-1")).orders()

    kinds = sorted(call.what for call in order)
    assert kinds == sorted(
        [
            "request",
            "keep",
            "add",
            "context",
            "set",
            "exit",
            "span",
            "bound record",
            "event",
            "span",
            "log",
            "exit",
            "exit",
        ]
    )


async def test_attributes_that_repeat_are_recorded_as_such_wherever_they_are_given():
    """An engine encodes them once: a copy of them would cost what the service does not pay."""
    once = Repeated({"a": "b"})
    recorder = Recorder(CONFIG)
    recorder.begin()

    async def order():
        with recorder.request("POST /webhook/{source}", once, traceparent=None, trust=False) as request:
            request.set(once)
            request.event("order.transition", once)
            recorder.step("exchange.limit", 1, once)
            with recorder.span("order.execute", once):
                pass

    await asyncio.create_task(order())
    ((*calls,),) = recorder.orders()

    given = [call for call in calls if call.what in {"request", "set", "event", "step", "span"}]
    assert len(given) == 5
    assert all(any(one is once for one in call.arguments) for call in given)


async def test_a_replay_makes_the_same_trace_although_its_tasks_run_one_after_another():
    recorder = await recorded("order-number-1")
    (order,) = recorder.orders()
    telemetry = SdkTelemetry(CONFIG, {})
    try:
        replay(telemetry, order, bind(telemetry, recorder.bindings))
        assert telemetry.current() is None
        (trace_id,) = {f"{trace:032x}" for trace, _ in telemetry._store._fresh}
        document = json.loads(telemetry.trace(trace_id))
        exposition = telemetry.metrics("")[0].decode()
    finally:
        telemetry.close(5)

    spans = {span["name"]: span for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]}
    assert spans.keys() == {"POST /webhook/{source}", "order.execute", "journal.append"}
    assert spans["order.execute"]["parentSpanId"] == spans["POST /webhook/{source}"]["spanId"]
    assert spans["journal.append"]["parentSpanId"] == spans["order.execute"]["spanId"]
    assert [event["name"] for event in spans["order.execute"]["events"]] == ["order.transition"]
    assert 'execution_order_duration_seconds_count{exchange="paper",order_type="market"} 1' in exposition


async def test_fresh_orders_share_no_id_with_each_other_and_keep_what_all_orders_have():
    made = Recorded((await recorded("order-number-1", "order-number-2")).orders()).fresh(6)

    ids = [call.arguments[0]["order.id"] for order in made for call in order if call.what == "set"]
    assert len(set(ids)) == 6
    assert {len(one) for one in ids} == {len("order-number-1")}
    for order in made:
        within = {call.arguments[0].attributes["order_id"] for call in order if call.what == "log"}
        within |= {call.arguments[0]["order.id"] for call in order if call.what == "set"}
        assert len(within) == 1
        assert {call.arguments[0] for call in order if call.what == "request"} == {"POST /webhook/{source}"}


def test_numbers_of_one_order_alone_are_renewed_too():
    orders = [
        [Call("set", 0, ({"commit": commit, "price": Decimal(price), "n": 7},))]
        for commit, price in ((31, "50000.10"), (32, "50000.20"))
    ]

    (first,), (second,), (again,) = Recorded(orders).fresh(3)

    assert {one.arguments[0]["n"] for one in (first, second, again)} == {7}
    assert first.arguments[0]["commit"] != again.arguments[0]["commit"]
    assert type(again.arguments[0]["commit"]) is int
    assert again.arguments[0]["price"].as_tuple().exponent == -2


async def test_calls_are_counted_of_the_average_order():
    found = Recorded((await recorded("order-number-1", "order-number-2")).orders())

    assert found.calls["span"] == 2
    assert found.calls["log"] == 1
    assert found.log is not None
    assert found.log.message == "order FILLED"


def test_nothing_recorded_is_refused():
    with pytest.raises(ValueError, match="no order was recorded"):
        Recorded([])
