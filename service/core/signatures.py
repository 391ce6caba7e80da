"""Whether a request is from who it says: Standard Webhooks, HMAC in hex, tokens.

Verification takes the same time whichever secret fits, compares in constant time, and answers False to anything it
cannot read. An empty secret or token fits nothing: everybody knows it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from functools import lru_cache

TOLERANCE_S = 300
"""How far a signed timestamp may be from our clock, in either direction, in seconds."""

_SECRET_PREFIX = "whsec_"  # noqa: S105 - marks a secret, is none
_VERSION = "v1,"
_HEX_PREFIX = "sha256="
_MIN_SECRET_BYTES = 24
_MAX_TIMESTAMP_DIGITS = 12
_MAX_SIGNATURES = 16
_KEYS = 64


def decode_secret(text: str) -> bytes:
    """The key bytes of a Standard Webhooks secret: base64, with or without `whsec_` before it.

    Raises `ValueError` (never with the secret in it) for bad base64 and for keys below the 24 bytes that the
    specification asks for: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    try:
        secret = base64.b64decode(text.strip().removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        # `from None`: a traceback must not lead to the text.
        raise ValueError("the signing secret is not base64; expected whsec_ and base64 of 24 to 64 bytes") from None
    if len(secret) < _MIN_SECRET_BYTES:
        raise ValueError(f"the signing secret has {len(secret)} bytes; at least {_MIN_SECRET_BYTES} are needed")
    return secret


def sign_standard(secret: bytes, *, msg_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` value: `v1,` and the base64 of HMAC-SHA256 over `msg_id.timestamp.body`.

    `timestamp` is Unix seconds. Raises `ValueError` for a `msg_id` that no receiver takes.
    """
    if not _is_id(msg_id):
        raise ValueError(f"{msg_id[:64]!r} is no webhook-id: expected ASCII without a full stop")
    return _VERSION + _standard_digest(secret, msg_id.encode("ascii"), str(timestamp).encode(), body).decode()


def verify_standard(
    secrets: Sequence[bytes],
    *,
    msg_id: str,
    timestamp: str,
    signature_header: str,
    body: bytes,
    now_s: float,
    tolerance_s: float = TOLERANCE_S,
) -> bool:
    """Whether one of the signatures (separated by spaces) is ours and the timestamp within the tolerance.

    The texts are header values; `now_s` is Unix seconds.
    """
    if not (_is_id(msg_id) and timestamp.isascii() and timestamp.isdigit()):
        return False
    if len(timestamp) > _MAX_TIMESTAMP_DIGITS or abs(now_s - int(timestamp)) > tolerance_s:
        return False
    given = [part.removeprefix(_VERSION) for part in signature_header.split() if part.startswith(_VERSION)]
    fits = False
    for secret in secrets:
        expected = _standard_digest(secret, msg_id.encode(), timestamp.encode(), body)
        # The text is compared, not its bytes: base64 leaves bits unused, and only one way of writing counts.
        for signature in given[:_MAX_SIGNATURES]:
            fits |= hmac.compare_digest(expected, _bytes(signature)) and bool(secret)
    return fits


def sign_hex(secret: bytes, body: bytes) -> str:
    """HMAC-SHA256 of the raw body, as 64 lower-case hex digits."""
    return _mac(secret, body).hex()


def verify_hex(secrets: Sequence[bytes], signature: str, body: bytes) -> bool:
    """Whether `signature` is the body's HMAC-SHA256 in hex, in either case, with or without `sha256=` before it."""
    given = _bytes(signature.strip().removeprefix(_HEX_PREFIX).lower())
    fits = False
    for secret in secrets:
        fits |= hmac.compare_digest(sign_hex(secret, body).encode(), given) and bool(secret)
    return fits


def verify_token(tokens: Sequence[str], given: object) -> bool:
    """Whether a body's token (any JSON value) is one of ours."""
    if not isinstance(given, str):
        return False
    # Digests have one length; comparing the texts would tell how long ours are.
    digest = hashlib.sha256(_bytes(given)).digest()
    fits = False
    for token in tokens:
        fits |= hmac.compare_digest(hashlib.sha256(_bytes(token)).digest(), digest) and bool(token)
    return fits


def _is_id(msg_id: str) -> bool:
    """ASCII, and no full stop: with one, id and timestamp could be cut apart in two ways (so the specification)."""
    return bool(msg_id) and msg_id.isascii() and "." not in msg_id


def _standard_digest(secret: bytes, msg_id: bytes, timestamp: bytes, body: bytes) -> bytes:
    content = b"%b.%b.%b" % (msg_id, timestamp, body)
    return base64.b64encode(_mac(secret, content))


def _mac(secret: bytes, content: bytes) -> bytes:
    """HMAC-SHA256. `hmac.digest` would let go of the interpreter's lock for these few bytes: another thread takes it,
    and the answer to a sender waits for that thread's turn to end.
    """
    mac = _keyed(secret).copy()
    mac.update(content)
    return mac.digest()


@lru_cache(_KEYS)
def _keyed(secret: bytes) -> hmac.HMAC:
    return hmac.new(secret, digestmod=hashlib.sha256)


def _bytes(text: str) -> bytes:
    """UTF-8 of any string, half surrogate pairs included."""
    return text.encode(errors="surrogatepass")
