"""Protocol buffers by hand: varints, length-delimited fields, and OTLP's attribute values.

Source: https://protobuf.dev/programming-guides/encoding/ and opentelemetry/proto/common/v1/common.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct

_INT64 = 1 << 63
_UINT64 = 1 << 64
SMALL = 1 << 11

_DELIMITED = 2
_double = Struct("<Bd").pack

_TRUE = b"\x10\x01"
_FALSE = b"\x10\x00"


def _varint(n: int) -> bytes:
    if n < 1 << 21:
        # Lengths of batches, commit ids: written out, these are three times as fast.
        if n < 1 << 14:
            return bytes((n,)) if n < 1 << 7 else bytes((n & 0x7F | 0x80, n >> 7))
        return bytes((n & 0x7F | 0x80, n >> 7 & 0x7F | 0x80, n >> 14))
    out = bytearray()
    while n > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


VARINTS = tuple(_varint(n) for n in range(SMALL))
"""The numbers below SMALL, encoded: nearly every length is one of them."""


def varint(n: int) -> bytes:
    """A number from 0 to 2**64 - 1."""
    return VARINTS[n] if n < SMALL else _varint(n)


def delimited(payload: bytes) -> bytes:
    """Length and payload, without a tag."""
    n = len(payload)
    return (VARINTS[n] if n < SMALL else _varint(n)) + payload


def field_bytes(number: int, payload: bytes) -> bytes:
    """A whole field of a string, bytes or message."""
    return varint(number << 3 | _DELIMITED) + delimited(payload)


def field_text(number: int, text: str) -> bytes:
    """A string field as proto3 has it: nothing at all for an empty one.

    What is no UTF-8 becomes a question mark: a lone surrogate in a name must not cost the whole span.
    """
    return field_bytes(number, text.encode("utf-8", "replace")) if text else b""


def field_varint(number: int, n: int) -> bytes:
    """A uint32, uint64 or enum field as proto3 has it: nothing at all for 0."""
    return varint(number << 3) + varint(n) if n else b""


def any_value(value: object) -> bytes:
    """An AnyValue message.

    Raises:
        TypeError: no kind of value that OTLP has.
        ValueError: an integer beyond 64 bits, or text that is no UTF-8.
        RecursionError: nested without end.
    """
    # By exact type first: that is what nearly all values are, and the cheapest question.
    if type(value) is str:
        text = value.encode()
        size = len(text)
        return b"\x0a" + (VARINTS[size] if size < SMALL else _varint(size)) + text
    if type(value) is bool:
        return _TRUE if value else _FALSE
    if type(value) is int:
        return b"\x18" + _int64(value)
    if type(value) is float:
        return _double(0x21, value)
    return b"" if value is None else _rarer(value)


def _rarer(value: object) -> bytes:
    if isinstance(value, str):
        return b"\x0a" + delimited(str.encode(value))
    if isinstance(value, int):
        return b"\x18" + _int64(int(value))
    if isinstance(value, float):
        return _double(0x21, value)
    if isinstance(value, bytes):
        return b"\x3a" + delimited(value)
    if isinstance(value, Sequence):
        return b"\x2a" + delimited(b"".join([b"\x0a" + delimited(any_value(item)) for item in value]))
    if isinstance(value, Mapping):
        pairs = [b"\x0a" + delimited(key_value(str(key), item)) for key, item in value.items()]
        return b"\x32" + delimited(b"".join(pairs))
    raise TypeError(f"an attribute value of type {type(value).__name__} cannot be encoded; expected an OTLP value")


def _int64(n: int) -> bytes:
    if 0 <= n < SMALL:
        return VARINTS[n]
    if not -_INT64 <= n < _INT64:
        raise ValueError("an integer attribute is beyond 64 bits; expected -2**63 to 2**63 - 1")
    return _varint(n % _UINT64)


def key_value(key: str, value: object) -> bytes:
    """A KeyValue message, without its own tag and length; raises as `any_value` does."""
    return b"\x0a" + delimited(key.encode()) + b"\x12" + delimited(any_value(value))
