"""What was logged about an order: found by its ids, and leading to its trace."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.acceptance.stack.fillpath import BUY, RESTING, Fillpath
from tests.acceptance.stack.lab import Lab
from tests.acceptance.stack.waiting import eventually

STATES = ["order SUBMITTED", "order FILLED"]
ENDS = ("order FILLED", "order DENIED", "order CANCELED")


@pytest.fixture(scope="module")
def order(service: Fillpath) -> dict:
    """A filled order whose last line has reached the collector's file."""
    filled = service.filled(BUY)
    eventually(lambda: "order FILLED" in service.fillpath("logs", filled["order_id"]).stdout)
    return filled


def test_logs_shows_an_orders_lines_in_their_order_with_what_became_of_it(service: Fillpath, order: dict) -> None:
    done = service.fillpath("logs", order["order_id"])

    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["at", "(UTC)", "level", "logger", "message"]
    assert [state for row in rows for state in STATES if state in row] == STATES
    assert [row[:26] for row in rows] == sorted(row[:26] for row in rows)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", rows[0][:26])
    assert re.search(
        r"info +service\.execution\.change_log +order FILLED .*symbol=BTC/USDT.* filled_qty=0\.01", rows[-1]
    )


@pytest.mark.parametrize("key", ["order_id", "client_order_id", "exchange_order_id"])
def test_logs_finds_the_same_lines_by_each_id_of_the_order(service: Fillpath, order: dict, key: str) -> None:
    lines = service.log_lines(order[key])

    assert lines == service.log_lines(order["order_id"])
    assert {line["attributes"]["order_id"] for line in lines if "order_id" in line["attributes"]} == {order["order_id"]}


def test_what_is_not_known_of_an_order_is_left_out_and_not_called_null(service: Fillpath, order: dict) -> None:
    first, *_ = service.log_lines(order["order_id"])

    assert first["message"] == "order SUBMITTED"
    assert {"exchange_order_id", "reason"}.isdisjoint(first["attributes"])


def test_a_log_line_leads_to_its_span_in_jaeger(lab: Lab, service: Fillpath, order: dict) -> None:
    lines = service.log_lines(order["order_id"])

    trace = lab.jaeger.whole(order["trace_id"], "order.execute")
    assert {line["trace_id"] for line in lines} == {trace.trace_id}
    assert {line["span_id"] for line in lines} <= {span.span_id for span in trace.spans}


def test_logs_of_another_order_are_not_shown(service: Fillpath, order: dict) -> None:
    other = service.filled(BUY)
    eventually(lambda: "order FILLED" in service.fillpath("logs", other["order_id"]).stdout)

    shown = {line["attributes"].get("order_id") for line in service.log_lines(order["order_id"])}

    assert shown <= {order["order_id"], None}


def test_every_line_that_names_an_order_carries_its_order_id(lab: Lab, service: Fillpath) -> None:
    orders = [service.filled(BUY)["order_id"], service.send(BUY | {"quantity": "900"}).json()["order_id"]]
    resting = service.send(RESTING).json()["order_id"]
    service.cancel(resting)
    service.becomes(resting, "CANCELED")
    orders.append(resting)
    for order_id in orders:
        eventually(lambda order_id=order_id: any(s in str(service.log_lines(order_id)) for s in ENDS))

    own = [record for record in lab.logged() if record["instance"] == service.instance]
    named = [record for record in own if any(order_id in str(record) for order_id in orders)]

    assert named
    assert [record for record in named if record["attributes"].get("order_id") not in orders] == []
    assert "operator: cancel" in " ".join(record["body"]["stringValue"] for record in named)


@pytest.fixture
def stopped(lab: Lab, tmp_path) -> Iterator[tuple[Fillpath, dict]]:
    """A service that runs no more, and an order that it filled."""
    one = lab.fillpath(tmp_path / "own")
    try:
        one.start()
        order = one.filled(BUY)
        one.stop()
        yield one, order
    finally:
        one.close()


def test_while_the_service_is_down_the_lines_that_name_the_order_are_found(stopped: tuple[Fillpath, dict]) -> None:
    service, order = stopped

    done = eventually(lambda: _found(service, order["order_id"]))

    assert [state for state in STATES if state in done.stdout] == STATES
    assert "nothing answers" in done.stderr
    assert f"only lines that name {order['order_id']} are found" in done.stderr


def test_an_order_that_nobody_knows_is_one_line(service: Fillpath) -> None:
    done = service.fillpath("logs", "no-such-order")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("fillpath: refused: ")
    assert done.stderr.count("\n") == 1


def _found(service: Fillpath, order_id: str):
    done = service.fillpath("logs", order_id)
    return done if "order FILLED" in done.stdout else None
