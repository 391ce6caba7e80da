"""An order whose fate is not known for a while, at a simulated exchange: in Prometheus, and in its trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from telemetry import conventions as c
from tests.acceptance.stack.fillpath import Fillpath
from tests.acceptance.stack.jaeger import CLIENT, INTERNAL, Trace
from tests.acceptance.stack.lab import METRIC_WITHIN_S, Lab
from tests.acceptance.stack.venue import KEYS, LOOKING, Venue, running
from tests.acceptance.stack.waiting import eventually
from tests.simulator.venue import API_KEY, API_PASSWORD, API_SECRET

CONFIGURATION = """
[paper]
accounts = []

[telemetry]
log_level = "debug"

[execution]
request_timeout = 5
reconcile_max_delay = 1
breaker_failures = 10_000

[sources.default]
auth = "standard"
accounts = ["main"]

[exchanges.binance]
id = "binance"
api_url = "{address}"
symbols = ["BTC/USDT"]

[exchanges.binance.accounts.main]
market_type = "spot"
"""
BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with running(tmp_path_factory.mktemp("venue")) as one:
        yield one


@pytest.fixture(scope="module")
def service(lab: Lab, venue: Venue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fillpath]:
    """A service that trades at the simulator."""
    folder = tmp_path_factory.mktemp("doubt") / "own"
    one = lab.fillpath(folder, CONFIGURATION.format(address=venue.address), **KEYS)
    try:
        one.start()
        # Until it has a price, an alert is refused.
        eventually(lambda: one.send(BUY, wait=None).status_code == 202, within=90)
        yield one
    finally:
        one.close()


class Doubt(NamedTuple):
    """What was seen of an order in doubt; its trace once it was known."""

    order: dict[str, Any]
    in_doubt: float
    oldest_s: float
    trace: Trace


@pytest.fixture(scope="module")
def doubt(lab: Lab, venue: Venue, service: Fillpath) -> Doubt:
    """The order was executed, its answer got lost, and so do the answers to look-ups, until Prometheus knows."""
    for endpoint in LOOKING:
        venue.fail(endpoint, "status", status=503, count=5_000)
    venue.fail("place", "close", after=True)
    sent = service.send(BUY, wait=None).json()
    service.becomes(sent["order_id"], "IN_DOUBT")

    def seen() -> tuple[float, float] | None:
        own = f'{{instance="{service.instance}",exchange="binance"}}'
        count = lab.prometheus.value(f"execution_orders_in_doubt{own}")
        oldest = lab.prometheus.value(f"execution_orders_in_doubt_oldest_seconds{own}")
        return (count, oldest) if count and oldest else None

    count, oldest = eventually(seen, within=METRIC_WITHIN_S) or (0.0, 0.0)
    venue.mend()
    order = service.becomes(sent["order_id"], "FILLED")
    return Doubt(order, count, oldest, eventually(lambda: _known(lab, order["trace_id"])))


def test_an_order_in_doubt_is_in_prometheus_with_its_age_until_it_is_known(
    lab: Lab, service: Fillpath, doubt: Doubt
) -> None:
    assert doubt.in_doubt == 1
    assert doubt.oldest_s > 0
    gone = f'execution_orders_in_doubt{{instance="{service.instance}",exchange="binance"}}'
    eventually(lambda: lab.prometheus.value(gone) == 0, within=METRIC_WITHIN_S)
    found = f'execution_order_reconciliations_total{{instance="{service.instance}",outcome="found"}}'
    eventually(lambda: lab.prometheus.value(found) == 1, within=METRIC_WITHIN_S)


def test_each_round_of_looking_is_a_span_of_the_orders_one_trace(lab: Lab, doubt: Doubt) -> None:
    rounds = doubt.trace.named(c.SPAN_ORDER_RECONCILE)

    assert len(rounds) > 1
    assert {span.parent_id for span in rounds} == {doubt.trace.root.span_id}
    outcomes = [span.attributes[c.ATTR_EXCHANGE_OUTCOME] for span in rounds]
    assert outcomes[-1] == "found"
    assert set(outcomes[:-1]) <= {"unanswered", "not_found"}
    assert all(span.attributes[c.ATTR_ORDER_ID] == doubt.order["order_id"] for span in rounds)
    assert all("exchange.look_up" in [child.name for child in doubt.trace.below(span)] for span in rounds)
    assert lab.jaeger.ids({c.ATTR_ORDER_ID: doubt.order["order_id"]}) == [doubt.trace.trace_id]


def test_the_call_that_was_lost_says_that_it_was_sent_and_that_its_outcome_is_in_doubt(doubt: Doubt) -> None:
    (call,) = doubt.trace.named(c.SPAN_EXCHANGE_CREATE_ORDER)

    assert call.kind == INTERNAL
    assert call.attributes[c.ATTR_EXCHANGE_OUTCOME] == "in_doubt"
    assert call.attributes[c.ATTR_EXCHANGE_REQUEST_SENT] == "true"


def test_below_a_call_is_its_http_request_without_the_query(venue: Venue, doubt: Doubt) -> None:
    (call,) = doubt.trace.named(c.SPAN_EXCHANGE_CREATE_ORDER)
    (request,) = doubt.trace.below(call)

    assert request.kind == CLIENT
    assert request.name == request.attributes[c.ATTR_HTTP_REQUEST_METHOD] == "POST"
    assert request.attributes[c.ATTR_URL_FULL].startswith(venue.address)
    assert all("?" not in span.attributes.get(c.ATTR_URL_FULL, "") for span in doubt.trace.spans)


def test_no_key_and_no_signature_of_the_exchange_is_in_trace_log_or_metric(
    lab: Lab, service: Fillpath, doubt: Doubt
) -> None:
    own = [record for record in lab.logged() if record["instance"] == service.instance]
    seen = lab.jaeger.text(doubt.trace.trace_id) + json.dumps(own) + service.stderr
    seen += httpx.get(service.metrics_url, trust_env=False).text

    assert doubt.order["order_id"] in seen
    for secret in (API_KEY, API_SECRET, API_PASSWORD, "signature=", *service.all_secrets):
        assert secret not in seen


def _known(lab: Lab, trace_id: str) -> Trace | None:
    trace = lab.jaeger.trace(trace_id)
    if trace is None:
        return None
    found = [s for s in trace.named(c.SPAN_ORDER_RECONCILE) if s.attributes.get(c.ATTR_EXCHANGE_OUTCOME) == "found"]
    return trace if found else None
