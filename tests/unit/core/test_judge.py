"""The outcome of every kind of evidence: what proves nothing is in doubt."""

from __future__ import annotations

from decimal import Decimal

import pytest

from service.core.orders import OrderStatus
from service.core.outcomes import (
    Accepted,
    CodeKind,
    ErrorCode,
    Evidence,
    InDoubt,
    NotExecuted,
    OrderReport,
    Refused,
    RejectReason,
    judge,
)


def report(
    status: OrderStatus = OrderStatus.ACCEPTED, *, exchange_order_id: str = "28", filled: str = "0"
) -> OrderReport:
    return OrderReport(
        client_order_id="fp1",
        exchange_order_id=exchange_order_id,
        symbol="BTC/USDT",
        status=status,
        filled_qty=Decimal(filled),
        ts_event_ns=1,
    )


def code(kind: CodeKind, reason: RejectReason = RejectReason.OTHER) -> ErrorCode:
    return ErrorCode(kind=kind, reason=reason, text="the exchange's words")


REPORTED = [status for status in OrderStatus if status is not OrderStatus.REJECTED]
CODES = [None, *(code(kind) for kind in CodeKind)]
STATUSES = [None, 200, 307, 400, 429, 500, 524]


@pytest.mark.parametrize("status", REPORTED)
def test_a_report_with_an_exchange_order_id_is_accepted_whatever_its_status_but_rejected(status):
    told = report(status)
    assert judge(Evidence(sent=True, cause="", report=told)) == Accepted(told)


@pytest.mark.parametrize("status", OrderStatus)
def test_a_report_without_an_exchange_order_id_proves_nothing(status):
    told = report(status, exchange_order_id="")
    assert judge(Evidence(sent=True, cause="no order id", http_status=200, report=told)) == InDoubt(cause="no order id")


def test_a_reported_rejection_is_a_refusal():
    outcome = judge(Evidence(sent=True, cause="", report=report(OrderStatus.REJECTED)))
    assert outcome == Refused(reason=RejectReason.OTHER, message="the exchange reports it rejected")


def test_a_rejection_of_what_was_filled_contradicts_itself():
    outcome = judge(Evidence(sent=True, cause="", report=report(OrderStatus.REJECTED, filled="0.1")))
    assert isinstance(outcome, InDoubt)


@pytest.mark.parametrize("http_status", STATUSES)
def test_an_answer_without_report_or_code_is_in_doubt_whatever_its_status(http_status):
    assert judge(Evidence(sent=True, cause="why", http_status=http_status)) == InDoubt(cause="why")


@pytest.mark.parametrize("http_status", [None, 200, 400, 403, 429])
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (CodeKind.REFUSED, Refused(reason=RejectReason.INSUFFICIENT_FUNDS, message="the exchange's words")),
        (CodeKind.USED_ID, Refused(reason=RejectReason.DUPLICATE_CLIENT_ORDER_ID, message="the exchange's words")),
        (CodeKind.CLOCK_SKEW, NotExecuted(cause="clock_skew", retry_after=2.0)),
        (CodeKind.RATE_LIMITED, NotExecuted(cause="rate_limited", retry_after=2.0)),
        (CodeKind.UNKNOWN, InDoubt(cause="why")),
    ],
)
def test_a_code_proves_what_is_known_of_it(kind, outcome, http_status):
    evidence = Evidence(
        sent=True,
        cause="why",
        http_status=http_status,
        code=code(kind, RejectReason.INSUFFICIENT_FUNDS),
        retry_after=2.0,
    )
    assert judge(evidence) == outcome


@pytest.mark.parametrize("http_status", [500, 502, 503, 504, 524])
@pytest.mark.parametrize("kind", CodeKind)
def test_a_gateway_in_trouble_proves_nothing_whatever_words_it_repeats(kind, http_status):
    evidence = Evidence(sent=True, cause="server error", http_status=http_status, code=code(kind))
    assert judge(evidence) == InDoubt(cause="server error")


@pytest.mark.parametrize("http_status", STATUSES)
@pytest.mark.parametrize("unproving", [None, code(CodeKind.UNKNOWN), code(CodeKind.USED_ID)])
def test_what_was_not_sent_was_not_executed_whatever_else_went_wrong(unproving, http_status):
    evidence = Evidence(sent=False, cause="not sent", http_status=http_status, code=unproving, retry_after=3.0)
    assert judge(evidence) == NotExecuted(cause="not sent", retry_after=3.0)


@pytest.mark.parametrize("kind", [CodeKind.CLOCK_SKEW, CodeKind.RATE_LIMITED])
def test_a_helper_requests_passing_trouble_is_the_cause_why_an_order_was_not_sent(kind):
    evidence = Evidence(sent=False, cause="not sent", code=code(kind), retry_after=3.0)
    assert judge(evidence) == NotExecuted(cause=kind.value, retry_after=3.0)


def test_an_order_that_cannot_be_put_into_a_request_is_refused():
    evidence = Evidence(sent=False, cause="not built", code=code(CodeKind.REFUSED, RejectReason.INVALID_ORDER))
    assert judge(evidence) == Refused(reason=RejectReason.INVALID_ORDER, message="the exchange's words")


@pytest.mark.parametrize("http_status", STATUSES)
@pytest.mark.parametrize("known", CODES)
@pytest.mark.parametrize("told", [None, report(exchange_order_id=""), report(), report(OrderStatus.REJECTED)])
def test_nothing_that_was_sent_is_called_not_executed_without_a_code_that_says_so(told, known, http_status):
    outcome = judge(Evidence(sent=True, cause="why", http_status=http_status, report=told, code=known))
    if isinstance(outcome, NotExecuted):
        assert known is not None
        assert known.kind in {CodeKind.CLOCK_SKEW, CodeKind.RATE_LIMITED}
        assert told is None or not told.exchange_order_id
