"""The key by which an alert that comes again is known, and the hash by which its content is compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Context, Decimal

import msgspec

from service.core.documents import MAX_DIGITS, id_text, is_absent

_DAY_NS = 86_400 * 1_000_000_000
KEEP_NS = 30 * _DAY_NS
"""How long a key from the sender, or the hash of a body that carries its time, stands for the same alert."""

KEEP_BARE_HASH_NS = 25 * 1_000_000_000
"""The hash of a body without a time: long enough for TradingView's re-sends (every 5 s, 3 times), and short enough
for the same signal on the next bar."""

_MAX_KEY = 128
# Wide enough that removing trailing zeros never rounds.
_EXACT = Context(prec=MAX_DIGITS)
_encode = msgspec.json.Encoder(order="sorted").encode


class IdempotencyKey(msgspec.Struct, frozen=True):
    """`key` is unique within a source for `keep_ns` nanoseconds; at most 136 characters."""

    key: str
    keep_ns: int
    is_content_hash: bool


def content_hash(document: Mapping[str, object]) -> str:
    """SHA-256 (hex) of a decoded document without its token.

    The order of members, white space and the way a number is written (1.0, 1.00, 1e0) make no difference; a number
    and the same digits as a text do.
    """
    return hashlib.sha256(_encode({key: _canonical(value) for key, value in document.items()})).hexdigest()


def derive_key(*, webhook_id: str | None, document: Mapping[str, object], content_hash: str) -> IdempotencyKey:
    """The key of an authenticated alert: its signed `webhook-id`, else the body's `id`, else the body's hash.

    `webhook_id` is given only where the signature covers it. An `id` that names nothing (null, empty, NaN) is passed
    over, or all such alerts would be one.
    """
    if webhook_id:
        return IdempotencyKey(_bounded("wh", webhook_id), KEEP_NS, is_content_hash=False)
    own_id = id_text(document.get("id"))
    if own_id is not None:
        return IdempotencyKey(_bounded("id", own_id), KEEP_NS, is_content_hash=False)
    keep_ns = KEEP_BARE_HASH_NS if is_absent(document.get("timestamp")) else KEEP_NS
    return IdempotencyKey(f"hash:{content_hash}", keep_ns, is_content_hash=True)


def _bounded(kind: str, text: str) -> str:
    if len(text) <= _MAX_KEY:
        return f"{kind}:{text}"
    return f"{kind}-sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def _canonical(value: object) -> object:
    """Texts and numbers marked apart, numbers in one way of writing."""
    if isinstance(value, str):
        return f"s{value}"
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, Decimal)):
        number = Decimal(value)
        return f"n{number.normalize(_EXACT)}" if number else "n0"
    if isinstance(value, dict):
        return {key: _canonical(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_canonical(member) for member in value]
    raise TypeError(f"{type(value).__name__} is not a value of a decoded document")
