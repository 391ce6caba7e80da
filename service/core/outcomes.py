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
    """

    looks_up_by_client_id: bool
    used_ids: UsedIds
    request_validity_ns: int
    visibility_delay_ns: int


def absence_provable_at(sent_ns: int, rules: ExchangeRules) -> int | None:
    """From when on a NotFound proves absence for a request sent at `sent_ns`; None: never."""
    if not rules.looks_up_by_client_id:
        return None
    return sent_ns + rules.request_validity_ns + rules.visibility_delay_ns


def may_resend_after_absence(rules: ExchangeRules) -> bool:
    """Whether a second request with the same client order id can never execute twice."""
    return rules.used_ids is UsedIds.REFUSED_FOREVER
