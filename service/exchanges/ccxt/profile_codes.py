"""How curated profiles are written: id formats and tables of codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service.core.client_ids import ClientIdFormat, IdKind
from service.core.outcomes import CodeKind, ErrorCode, RejectReason

HEX = ClientIdFormat(IdKind.PREFIXED_HEX, prefix="fp-")
"""35 characters: letters, digits and one dash."""
BASE32 = ClientIdFormat(IdKind.PREFIXED_BASE32, prefix="fp", max_length=32)
"""27 letters and digits."""
UUID = ClientIdFormat(IdKind.UUID)

Keys = str | Iterable[str]


def codes(
    *,
    funds: Keys = (),
    invalid: Keys = (),
    closed: Keys = (),
    permission: Keys = (),
    used: Keys = (),
    skew: Keys = (),
    limited: Keys = (),
) -> Mapping[str, ErrorCode]:
    """Each group of keys with its meaning; a text is parted by spaces, keys that hold spaces come as a tuple."""
    refused = {
        RejectReason.INSUFFICIENT_FUNDS: funds,
        RejectReason.INVALID_ORDER: invalid,
        RejectReason.MARKET_CLOSED: closed,
        RejectReason.NOT_PERMITTED: permission,
    }
    passing = {CodeKind.USED_ID: used, CodeKind.CLOCK_SKEW: skew, CodeKind.RATE_LIMITED: limited}
    made = {
        key: ErrorCode(kind=CodeKind.REFUSED, reason=reason) for reason, keys in refused.items() for key in _each(keys)
    }
    return made | {key: ErrorCode(kind=kind) for kind, keys in passing.items() for key in _each(keys)}


def _each(keys: Keys) -> Iterable[str]:
    return keys.split() if isinstance(keys, str) else keys
