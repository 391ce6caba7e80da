"""What a ccxt call proves about an order: from its record, its reply and its error to an outcome."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import msgspec
import pytest

from service.core.client_ids import ClientIdFormat, IdKind
from service.core.orders import OrderStatus
from service.core.outcomes import (
    Accepted,
    CodeKind,
    ErrorCode,
    InDoubt,
    NotExecuted,
    OrderReport,
    Refused,
    RejectReason,
    judge,
)
from service.exchanges.ccxt.evidence import evidence_of, meaning_of
from service.exchanges.ccxt.guard import Body, CallRecord, HttpRequest, recording
from service.exchanges.ccxt.profile import LookUpMethod, Profile
from service.exchanges.ccxt.session import open_session
from telemetry.off import OffTelemetry
from tests.unit.exchanges.ccxt.wire_lab import CONFIG, DONE, ORDER_ID, close, exchange, place, reply, serving

PROFILE = Profile(
    ccxt_id="okx",
    verified=True,
    source="",
    id_format=ClientIdFormat(IdKind.UUID),
    place_param="clOrdId",
    look_up=LookUpMethod.NONE,
    codes={
        "51000": ErrorCode(kind=CodeKind.REFUSED, reason=RejectReason.INVALID_ORDER),
        "50102": ErrorCode(kind=CodeKind.CLOCK_SKEW),
        "Too many": ErrorCode(kind=CodeKind.RATE_LIMITED),
    },
)
POLITE = msgspec.structs.replace(PROFILE, http_429_not_executed=True)


def asked(**fields: Any) -> HttpRequest:
    """The order request, sent with our id and answered with JSON."""
    known = {"carries_id": True, "sent": True, "status": 200, "body_kind": "json", "body": Body('{"id": "28"}')}
    return HttpRequest(method="POST", url="https://exchange.example/order", **(known | fields))


def unanswered(**fields: Any) -> HttpRequest:
    return asked(status=None, body_kind=None, **fields)


def helper(**fields: Any) -> HttpRequest:
    known = {"sent": True, "status": 200, "body_kind": "json"}
    return HttpRequest(method="GET", url="https://exchange.example/account", **(known | fields))


def call(*requests: HttpRequest) -> CallRecord:
    return CallRecord(client_order_id=ORDER_ID, attributes=None, placing=True, requests=list(requests))


def report(exchange_order_id: str = "28") -> OrderReport:
    return OrderReport(
        client_order_id=ORDER_ID,
        exchange_order_id=exchange_order_id,
        symbol="BTC/USDT",
        status=OrderStatus.ACCEPTED,
        filled_qty=Decimal(0),
        ts_event_ns=1,
    )


def outcome(
    record: CallRecord,
    error: BaseException | None = None,
    *,
    told: OrderReport | None = None,
    profile: Profile = PROFILE,
) -> Any:
    return judge(evidence_of(record, profile, report=told, error=error))


LOST = ccxt.ExchangeNotAvailable("okx POST https://exchange.example/order?signature=abc")
LATE = ccxt.RequestTimeout("okx POST https://exchange.example/order?signature=abc")


@pytest.mark.parametrize(
    ("request_", "error", "cause"),
    [
        (unanswered(), LATE, "timeout"),
        (unanswered(), TimeoutError(), "timeout"),
        (unanswered(), LOST, "connection lost"),
        (unanswered(stopped=True), None, "second send stopped"),
        (asked(status=307, body_kind=None, stopped=True), None, "redirect"),
        (asked(status=524, body_kind="text"), None, "server error"),
        (asked(status=503, error_key="51000", error_exact=True), ccxt.InvalidOrder(""), "server error"),
        (asked(status=429, body_kind="text"), ccxt.RateLimitExceeded(""), "rate limited"),
        (asked(status=418, body_kind="text"), ccxt.DDoSProtection(""), "rate limited"),
        (asked(body_kind=None), ccxt.ExchangeError(""), "truncated answer"),
        (asked(body_kind=None), LATE, "timeout"),
        (asked(body_kind="empty"), None, "empty answer"),
        (asked(body_kind="text"), None, "not json"),
        (asked(error_key="59999", error_exact=True), ccxt.ExchangeError(""), "unknown code"),
        (asked(status=400, error_key="59999"), ccxt.ExchangeError(""), "unknown code"),
        (asked(status=403), ccxt.ExchangeNotAvailable(""), "http error"),
        (asked(), KeyError("ordId"), "unreadable answer"),
        (asked(), None, "no order id"),
    ],
)
def test_what_proves_nothing_is_in_doubt_with_its_cause(request_, error, cause):
    assert outcome(call(request_), error) == InDoubt(cause=cause)


@pytest.mark.parametrize("error", [LOST, LATE, TimeoutError(), RuntimeError("Session is closed"), None])
def test_an_order_request_that_never_left_is_not_executed(error):
    assert outcome(call(unanswered(sent=False)), error) == NotExecuted(cause="not sent")


def test_a_helper_that_left_before_the_order_request_did_not_proves_nothing_against_that():
    assert outcome(call(helper(), unanswered(sent=False)), LOST) == NotExecuted(cause="not sent")


def test_where_ids_are_hidden_a_helper_that_left_could_be_the_order():
    hidden = msgspec.structs.replace(PROFILE, id_visible=False)
    assert outcome(call(helper(status=None)), LATE, profile=hidden) == InDoubt(cause="timeout")


def test_a_helpers_refusal_is_not_the_orders():
    refusing = helper(status=400, error_key="51000", error_exact=True)
    assert outcome(call(refusing), ccxt.InvalidOrder("")) == NotExecuted(cause="not sent")


def test_a_helpers_rate_limit_holds_the_order_up():
    limited = helper(status=429, retry_after=4.0)
    assert outcome(call(limited), profile=POLITE) == NotExecuted(cause="rate_limited", retry_after=4.0)


def test_a_helpers_answer_after_the_order_left_is_not_the_orders():
    late_helper = helper(status=400, error_key="51000", error_exact=True)
    assert outcome(call(unanswered(), late_helper), LATE) == InDoubt(cause="timeout")


def test_a_reply_with_an_exchange_order_id_is_accepted():
    assert outcome(call(asked()), told=report()) == Accepted(report())


def test_a_reply_with_an_exchange_order_id_was_sent_whatever_the_record_shows():
    assert outcome(call(), told=report()) == Accepted(report())


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        # Out of any text MEXC's class makes an order whose id is the whole text.
        ({"body_kind": "text", "body": Body("28")}, "not json"),
        ({"body_kind": "text", "body": Body("28"), "status": 524}, "server error"),
        ({"body_kind": None, "body": Body()}, "truncated answer"),
        ({"status": 502}, "server error"),
        # Some classes make up an id themselves, or take ours for it.
        ({"body": Body("{}")}, "no order id"),
    ],
)
def test_an_exchange_order_id_that_is_not_in_an_answer_of_the_exchange_proves_nothing(answer, cause):
    assert outcome(call(asked(**answer)), told=report()) == InDoubt(cause=cause)


def test_an_exchange_order_id_is_found_in_an_answer_that_escapes_its_slash():
    assert outcome(call(asked(body=Body(r'{"id": "2\/8"}'))), told=report("2/8")) == Accepted(report("2/8"))


def test_an_answer_that_is_kept_shows_itself_nowhere():
    assert "28" not in repr(asked(body=Body('{"token": "28"}')))


def test_a_reply_without_an_exchange_order_id_is_in_doubt():
    assert outcome(call(asked()), told=report("")) == InDoubt(cause="no order id")


def test_a_listed_code_means_what_the_profile_says_in_the_exchanges_words():
    refused = asked(error_key="51000", error_exact=True, error_text='{"code":"51000"}')
    assert outcome(call(refused)) == Refused(reason=RejectReason.INVALID_ORDER, message='{"code":"51000"}')


def test_a_clock_that_is_off_is_not_executed():
    assert outcome(call(asked(error_key="50102", error_exact=True))) == NotExecuted(cause="clock_skew")


def test_a_part_of_a_text_counts_where_the_profile_lists_it():
    limited = asked(status=400, error_key="Too many", error_exact=False, retry_after=1.0)
    assert outcome(call(limited)) == NotExecuted(cause="rate_limited", retry_after=1.0)


@pytest.mark.parametrize(("exact", "known"), [(True, True), (False, False)])
def test_missing_funds_are_believed_everywhere_as_a_whole_code_but_not_as_part_of_a_text(exact, known):
    request = asked(error_key="-3", error_exact=exact, error_class=ccxt.InsufficientFunds, error_text="no funds")
    expected = Refused(reason=RejectReason.INSUFFICIENT_FUNDS, message="no funds")
    assert outcome(call(request)) == (expected if known else InDoubt(cause="unknown code"))


@pytest.mark.parametrize(
    "kind", [ccxt.InvalidOrder, ccxt.AuthenticationError, ccxt.OrderNotFound, ccxt.DuplicateOrderId]
)
def test_no_other_kind_of_error_is_believed_without_the_profile(kind):
    assert outcome(call(asked(error_key="-4", error_exact=True, error_class=kind))) == InDoubt(cause="unknown code")


def test_a_page_that_holds_an_exchanges_words_is_not_the_exchange():
    page = asked(status=403, body_kind="text", error_key="51000", error_exact=False)
    assert isinstance(outcome(call(page)), InDoubt)


@pytest.mark.parametrize("status", [418, 429])
def test_a_status_that_limits_the_rate_proves_only_what_the_profile_says(status):
    limited = call(asked(status=status, body_kind="text", retry_after=9.0))
    assert outcome(limited) == InDoubt(cause="rate limited")
    assert outcome(limited, profile=POLITE) == NotExecuted(cause="rate_limited", retry_after=9.0)


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (ccxt.InvalidOrder("okx price is too low"), RejectReason.INVALID_ORDER, "price is too low"),
        (ccxt.ArgumentsRequired("needs a price"), RejectReason.INVALID_ORDER, "needs a price"),
        (ccxt.BadSymbol("no such market"), RejectReason.INVALID_ORDER, "no such market"),
        (ccxt.AuthenticationError('requires "apiKey"'), RejectReason.NOT_PERMITTED, "apiKey"),
        (KeyError("a-secret-perhaps"), RejectReason.OTHER, "KeyError"),
    ],
)
def test_what_ccxt_will_not_put_into_a_request_is_refused(error, reason, says):
    refused = outcome(call(), error)
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert says in refused.message
    assert "a-secret" not in refused.message


@pytest.mark.parametrize(
    "error", [LATE, LOST, TimeoutError(), ccxt.ExchangeClosedByUser("closed"), RuntimeError("no session"), None]
)
def test_what_may_go_well_next_time_is_not_executed(error):
    assert outcome(call(), error) == NotExecuted(cause="not sent")


def test_no_request_means_nothing():
    assert meaning_of(PROFILE, None) is None


def test_no_cause_shows_an_address():
    evidence = evidence_of(call(unanswered()), PROFILE, report=None, error=LOST)
    assert "signature" not in repr(evidence)


FAULTS: dict[str, Any] = {
    "redirect": reply(307, "", headers="Location: /again\r\n"),
    "server error": reply(524, "<html>A timeout occurred</html>"),
    "rate limited": reply(429, "<html>slow down</html>"),
    "truncated answer": reply(200, '{"code": "0"', length=900),
    "empty answer": reply(200, ""),
    "not json": reply(200, "<html>all is well</html>"),
    "http error": reply(403, "<html>forbidden</html>"),
    "unknown code": reply(400, {"code": -98765, "msg": "never heard of", "error": {"code": 98765, "message": "?"}}),
}


async def placed_at(ccxt_id: str, behaviour: Any) -> tuple[Any, int]:
    """The outcome of one order at a server that behaves so, and how many requests arrived there."""
    async with serving() as server, open_session(OffTelemetry(CONFIG), connect_timeout=5) as session:
        server.otherwise = behaviour
        api = exchange(ccxt_id, session, server.url)
        answer: dict[str, Any] = {}
        error: Exception | None = None
        with recording(ORDER_ID, attributes=None, placing=True) as record:
            try:
                answer = await place(api)
            except Exception as raised:  # noqa: BLE001 - what a call may raise is what is tested
                error = raised
    return outcome(record, error, told=report(answer.get("id") or "")), len(server.received)


@pytest.mark.parametrize("cause", FAULTS)
@pytest.mark.parametrize("ccxt_id", ["binance", "okx", "deribit"])
async def test_every_fault_of_a_real_server_leaves_the_order_in_doubt_and_sent_once(ccxt_id, cause):
    assert await placed_at(ccxt_id, FAULTS[cause]) == (InDoubt(cause=cause), 1)


@pytest.mark.parametrize(
    ("ccxt_id", "cause"),
    # Deribit places orders with GET, which aiohttp would have repeated.
    [("binance", "connection lost"), ("okx", "connection lost"), ("deribit", "second send stopped")],
)
async def test_a_lost_connection_leaves_the_order_in_doubt_and_sent_once(ccxt_id, cause):
    assert await placed_at(ccxt_id, close) == (InDoubt(cause=cause), 1)


@pytest.mark.parametrize("ccxt_id", ["binance", "okx", "deribit"])
async def test_an_order_that_a_real_server_took_is_accepted(ccxt_id):
    assert await placed_at(ccxt_id, reply(200, DONE[ccxt_id])) == (Accepted(report("28")), 1)
