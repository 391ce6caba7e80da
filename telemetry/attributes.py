"""What a value becomes on a span or a log record."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from telemetry.redaction import MASK, clean_text, is_secret, redact_text

Plain = str | bool | int | float

LONGEST = 1024
"""Characters of a text."""
_MESSAGE = 256
_PLACES = 64
_INT64 = 1 << 63


def plain(key: str, value: object) -> Plain:
    """A value of a kind that every backend takes: money as a decimal string, text bounded, a secret key's masked."""
    if is_secret(key):
        return MASK
    if isinstance(value, str):
        return clean_text(str(value)[:LONGEST])
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return int(value) if -_INT64 <= value < _INT64 else f"{value:#x}"[:LONGEST]
    return f"<{type(value).__name__}>"


def converted(attributes: Mapping[str, object]) -> dict[str, Plain]:
    return {key: plain(key, value) for key, value in attributes.items()}


def decimal_text(value: Decimal) -> str:
    """Without exponent as long as that is short; a number beyond any price or quantity keeps its exponent."""
    text = str(value)
    # A quarter of what formatting takes, and right for nearly every price and quantity.
    if "E" not in text and len(text) <= _PLACES:
        return text
    if not value.is_finite():
        return text
    # adjusted() is cheap; writing out 1e999999999 would need a gigabyte.
    if abs(value.adjusted()) > _PLACES:
        return f"{value:.16E}"
    return f"{value:f}"[: 2 * _PLACES]


def error_type(error: BaseException) -> str:
    """The qualified class name; a builtin without its module."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def error_message(error: object) -> str:
    """At most 256 characters, secrets masked."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may do anything; the type is recorded beside it
        return "<no message>"
    # Redacted before it is cut: half a secret would no longer be recognised.
    return redact_text(text[: 16 * _MESSAGE])[:_MESSAGE]
