"""Encoded attributes, each distinct one encoded once for as long as it is in use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any

from telemetry.attributes import LONGEST, decimal_text, plain
from telemetry.lean.wire import SMALL, VARINTS, any_value, delimited, varint
from telemetry.redaction import is_secret

# Per cache: constants of the code and small numbers; about 2 MB at most.
CACHED_PAIRS = 8192
CACHED_VALUES = 256
"""Of one key: one with more of them hardly repeats itself, and looks its values up in what stays small."""
_CACHED_KEY, _CACHED_TEXT, _CACHED_PAIR = 64, 64, 160
_INT64 = 1 << 63

log = logging.getLogger(__name__)


class _Key(dict[Any, bytes]):
    """Pairs of one key by their value, a text or a whole number; a look-up of one that is not there encodes it.

    Nothing else is looked up: 1, 1.0 and True are one key to a dictionary.
    """

    __slots__ = ("_convert", "_head", "_make_room", "_others", "_shown", "_text_heads")

    def __init__(
        self, key: str, convert: Callable[[str, object], object] | None, make_room: Callable[[], None]
    ) -> None:
        self._head = b"\x0a" + delimited(key.encode()) + b"\x12"
        self._convert = None if convert is None else partial(convert, key)
        # What shows as it is whatever `convert` makes of others: no secrets.
        self._shown = convert is None or not is_secret(key)
        self._text_heads: dict[int, bytes] = {}
        self._others: dict[tuple[object, type], bytes] = {}
        self._make_room = make_room

    def __missing__(self, value: str | int) -> bytes:
        if not self._shown:
            pair = self._encode(value)
        elif isinstance(value, str):
            pair = self._text(value) if len(value) <= LONGEST and value.isascii() else self._encode(value)
        elif 0 <= value < _INT64:
            pair = _pair(self._head, b"\x18" + varint(value))
        else:
            pair = self._encode(value)
        if len(self) < CACHED_VALUES and len(pair) <= _CACHED_PAIR:
            self._make_room()
            self[value] = pair
        return pair

    def other(self, value: object) -> bytes:
        """A value of any other type."""
        if isinstance(value, Decimal) and self._shown and self._convert is not None:
            return self._text(decimal_text(value))
        kind = type(value)
        # Those whose equal values look alike: not floats (0.0 and -0.0), Decimals (1.0 and 1.00) or tuples.
        if kind is not bool and not (isinstance(value, Enum) and isinstance(value, str)):
            return self._encode(value)
        pair = self._others.get((value, kind))
        if pair is None:
            pair = self._encode(value)
            if len(self._others) < CACHED_VALUES and len(pair) <= _CACHED_PAIR:
                self._make_room()
                self._others[value, kind] = pair
        return pair

    def _text(self, text: str) -> bytes:
        """Of ASCII no longer than LONGEST: all that stands before it follows from its length."""
        size = len(text)
        head = self._text_heads.get(size)
        if head is None:
            head = _pair(self._head, b"\x0a" + varint(size) + bytes(size))[: -size or None]
            if size <= _CACHED_TEXT:
                self._text_heads[size] = head
        return head + text.encode()

    def _encode(self, value: object) -> bytes:
        return _pair(self._head, any_value(value if self._convert is None else self._convert(value)))


class _Keys(dict[str, _Key]):
    """By their names; all together hold at most `size` pairs, and then begin anew."""

    __slots__ = ("_convert", "_size", "count")

    def __init__(self, convert: Callable[[str, object], object] | None, size: int) -> None:
        self._convert = convert
        self._size = size
        self.count = 0

    def __missing__(self, key: str) -> _Key:
        known = _Key(key, self._convert, self._make_room)
        if len(key) <= _CACHED_KEY:
            self._make_room()
            self[key] = known
        return known

    def _make_room(self) -> None:
        # Starting anew is cheaper than remembering what was used last: what is in use is back at once.
        if self.count >= self._size:
            self.clear()
            self.count = 0
        self.count += 1


class Pairs:
    """Turns attributes into KeyValue messages, each with its length before it and no tag.

    The tag is left out because it is what stands between them: `tag.join(pairs)` after a head is the whole message.
    """

    def __init__(self, convert: Callable[[str, object], object] | None = None, size: int = CACHED_PAIRS) -> None:
        self._keys = _Keys(convert, size)

    def __len__(self) -> int:
        return self._keys.count

    def encode(self, attributes: Mapping[str, object], head: bytes) -> list[bytes]:
        """`head` and the pairs in the order of `attributes`; one that cannot be encoded is left out and logged."""
        keys, pairs = self._keys, [head]
        for key, value in attributes.items():
            kind = type(value)
            try:
                pairs.append(keys[key][value] if kind is str or kind is int else keys[key].other(value))
            except (TypeError, ValueError, AttributeError, RecursionError) as error:
                log.warning("an attribute could not be encoded and is left out: %s", type(error).__name__)
        return pairs


def _pair(head: bytes, shown: bytes) -> bytes:
    """A key as it is kept and an AnyValue message."""
    size = len(shown)
    pair = head + (VARINTS[size] if size < SMALL else varint(size)) + shown
    size = len(pair)
    return (VARINTS[size] if size < SMALL else varint(size)) + pair


own_pairs = Pairs(plain)
"""For what comes through the facade: values become plain here, once, instead of at every call."""

clean_pairs = Pairs()
"""For what came through the OpenTelemetry API and was cleaned there."""
