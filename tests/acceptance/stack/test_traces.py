"""The trace of one order as Jaeger has it: whole, found by every id, and one across a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from telemetry import conventions as c
from tests.acceptance.stack.fillpath import BUY, RESTING, Fillpath
from tests.acceptance.stack.jaeger import INTERNAL, SERVER, Span, Trace
from tests.acceptance.stack.lab import TRACE_WITHIN_S, Lab
from tests.acceptance.stack.waiting import eventually

ROOT = "POST /webhook/{source}"
WEBHOOK = [
    "webhook.address",
    "webhook.limit",
    "webhook.size",
    "webhook.decode",
    "webhook.authenticate",
    "webhook.idempotency",
    "webhook.source_limit",
]
INTAKE = ["order.validate", "order.normalize", "order.check_risk", "journal.append"]
EXECUTION = [
    ("exchange.limit", []),
    ("order.size", [("exchange.fetch_balances", [])]),
    ("journal.append", []),
    ("exchange.create_order", []),
    ("journal.append", []),
]
FILLED_TREE = (ROOT, [*((name, []) for name in (*WEBHOOK, *INTAKE)), ("order.execute", EXECUTION)])
"""The way of an alert to its fill, as the design tells it."""

IDENTITY = {
    c.ATTR_ORDER_ID,
    c.ATTR_ORDER_CLIENT_ORDER_ID,
    c.ATTR_EXCHANGE_ID,
    c.ATTR_ACCOUNT_ID,
    c.ATTR_ORDER_SYMBOL,
    c.ATTR_ORDER_SIDE,
    c.ATTR_ORDER_TYPE,
}
OUTCOME = {
    c.ATTR_ORDER_STATUS: "FILLED",
    c.ATTR_ORDER_FILLED_QUANTITY: "0.01",
}
JOURNAL = {c.ATTR_DB_SYSTEM_NAME, c.ATTR_DB_OPERATION_NAME, c.ATTR_JOURNAL_COMMIT_ID, c.ATTR_JOURNAL_BATCH_SIZE}
CALL = {c.ATTR_EXCHANGE_ENDPOINT, c.ATTR_EXCHANGE_ATTEMPT, c.ATTR_EXCHANGE_REQUEST_SENT, c.ATTR_EXCHANGE_OUTCOME}


@pytest.fixture(scope="module")
def order(service: Fillpath) -> dict:
    """A filled order."""
    return service.filled()


@pytest.fixture(scope="module")
def trace(lab: Lab, order: dict) -> Trace:
    """Its trace, whole."""
    return lab.jaeger.whole(order["trace_id"], ROOT, "order.execute")


def test_the_span_tree_of_a_filled_order_is_the_contracts(trace: Trace) -> None:
    assert trace.tree() == FILLED_TREE


def test_the_root_is_a_server_span_with_the_http_attributes_and_all_else_is_internal(
    trace: Trace, service: Fillpath
) -> None:
    assert trace.root.kind == SERVER
    assert trace.root.parent_id == ""
    assert (
        trace.root.attributes.items()
        >= {
            c.ATTR_HTTP_REQUEST_METHOD: "POST",
            c.ATTR_HTTP_ROUTE: "/webhook/{source}",
            c.ATTR_URL_PATH: "/webhook/default",
            c.ATTR_URL_SCHEME: "http",
            c.ATTR_HTTP_RESPONSE_STATUS_CODE: "200",
            c.ATTR_CLIENT_ADDRESS: "127.0.0.1",
        }.items()
    )
    assert trace.root.resource.items() >= {"service.name": "fillpath", "service.instance.id": service.instance}.items()
    assert {span.kind for span in trace.spans if span is not trace.root} == {INTERNAL}
    assert not any(span.failed for span in trace.spans)


def test_every_span_from_normalize_on_says_which_order_and_no_attribute_is_outside_the_contract(
    trace: Trace, order: dict
) -> None:
    for span in trace.spans:
        about_the_order = span.name not in {ROOT, *WEBHOOK, c.SPAN_ORDER_VALIDATE}
        assert not about_the_order or span.attributes.keys() >= IDENTITY, span.name
        assert span.name in c.SPANS
        assert span.attributes.keys() <= c.ATTRIBUTES.keys()
    ids = {span.attributes[c.ATTR_ORDER_ID] for span in trace.spans if c.ATTR_ORDER_ID in span.attributes}
    assert ids == {order["order_id"]}


def test_the_spans_of_journal_call_and_outcome_carry_what_the_contract_says(trace: Trace, order: dict) -> None:
    for append in trace.named(c.SPAN_JOURNAL_APPEND):
        assert append.attributes.keys() >= JOURNAL
    (call,) = trace.named(c.SPAN_EXCHANGE_CREATE_ORDER)
    assert call.attributes.keys() >= CALL
    assert call.attributes[c.ATTR_EXCHANGE_OUTCOME] == "accepted"
    (execute,) = trace.named(c.SPAN_ORDER_EXECUTE)
    assert execute.attributes.items() >= OUTCOME.items()
    assert execute.attributes[c.ATTR_ORDER_EXCHANGE_ORDER_ID] == order["exchange_order_id"]
    assert execute.attributes[c.ATTR_ORDER_AVERAGE_PRICE] == order["average_price"]
    assert execute.attributes[c.ATTR_ORDER_FEE].endswith(" BTC")


def test_the_transitions_are_events_in_their_order(trace: Trace) -> None:
    assert _transitions(trace) == [("RECEIVED", "SUBMITTED"), ("SUBMITTED", "FILLED")]


@pytest.mark.parametrize("key", ["order_id", "client_order_id", "exchange_order_id"])
def test_an_order_is_found_by_each_of_its_ids(lab: Lab, service: Fillpath, trace: Trace, order: dict, key: str) -> None:
    lab.jaeger.whole(service.filled()["trace_id"], ROOT)  # one that must not be found

    found = lab.jaeger.search({f"order.{key.removeprefix('order_')}": order[key]})

    assert [one.trace_id for one in found] == [trace.trace_id]
    assert len(found[0].spans) == len(trace.spans)


def test_a_trace_is_searchable_within_ten_seconds_of_its_last_span(lab: Lab, service: Fillpath) -> None:
    order_id = service.filled()["order_id"]

    def whole() -> Trace | None:
        found = lab.jaeger.find(order__id=order_id)
        return found[0] if found and found[0].tree() == FILLED_TREE else None

    trace = eventually(whole)

    assert trace is not None
    assert time.time() - max(span.end_ns for span in trace.spans) / 1e9 <= TRACE_WITHIN_S


def test_a_refusal_is_a_trace_with_its_reason_and_no_error(lab: Lab, service: Fillpath) -> None:
    refused = service.send(BUY | {"confidence": "0.1"}).json()

    trace = lab.jaeger.whole(refused["trace_id"], ROOT)

    assert trace.root.attributes[c.ATTR_DENIAL_REASON] == "low_confidence"
    assert trace.root.attributes[c.ATTR_HTTP_RESPONSE_STATUS_CODE] == "422"
    assert not trace.root.failed


def test_a_repeated_alert_has_its_own_short_trace_linked_to_the_first(lab: Lab, service: Fillpath) -> None:
    first = service.filled(alert_id="repeated")
    whole = lab.jaeger.whole(first["trace_id"], ROOT, "order.execute")
    service.send(BUY, alert_id="repeated")

    def replay() -> Trace | None:
        linked = [one for one in lab.jaeger.find(webhook__source="default") if _links_to(one.root, whole)]
        return linked[0] if linked else None

    again = eventually(replay)

    assert again is not None
    assert again.trace_id != whole.trace_id
    assert "order.execute" not in again.names


@pytest.fixture
def own(lab: Lab, tmp_path) -> Iterator[Fillpath]:
    """A service that the test may kill."""
    one = lab.fillpath(tmp_path / "own")
    try:
        one.start()
        yield one
    finally:
        one.close()


def test_an_order_that_rests_while_the_service_is_killed_keeps_its_one_trace(lab: Lab, own: Fillpath) -> None:
    resting = own.send(RESTING).json()
    assert resting["status"] == "ACCEPTED", resting
    before = lab.jaeger.whole(resting["trace_id"], ROOT, "order.execute")

    own.kill()
    own.start()
    own.cancel(resting["order_id"])
    own.becomes(resting["order_id"], "CANCELED")

    trace = eventually(lambda: _canceled(lab, resting["trace_id"]))
    (resume,) = trace.named(c.SPAN_ORDER_RESUME)
    assert resume.parent_id == before.root.span_id
    assert [link for link in resume.links if link[0] == trace.trace_id and link[1] in _ids(before)]
    assert {span.span_id for span in before.spans} < {span.span_id for span in trace.spans}
    assert trace.root == before.root
    assert {span.attributes[c.ATTR_ORDER_ID] for span in trace.spans if c.ATTR_ORDER_ID in span.attributes} == {
        resting["order_id"]
    }
    assert [one.trace_id for one in lab.jaeger.find(order__id=resting["order_id"])] == [resting["trace_id"]]


def _canceled(lab: Lab, trace_id: str) -> Trace | None:
    trace = lab.jaeger.trace(trace_id)
    return trace if trace and ("PENDING_CANCEL", "CANCELED") in _transitions(trace) else None


def _transitions(trace: Trace) -> list[tuple[str, str]]:
    return [
        (event.attributes[c.ATTR_TRANSITION_FROM], event.attributes[c.ATTR_TRANSITION_TO])
        for span in trace.spans
        for event in span.events
        if event.name == c.EVENT_ORDER_TRANSITION
    ]


def _links_to(span: Span, trace: Trace) -> bool:
    return any(trace_id == trace.trace_id for trace_id, _ in span.links)


def _ids(trace: Trace) -> set[str]:
    return {span.span_id for span in trace.spans}
