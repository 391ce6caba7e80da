"""What an exchange did with a request, as values.

An exception's type proves nothing: a request has one of four outcomes, and everything that is not proven is in
doubt. The rules by which an order in doubt may be called absent, or be sent again, are here too.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from service.core.orders import Fill, OrderStatus


class RejectReason(StrEnum):
    """Why an exchange refused; a closed list, because it is a metric's label."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    INVALID_ORDER = "invalid_order"
    DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
    MARKET_CLOSED = "market_closed"
    NOT_PERMITTED = "not_permitted"
    OTHER = "other"


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange's word on one order. `status` is one of EXCHANGE_STATES.

    `fills` holds those that the answer carried (maybe none, maybe not all); they are facts of their own and are
    de-duplicated by trade id. `filled_qty` (base units) is cumulative.
    """

    client_order_id: str
    exchange_order_id: str
    symbol: str
    status: OrderStatus
    filled_qty: Decimal
    ts_event_ns: int
    average_price: Decimal | None = None
    fills: tuple[Fill, ...] = ()
    reject_reason: RejectReason | None = None


class Accepted(msgspec.Struct, frozen=True):
    """A reply with an exchange order id and a status that is not "rejected"."""

    report: OrderReport


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed error code that means refused; nothing was or will be executed."""

    reason: RejectReason
    message: str = ""


class NotExecuted(msgspec.Struct, frozen=True, kw_only=True):
    """Proven not executed, for a cause that passes: may be sent again while fresh, after `retry_after` seconds."""

    cause: str
    retry_after: float = 0.0


class InDoubt(msgspec.Struct, frozen=True, kw_only=True):
    """Everything else: it may have been executed."""

    cause: str


Outcome = Accepted | Refused | NotExecuted | InDoubt


class Found(msgspec.Struct, frozen=True):
    report: OrderReport


class NotFound(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange answered that it has no such order, asked with our id at the right endpoint."""

    message: str = ""


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """The look-up failed; it says nothing about the order."""

    cause: str


LookUp = Found | NotFound | Unanswered


class UsedIds(StrEnum):
    """What an exchange does with a client order id that was used before."""

    REFUSED_FOREVER = "refused_forever"
    REFUSED_WHILE_OPEN = "refused_while_open"
    UNKNOWN = "unknown"


class ExchangeRules(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an exchange's dealing with client order ids; times in nanoseconds.

    `request_validity_ns`: how long after sending a request may still be executed (recvWindow, deadline).
    `visibility_delay_ns`: how long after execution an order may be missing from look-ups.
    `settling_ns`: how long after execution fills, balances and positions may not show it yet; where it is above 0,
    an order's fills are asked for until they are complete.
    """

    looks_up_by_client_id: bool
    used_ids: UsedIds
    request_validity_ns: int
    visibility_delay_ns: int
    settling_ns: int = 0


def absence_provable_at(sent_ns: int, rules: ExchangeRules) -> int | None:
    """From when on a NotFound proves absence for a request sent at `sent_ns`; None: never."""
    if not rules.looks_up_by_client_id:
        return None
    return sent_ns + rules.request_validity_ns + rules.visibility_delay_ns


def may_resend_after_absence(rules: ExchangeRules, *, closes_position: bool = False) -> bool:
    """Whether a second request with the same client order id can never have a second effect.

    `closes_position`: a reduce-only order on a perpetual over the whole position, which is read again before the
    send: the second of two finds nothing left to reduce. A partial one would close twice.
    """
    return closes_position or rules.used_ids is UsedIds.REFUSED_FOREVER


class CodeKind(StrEnum):
    """What a parsed error code of an exchange proves about an order request."""

    REFUSED = "refused"
    USED_ID = "used_id"
    CLOCK_SKEW = "clock_skew"
    RATE_LIMITED = "rate_limited"
    UNKNOWN = "unknown"


class ErrorCode(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange's error code with what it is known to mean; `text` is the code and the exchange's words."""

    kind: CodeKind
    reason: RejectReason = RejectReason.OTHER
    text: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one attempt to place an order.

    `sent` is False only with the proof that the order request's headers never left; a helper request inside the same
    call proves nothing. `report` is the reply as far as it could be read, its exchange order id maybe empty. `cause`
    says in a few words what happened; `retry_after` is seconds. Without anything sent a `code` that means refused is
    a refusal before the exchange: the order cannot be put into a request, now or later.
    """

    sent: bool
    cause: str
    http_status: int | None = None
    report: OrderReport | None = None
    code: ErrorCode | None = None
    retry_after: float = 0.0


_SERVER_ERROR = 500
_COUNT_UNSENT = frozenset({CodeKind.REFUSED, CodeKind.CLOCK_SKEW, CodeKind.RATE_LIMITED})
"""What a code means even if no order request left: another request of the call, or our own library, brought it up."""


def judge(evidence: Evidence) -> Outcome:
    """The outcome that the evidence proves; in doubt unless it proves one."""
    if not evidence.sent:
        return _unsent(evidence)
    report = evidence.report
    if report is not None and report.exchange_order_id:
        return Accepted(report) if report.status is not OrderStatus.REJECTED else _rejected(report)
    # A gateway in trouble may repeat the words of an exchange; its own status says that it does not know.
    if evidence.code is None or (evidence.http_status is not None and evidence.http_status >= _SERVER_ERROR):
        return InDoubt(cause=evidence.cause)
    return _of_code(evidence, evidence.code)


def _of_code(evidence: Evidence, code: ErrorCode) -> Outcome:
    match code.kind:
        case CodeKind.REFUSED:
            return Refused(reason=code.reason, message=code.text)
        case CodeKind.USED_ID:
            return Refused(reason=RejectReason.DUPLICATE_CLIENT_ORDER_ID, message=code.text)
        case CodeKind.CLOCK_SKEW | CodeKind.RATE_LIMITED:
            return NotExecuted(cause=code.kind.value, retry_after=evidence.retry_after)
        case CodeKind.UNKNOWN:
            return InDoubt(cause=evidence.cause)


def _unsent(evidence: Evidence) -> Outcome:
    """Not executed, whatever else went wrong; a helper request's code may say why, and how long to wait."""
    if evidence.code is not None and evidence.code.kind in _COUNT_UNSENT:
        return _of_code(evidence, evidence.code)
    return NotExecuted(cause=evidence.cause, retry_after=evidence.retry_after)


def _rejected(report: OrderReport) -> Outcome:
    """The exchange took note of the order and rejected it; one that says so of a filled order contradicts itself."""
    if report.filled_qty:
        return InDoubt(cause="reported rejected and filled")
    return Refused(reason=report.reject_reason or RejectReason.OTHER, message="the exchange reports it rejected")
