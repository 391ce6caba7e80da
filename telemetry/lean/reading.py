"""Reads the fields of a protobuf message: a receiver's answer, and our own spans that somebody wants to see."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field number and value: varints as unsigned numbers, everything else as its bytes.

    Raises:
        ValueError: this is no protobuf message.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            number, at = _varint(message, at)
            yield tag >> 3, number
            continue
        if kind == _DELIMITED:
            size, at = _varint(message, at)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"protobuf wire type {kind} is unknown; expected varint, fixed or length-delimited")
        if at + size > end:
            raise ValueError("a protobuf field ends beyond its message; expected a whole message")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(message) or shift > 63:  # noqa: PLR2004 - ten bytes of seven bits
            raise ValueError("a protobuf number does not end; expected at most ten bytes")
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte
            return number, at
        shift += 7
