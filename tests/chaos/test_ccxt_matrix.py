"""Ten classes of ccxt through every fault: what our adapter says of an order is what the exchange did with it.

`python -m scripts.lib.ccxt_matrix` does it with all classes. The ten place orders with POST and with GET, with our id
in clear, hidden and not at all, after helper requests and without, by key and by wallet.
"""

from __future__ import annotations

import json
import socket
from decimal import Decimal

import pytest

from scripts.lib.ccxt_matrix import report
from scripts.lib.ccxt_matrix.__main__ import status_of
from scripts.lib.ccxt_matrix.faults import LOOKING_UP, PLACING
from scripts.lib.ccxt_matrix.fence import fenced
from scripts.lib.ccxt_matrix.rules import Verdict, broken_by_look_up, broken_by_order
from scripts.lib.ccxt_matrix.run import Result, count, run
from service.core.orders import OrderStatus
from service.core.outcomes import (
    Accepted,
    Evidence,
    Found,
    InDoubt,
    NotExecuted,
    NotFound,
    OrderReport,
    Outcome,
    Refused,
    RejectReason,
    Unanswered,
    judge,
)
from service.exchanges.ccxt import orders

CLASSES = (
    "binance",
    "bitso",
    "bittrade",
    "coinbaseinternational",
    "deribit",
    "dydx",
    "gemini",
    "hyperliquid",
    "kraken",
    "mexc",
)


def run_over(*classes: str) -> Result:
    return run(classes, seed=1, seconds=120, tell=lambda done, one: None)


def report_with(exchange_order_id: str) -> OrderReport:
    return OrderReport(
        client_order_id="ours",
        exchange_order_id=exchange_order_id,
        symbol="BTC/USDT",
        status=OrderStatus.ACCEPTED,
        filled_qty=Decimal(0),
        ts_event_ns=1,
    )


def test_under_every_fault_each_class_says_nothing_that_is_not_so():
    result = run_over(*CLASSES)

    print(report.summary(result))  # noqa: T201 - the table, with -s
    assert result.problems == []
    assert [one.ccxt_id for one in result.driven] == list(CLASSES)
    assert status_of(result, everything=False) == 0
    for one in result.driven:
        assert len(one.looking_up) == len(LOOKING_UP)
        assert len(one.placing) >= len(PLACING) - 6, (
            "without an answer of success or of missing funds, some are left out"
        )
    assert sum(count(one.placing, Verdict.ACCEPTED) for one in result.driven) == len(CLASSES) - 1, "dydx gives no id"
    assert json.loads(report.as_json(result))["problems"] == []
    assert "10 classes" in report.document(result)


def test_a_judge_that_calls_doubt_a_failure_is_found_out(monkeypatch):
    def hasty(evidence: Evidence) -> Outcome:
        outcome = judge(evidence)
        return NotExecuted(cause=outcome.cause) if isinstance(outcome, InDoubt) else outcome

    monkeypatch.setattr(orders, "judge", hasty)

    result = run_over("kraken")

    assert any("called not executed, and it was executed" in problem for problem in result.problems)
    assert status_of(result, everything=False) == 1


@pytest.mark.parametrize(
    ("outcome", "facts", "problem"),
    [
        (Refused(reason=RejectReason.OTHER), {"executed": 1}, "called refused, and it was executed"),
        (NotExecuted(cause=""), {"executed": 1}, "called not executed, and it was executed"),
        (InDoubt(cause=""), {"executed": 2, "arrived": 2}, "the order was sent 2 times"),
        (InDoubt(cause=""), {"arrived": 0}, "the order did not arrive"),
        (InDoubt(cause=""), {"must": Verdict.REFUSED}, "called in doubt, expected refused"),
        (Accepted(report_with("7")), {"answered_id": "7"}, "called accepted, and it was not executed"),
        (Accepted(report_with("8")), {"executed": 1, "answered_id": "7"}, "accepted with the id 8, the answer's is 7"),
        (Accepted(report_with("8")), {"executed": 1}, "accepted with the id 8, the answer's is None"),
    ],
)
def test_each_rule_can_be_broken(outcome, facts, problem):
    usual = {"executed": 0, "arrived": 1, "reaches": True, "must": None, "answered_id": None}
    assert list(broken_by_order(outcome, **(usual | facts))) == [problem]


def test_a_look_up_that_learned_nothing_may_say_nothing():
    assert list(broken_by_look_up(NotFound())) == ["called absent by an answer that does not say so"]
    assert list(broken_by_look_up(Found(report_with("7")))) == ["found in an answer that holds no order"]
    assert list(broken_by_look_up(Unanswered(cause=""))) == []


def test_what_would_leave_this_machine_is_stopped_and_told():
    with fenced() as attempts:
        with socket.socket() as connection, pytest.raises(PermissionError, match="stopped"):
            connection.connect(("192.0.2.1", 443))
        with pytest.raises(PermissionError, match="stopped"):
            socket.getaddrinfo("exchange.example", 443)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            socket.create_connection(listener.getsockname()).close()

    assert attempts == ["192.0.2.1", "exchange.example"]
    assert status_of(Result((), attempts, (), 1, 0.0), everything=False) == 1
