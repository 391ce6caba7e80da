"""What a filled order's trace has to have, beside its tree: pure."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.lib.census.spans import Trace, traces
from scripts.lib.validate.traces import problems
from telemetry import conventions as c
from tests.unit.census.documents import FILLED, document, order, whole

ORDER = order(*FILLED)


def spans() -> list[dict[str, Any]]:
    """Every span of a filled order, each with all attributes of the contract."""
    made = whole(FILLED)
    for span in made:
        has = {tag["key"] for tag in span["tags"]}
        values = dict.fromkeys(c.ATTRIBUTES, "x") | {c.ATTR_ORDER_ID: ORDER["order_id"]}
        span["tags"] += [{"key": key, "value": value} for key, value in values.items() if key not in has]
        span["tags"] += [{"key": "otel.scope.name", "value": "fillpath"}]
    executes = next(span for span in made if span["operationName"] == c.SPAN_ORDER_EXECUTE)
    next(tag for tag in executes["tags"] if tag["key"] == c.ATTR_ORDER_STATUS)["value"] = "FILLED"
    return made


def found(made: list[dict[str, Any]]) -> list[Trace]:
    return list(traces(document(*made)))


def drop(made: list[dict[str, Any]], name: str, key: str) -> None:
    for span in made:
        if span["operationName"] == name:
            span["tags"] = [tag for tag in span["tags"] if tag["key"] != key]


def test_a_whole_trace_has_no_problem() -> None:
    assert problems(ORDER, found(spans())) == []


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (c.server_span_name(""), c.ATTR_HTTP_ROUTE),
        (c.SPAN_ORDER_NORMALIZE, c.ATTR_ORDER_ID),
        (c.SPAN_EXCHANGE_LIMIT, c.ATTR_ACCOUNT_ID),
        (c.SPAN_JOURNAL_APPEND, c.ATTR_JOURNAL_COMMIT_ID),
        (c.SPAN_EXCHANGE_CREATE_ORDER, c.ATTR_EXCHANGE_OUTCOME),
        (c.SPAN_ORDER_EXECUTE, c.ATTR_ORDER_FEE),
    ],
)
def test_a_span_without_one_of_its_attributes_is_named(name: str, key: str) -> None:
    made = spans()
    drop(made, name, key)

    assert f"{name} lacks {key}" in problems(ORDER, found(made))


def test_a_missing_span_is_named() -> None:
    made = [span for span in spans() if span["operationName"] != c.SPAN_ORDER_SIZE]

    assert c.SPAN_ORDER_SIZE in problems(ORDER, found(made))


def test_a_span_and_an_attribute_outside_the_contract_are_named() -> None:
    made = spans()
    made[-1]["operationName"] = "order.surprise"
    made[0]["tags"].append({"key": "user.password", "value": "x"})

    said = problems(ORDER, found(made))

    assert "span order.surprise is not in the contract" in said
    assert f"{c.server_span_name('')} has user.password, which is not in the contract" in said


def test_a_span_of_another_order_is_named() -> None:
    made = spans()
    next(tag for tag in made[-1]["tags"] if tag["key"] == c.ATTR_ORDER_ID)["value"] = "order-2"

    assert f"{made[-1]['operationName']} names another order" in problems(ORDER, found(made))


def test_no_trace_at_all_is_a_problem() -> None:
    assert problems(ORDER, []) == ["0 traces; expected 1"]
