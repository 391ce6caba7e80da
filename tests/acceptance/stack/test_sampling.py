"""The service samples, nobody after it: a flood of unauthenticated refusals is cut and counted, no order ever is."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest

from telemetry import conventions as c
from telemetry.holding import UNDECIDED_PER_SECOND
from tests.acceptance.stack.fillpath import BUY, Fillpath
from tests.acceptance.stack.lab import METRIC_WITHIN_S, Lab
from tests.acceptance.stack.waiting import eventually

ROOT = "POST /webhook/{source}"
REFUSALS = 400
ORDERS = 40
AUTHENTICATED_REFUSALS = 20


class Flood(NamedTuple):
    """What was answered, and how long it took to send, seconds."""

    refused: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    authenticated: list[dict[str, Any]]
    seconds: float

    @property
    def most_kept(self) -> float:
        """So many refusals a second, and one second's worth at once."""
        return UNDECIDED_PER_SECOND * (self.seconds + 1)


@pytest.fixture(scope="module")
def flood(lab: Lab, service: Fillpath) -> Flood:
    """Wrong signatures by the hundred, with orders and refused alerts of an authenticated sender among them."""
    wrong = service.secrets["hex"][::-1]

    kinds = ["order"] * ORDERS + ["authenticated"] * AUTHENTICATED_REFUSALS + ["refusal"] * REFUSALS
    random.Random(1).shuffle(kinds)

    def send(kind: str) -> httpx.Response:
        match kind:
            case "order":
                return service.send(BUY)
            case "authenticated":
                return service.send(BUY | {"confidence": "0.1"})
            case _:
                return service.send(BUY, source="hex", secret=wrong)

    started = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        answers = [answer.json() | {"http": answer.status_code} for answer in pool.map(send, kinds)]
    done = Flood(
        refused=[answer for answer in answers if answer["http"] == 401],
        orders=[answer for answer in answers if "order_id" in answer],
        authenticated=[answer for answer in answers if answer["http"] == 422],
        seconds=time.monotonic() - started,
    )
    lab.after_pushes(service)
    return done


def test_the_flood_is_what_it_should_be(flood: Flood) -> None:
    assert (len(flood.refused), len(flood.orders), len(flood.authenticated)) == (
        REFUSALS,
        ORDERS,
        AUTHENTICATED_REFUSALS,
    )
    assert flood.most_kept < REFUSALS, f"sent in {flood.seconds:.1f} s: too slow to be cut"


def test_every_order_in_a_flood_keeps_its_whole_trace(lab: Lab, service: Fillpath, flood: Flood) -> None:
    for order in flood.orders:
        service.becomes(order["order_id"], "FILLED")
        trace = lab.jaeger.whole(order["trace_id"], ROOT, "order.execute", "exchange.create_order")
        assert trace.root.name == ROOT
        assert len(trace.named(c.SPAN_JOURNAL_APPEND)) == 3


def test_every_refusal_of_an_authenticated_sender_keeps_its_trace(lab: Lab, flood: Flood) -> None:
    for refused in flood.authenticated:
        assert lab.jaeger.whole(refused["trace_id"], ROOT).root.attributes[c.ATTR_DENIAL_REASON] == "low_confidence"


def test_unauthenticated_refusals_above_ten_a_second_are_dropped_and_counted_to_the_span(
    lab: Lab, service: Fillpath, flood: Flood
) -> None:
    dropped = f'execution_telemetry_dropped_total{{instance="{service.instance}",signal="traces",reason="sampling"}}'

    def accounted_for() -> int | None:
        """How many traces are kept, once those that are not are counted, each with all of its spans."""
        kept = [trace for one in flood.refused if (trace := lab.jaeger.trace(one["trace_id"])) is not None]
        spans = {len(trace.spans) for trace in kept}
        missing = (len(flood.refused) - len(kept)) * max(spans, default=0)
        return len(kept) if len(spans) == 1 and lab.prometheus.value(dropped) == missing else None

    assert 0 < (eventually(accounted_for, within=METRIC_WITHIN_S) or 0) <= flood.most_kept


def test_nothing_else_is_dropped(lab: Lab, service: Fillpath, flood: Flood) -> None:
    others = f'sum(execution_telemetry_dropped_total{{instance="{service.instance}",reason!="sampling"}})'

    assert lab.prometheus.value(others) == 0


def test_no_exemplar_names_a_trace_that_was_dropped(lab: Lab, service: Fillpath, flood: Flood) -> None:
    named = {exemplar.trace_id for exemplar in lab.after_pushes(service).exemplars.values()}

    assert named
    eventually(lambda: all(lab.jaeger.trace(trace_id) for trace_id in named), within=20)
