"""The census' verdict on one order: a whole trace lacks nothing, and whatever is missing is named."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.lib.census.judge import INTAKE, ROOT, lacks
from scripts.lib.census.spans import traces
from tests.unit.census import documents
from tests.unit.census.documents import CANCELED, DENIED, FILLED, document, order, span, whole


def verdict(told: dict[str, Any], spans: list[dict[str, Any]]) -> list[str]:
    return list(lacks(told, traces(document(*spans))))


@pytest.mark.parametrize(("states", "attempts"), [(FILLED, 1), (DENIED, 0), (CANCELED, 1)])
def test_a_whole_trace_lacks_nothing(states: tuple[str, ...], attempts: int) -> None:
    assert verdict(order(*states, attempts=attempts), whole(states)) == []


@pytest.mark.parametrize("missing", range(len(whole(CANCELED))))
def test_a_trace_without_any_one_of_its_spans_is_incomplete(missing: int) -> None:
    spans = whole(CANCELED)
    del spans[missing]

    assert verdict(order(*CANCELED), spans)


@pytest.mark.parametrize("name", INTAKE)
def test_a_step_of_the_intake_that_is_missing_is_named(name: str) -> None:
    spans = [one for one in whole(FILLED) if one["spanID"] != name]

    assert verdict(order(*FILLED), spans) == [f"{name} below the root"]


def test_a_missing_parent_is_named_by_its_child() -> None:
    spans = whole(FILLED)
    spans[-1] = documents.write("SUBMITTED", "FILLED", "elsewhere")

    assert verdict(order(*FILLED), spans) == ["the parent of journal.append (SUBMITTED-FILLED)"]


def test_a_second_root_is_a_fault() -> None:
    (fault,) = verdict(order(*FILLED), [*whole(FILLED), span("order.update", "stray", "")])

    assert fault == f"its roots are {ROOT}, order.update; expected the SERVER span {ROOT}"


def test_a_root_that_is_no_server_span_is_a_fault() -> None:
    spans = whole(FILLED)
    spans[0]["tags"] = []

    assert verdict(order(*FILLED), spans) == [f"its roots are {ROOT}; expected the SERVER span {ROOT}"]


def test_a_span_that_is_there_twice_is_a_fault() -> None:
    spans = whole(FILLED)

    assert verdict(order(*FILLED), [*spans, spans[1]]) == [f"span {spans[1]['spanID']} is there 2 times"]


def test_a_transition_that_no_span_tells_is_named() -> None:
    spans = whole(FILLED)
    spans[-1]["logs"] = []

    assert verdict(order(*FILLED), spans) == ["journal.append of SUBMITTED to FILLED"]


def test_a_transition_that_only_a_span_tells_is_named() -> None:
    spans = whole(CANCELED)

    assert "the transition PENDING_CANCEL to CANCELED, which a span tells, in the order's history" in verdict(
        order(*CANCELED[:-1]), spans
    )


def test_each_attempt_at_the_exchange_is_demanded() -> None:
    assert verdict(order(*FILLED, attempts=2), whole(FILLED)) == ["2 exchange.create_order: there are 1"]


def test_an_order_in_doubt_is_to_have_been_looked_up() -> None:
    states = ("RECEIVED", "SUBMITTED", "IN_DOUBT", "FILLED")

    assert verdict(order(*states), whole(states)) == ["order.reconcile"]


def test_another_orders_span_in_the_trace_is_a_fault() -> None:
    spans = [*whole(FILLED), span("order.update", "other", order__id="order-2")]

    assert verdict(order(*FILLED), spans) == ["it also has spans of order order-2"]


def test_the_status_of_the_order_is_on_a_span() -> None:
    spans = whole(FILLED)
    spans[-1]["tags"] = []

    assert verdict(order(*FILLED), spans) == ["a span with order.status FILLED"]


def test_no_trace_and_two_traces_are_faults() -> None:
    (one,) = traces(document(*whole(FILLED)))

    assert lacks(order(*FILLED), []) == ["0 traces; expected 1"]
    assert lacks(order(*FILLED), [one, one]) == ["2 traces; expected 1"]


def test_another_trace_than_the_services_is_a_fault() -> None:
    told = order(*FILLED) | {"trace_id": "b" * 32}

    assert verdict(told, whole(FILLED)) == [f"it is in trace {documents.TRACE_ID}; the service says {'b' * 32}"]
