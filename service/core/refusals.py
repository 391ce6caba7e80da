"""Why we refuse: closed lists of reasons, each with the HTTP status its sender gets."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class DenialReason(StrEnum):
    """Refused by us, before or after the journal."""

    # before authentication
    ADDRESS = "address"
    RATE_LIMITED = "rate_limited"
    TOO_LARGE = "too_large"
    BODY_TIMEOUT = "body_timeout"
    MALFORMED = "malformed"
    SIGNATURE = "signature"
    OPERATOR_TOKEN = "operator_token"  # noqa: S105 - a reason, not a token
    # the alert
    KEY_REUSED = "key_reused"
    INVALID_FIELD = "invalid_field"
    UNKNOWN_FIELD = "unknown_field"
    NOT_A_NUMBER = "not_a_number"
    ACCOUNT_NOT_ALLOWED = "account_not_allowed"
    UNKNOWN_SYMBOL = "unknown_symbol"
    AMBIGUOUS_SYMBOL = "ambiguous_symbol"
    STALE = "stale"
    IN_FUTURE = "in_future"
    LOW_CONFIDENCE = "low_confidence"
    ORDER_TYPE_UNSUPPORTED = "order_type_unsupported"
    PROTECTION_UNSUPPORTED = "protection_unsupported"
    REDUCE_ONLY_UNSUPPORTED = "reduce_only_unsupported"
    POSITION_UNSUPPORTED = "position_unsupported"
    PRICE_BAND = "price_band"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    NO_MARKET_DATA = "no_market_data"
    HALTED = "halted"
    # after the journal
    INSUFFICIENT_BALANCE = "insufficient_balance"
    # ours, not the sender's
    JOURNAL_UNAVAILABLE = "journal_unavailable"
    OVERLOADED = "overloaded"
    SHUTTING_DOWN = "shutting_down"


class ExpiryReason(StrEnum):
    """Why an acknowledged order was not sent although nothing was wrong with it."""

    MAX_AGE = "max_age"
    PRICE_DRIFT = "price_drift"
    NO_MARKET_DATA = "no_market_data"
    HALTED = "halted"
    BREAKER_OPEN = "breaker_open"


_STATUS = {
    DenialReason.ADDRESS: 403,
    DenialReason.RATE_LIMITED: 429,
    DenialReason.TOO_LARGE: 413,
    DenialReason.BODY_TIMEOUT: 408,
    DenialReason.MALFORMED: 400,
    DenialReason.SIGNATURE: 401,
    DenialReason.OPERATOR_TOKEN: 401,
    DenialReason.KEY_REUSED: 409,
    DenialReason.JOURNAL_UNAVAILABLE: 503,
    DenialReason.OVERLOADED: 503,
    DenialReason.SHUTTING_DOWN: 503,
}


class FieldError(msgspec.Struct, frozen=True):
    """One field that was wrong; `kind` is a label: missing, type, range, not_a_number, unknown_field, conflict."""

    field: str
    kind: str
    message: str


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a defect
    """The answer to a request that is not carried out; never raised once an alert is journaled.

    `extra` becomes members of the problem document; it holds limits and candidates, never what was sent in secret.
    """

    def __init__(
        self,
        reason: DenialReason,
        detail: str,
        *,
        status: int | None = None,
        errors: tuple[FieldError, ...] = (),
        retry_after: int | None = None,
        extra: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.status = status if status is not None else _STATUS.get(reason, 422)
        self.errors = errors
        self.retry_after = retry_after
        self.extra = extra
