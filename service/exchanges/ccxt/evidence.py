"""From a ccxt call that ended, however it ended, to the evidence that is judged."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from ccxt.base import errors as ccxt_errors

from service.core.outcomes import CodeKind, ErrorCode, Evidence, OrderReport, RejectReason
from service.exchanges.ccxt.guard import CallRecord, HttpRequest
from service.exchanges.ccxt.profile import Profile


class Cause(StrEnum):
    """What happened to a request that got no usable answer; a closed list, fit for metrics and logs."""

    NOT_SENT = "not sent"
    NOT_BUILT = "not built"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection lost"
    SECOND_SEND = "second send stopped"
    REDIRECT = "redirect"
    SERVER_ERROR = "server error"
    RATE_LIMITED = "rate limited"
    TRUNCATED = "truncated answer"
    EMPTY = "empty answer"
    NOT_JSON = "not json"
    UNKNOWN_CODE = "unknown code"
    HTTP_ERROR = "http error"
    UNREADABLE = "unreadable answer"
    NO_ORDER_ID = "no order id"


_LIMITED = frozenset({418, 429})
_FIRST_REDIRECT, _FIRST_ERROR, _FIRST_SERVER_ERROR = 300, 400, 500
_MAX_TEXT = 200

_PASSING_ERRORS = (ccxt_errors.OperationFailed, ccxt_errors.ExchangeClosedByUser)
"""ccxt's errors that say nothing about the order, even when nothing was asked."""
_DEFECTS = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
"""What ccxt raises by accident over values that it did not expect: the same again at every attempt."""


def evidence_of(
    record: CallRecord, profile: Profile, *, report: OrderReport | None, error: BaseException | None
) -> Evidence:
    """All that a call to place an order proved.

    `report` is the parsed reply, if any; `error` what the call raised, a time-out of ours included.
    """
    request = record.decisive()
    report = _told(record, report)
    shown = report is not None and bool(report.exchange_order_id)
    if not shown and not record.may_have_sent(id_visible=profile.id_visible):
        return _unsent(record, profile, error)
    return Evidence(
        sent=True,
        cause=cause_of(request, error).value,
        http_status=request.status if request is not None else None,
        report=report,
        code=meaning_of(profile, request),
        retry_after=_retry_after(request),
    )


def _told(record: CallRecord, report: OrderReport | None) -> OrderReport | None:
    """The reply, if the exchange gave its id: some classes make an id of any text, of ours, or of nothing at all."""
    if report is None or not report.exchange_order_id or not record.requests:
        return report
    return report if any(request.tells(report.exchange_order_id) for request in record.requests) else None


def meaning_of(profile: Profile, request: HttpRequest | None) -> ErrorCode | None:
    """What the answer's error code proves; None without one, UNKNOWN for one that nothing is known of.

    An exact match that ccxt takes for missing funds is believed on every exchange: it is a code of the exchange's
    own. All else counts only where the profile lists it, a part of a text above all.
    """
    if request is None:
        return None
    # A gateway's page may hold any words; the exchange's own answers are JSON.
    known = _known(profile, request) if request.body_kind == "json" else None
    if known is not None:
        return msgspec.structs.replace(known, text=request.error_text or known.text)
    if request.status in _LIMITED and profile.http_429_not_executed:
        return ErrorCode(kind=CodeKind.RATE_LIMITED, text=request.error_text or f"HTTP {request.status}")
    return None if request.error_key is None else ErrorCode(kind=CodeKind.UNKNOWN, text=request.error_text)


def _known(profile: Profile, request: HttpRequest) -> ErrorCode | None:
    listed = None if request.error_key is None else profile.codes.get(request.error_key)
    if listed is not None:
        return listed
    kind = request.error_class
    if kind is not None and request.error_exact and issubclass(kind, ccxt_errors.InsufficientFunds):
        return ErrorCode(kind=CodeKind.REFUSED, reason=RejectReason.INSUFFICIENT_FUNDS)
    return None


def cause_of(request: HttpRequest | None, error: BaseException | None) -> Cause:
    """In a word, why the request got no usable answer; `request` is the decisive one of the call."""
    if request is None or not request.sent:
        return Cause.NOT_SENT
    if request.status is None:
        return _unanswered(request, error)
    return _not_done(request, request.status) if request.status >= _FIRST_REDIRECT else _unusable(request, error)


def _unanswered(request: HttpRequest, error: BaseException | None) -> Cause:
    if request.stopped:
        return Cause.SECOND_SEND
    return Cause.TIMEOUT if _is_timeout(error) else Cause.CONNECTION_LOST


def _not_done(request: HttpRequest, status: int) -> Cause:
    if status < _FIRST_ERROR:
        return Cause.REDIRECT
    if status >= _FIRST_SERVER_ERROR:
        return Cause.SERVER_ERROR
    if status in _LIMITED:
        return Cause.RATE_LIMITED
    return Cause.HTTP_ERROR if request.error_key is None else Cause.UNKNOWN_CODE


def _unusable(request: HttpRequest, error: BaseException | None) -> Cause:
    """A status of success, and yet no order in the answer."""
    match request.body_kind:
        case None:
            return Cause.TIMEOUT if _is_timeout(error) else Cause.TRUNCATED
        case "empty":
            return Cause.EMPTY
        case "text":
            return Cause.NOT_JSON
    if request.error_key is not None:
        return Cause.UNKNOWN_CODE
    if request.stopped:
        return Cause.SECOND_SEND
    return Cause.UNREADABLE if error is not None else Cause.NO_ORDER_ID


def _is_timeout(error: BaseException | None) -> bool:
    return isinstance(error, ccxt_errors.RequestTimeout | TimeoutError)


def _unsent(record: CallRecord, profile: Profile, error: BaseException | None) -> Evidence:
    if not record.requests and (refusal := _own_refusal(error)) is not None:
        return Evidence(sent=False, cause=Cause.NOT_BUILT.value, code=refusal)
    request = record.decisive()
    meaning = meaning_of(profile, request)
    # A helper request's refusal is not the order's; but a rate limit or a clock that is off holds the order up too.
    passing = meaning is not None and meaning.kind in {CodeKind.CLOCK_SKEW, CodeKind.RATE_LIMITED}
    return Evidence(
        sent=False,
        cause=Cause.NOT_SENT.value,
        http_status=request.status if request is not None else None,
        code=meaning if passing else None,
        retry_after=_retry_after(request),
    )


def _own_refusal(error: BaseException | None) -> ErrorCode | None:
    """Why ccxt would not build the request, now or later; None for what may go well next time."""
    if isinstance(error, _PASSING_ERRORS):
        return None
    if isinstance(error, ccxt_errors.BaseError):
        denied = isinstance(error, ccxt_errors.AuthenticationError)
        reason = RejectReason.NOT_PERMITTED if denied else RejectReason.INVALID_ORDER
        return ErrorCode(kind=CodeKind.REFUSED, reason=reason, text=f"not sent: {error}"[:_MAX_TEXT])
    if isinstance(error, _DEFECTS):
        text = f"not sent: ccxt could not build the request ({type(error).__name__})"
        return ErrorCode(kind=CodeKind.REFUSED, reason=RejectReason.OTHER, text=text)
    return None


def _retry_after(request: HttpRequest | None) -> float:
    return request.retry_after or 0.0 if request is not None else 0.0
