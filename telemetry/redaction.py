"""Keeps secrets out of text and of structured fields: by the key's name and by known prefixes.

Not by what a value looks like: a hex order id looks like a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

MASK = "[redacted]"

_NAMES = (
    r"x[-_](?:webhook[-_])?signature|webhook[-_]signature|signature|authorization|api[-_]?key|api[-_]?secret|"
    r"access[-_]?key|private[-_]?key|client[-_]?secret|secret|passphrase|password|passwd|(?:[a-z]+[-_])?token|cookie"
)
_SECRET_KEY = re.compile(rf"(?:^|[^a-z])(?:{_NAMES})s?(?:$|[^a-z])", re.IGNORECASE)
_PREFIXED = re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+|\b(?:Bearer|Basic)\s+[A-Za-z0-9+/=._~-]+", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""(?P<key>["']?\b(?:[a-z0-9]+[-_])*(?:{_NAMES})s?["']?\s*[:=]\s*)(?P<value>"[^"]*"?|'[^']*'?|[^\s,;&}})\]]+)""",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)

_DEPTH = 6
_NUMBERS = (bool, int, float)


@lru_cache(maxsize=1024)
def is_secret(key: str) -> bool:
    """Whether a field of this name may hold a secret."""
    return _SECRET_KEY.search(key) is not None


def clean_text(text: str) -> str:
    """Text that can be written as UTF-8: one lone surrogate from a body would cost a whole batch of spans."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def redact_text(text: str) -> str:
    """`key=value`, `"key": "value"`, bearer tokens, user info in URLs and known prefixes, masked; always UTF-8."""
    # Nearly every text has nothing in which the patterns could match, and to see that takes a tenth of their time.
    if text.isascii() and ":" not in text and "=" not in text:
        lower = text.lower()
        if "whsec_" not in lower and "bearer" not in lower and "basic" not in lower:
            return text
    text = clean_text(text)
    text = _PREFIXED.sub(MASK, text)
    text = _ASSIGNED.sub(rf"\g<key>{MASK}", text)
    return _USER_INFO.sub(rf"\g<scheme>{MASK}@", text)


def redact(value: object, depth: int = _DEPTH) -> object:
    """A value for a log record: mappings by key, text by pattern; everything else that is no number by its type."""
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, _NUMBERS):
        return value
    if depth == 0:
        return "..."
    if isinstance(value, Mapping):
        return {
            redact_text(str(key)): MASK if is_secret(str(key)) else redact(item, depth - 1)
            for key, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [redact(item, depth - 1) for item in value]
    return redact_text(str(value))
