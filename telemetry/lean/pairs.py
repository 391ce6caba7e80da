"""Encoded attributes, each distinct one encoded once for as long as it is in use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum

from telemetry.attributes import decimal_text, plain
from telemetry.lean.wire import SMALL, VARINTS, any_value, delimited, varint
from telemetry.redaction import is_secret

# Per cache: constants of the code and the ids of the orders under way; about 2 MB at most.
CACHED_PAIRS = 8192
_CACHED_TEXT = 64
_CACHED_NUMBER = 4096
_INT64 = 1 << 63

log = logging.getLogger(__name__)


class Pairs:
    """Turns attributes into KeyValue messages, each with its length before it and no tag.

    The tag is left out because it is what stands between them: `tag.join(pairs)` after a head is the whole message.
    """

    def __init__(self, convert: Callable[[str, object], object] | None = None, size: int = CACHED_PAIRS) -> None:
        self._convert = convert
        self._size = size
        self._keys: dict[str, bytes] = {}
        # Those of them whose numbers show as they are, whatever `convert` makes of others: no secrets.
        self._open: set[str] = set()
        self._texts: dict[str, dict[str, bytes]] = {}
        self._numbers: dict[str, dict[int, bytes]] = {}
        self._others: dict[tuple[str, object, type], bytes] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def encode(self, attributes: Mapping[str, object], head: bytes) -> list[bytes]:
        """`head` and the pairs in the order of `attributes`; one that cannot be encoded is left out and logged."""
        texts, numbers = self._texts, self._numbers
        pairs = [head]
        for key, value in attributes.items():
            if type(value) is str:
                # A dictionary in a dictionary: cheaper than a tuple for every look-up.
                try:
                    pairs.append(texts[key][value])
                    continue
                except KeyError:
                    pair = self._text(key, value)
            elif type(value) is int:
                # Hardly any of them is there: a failed look-up that raises costs five times one that does not.
                known = numbers.get(key)
                pair = None if known is None else known.get(value)
                if pair is None:
                    pair = self._number(key, value)
            elif type(value) is Decimal and key in self._open:
                text = decimal_text(value).encode()
                pair = _pair(self._keys[key], b"\x0a" + VARINTS[len(text)] + text)
            else:
                pair = self._other(key, value)
            if pair is not None:
                pairs.append(pair)
        return pairs

    def _text(self, key: str, value: str) -> bytes | None:
        pair = self._encode(key, value)
        if len(value) <= _CACHED_TEXT and pair is not None:
            self._make_room()
            known = self._texts.get(key)
            if known is None:
                self._texts[key] = {value: pair}
            else:
                known[value] = pair
        return pair

    def _number(self, key: str, value: int) -> bytes | None:
        if key in self._open and 0 <= value < _INT64:
            pair: bytes | None = _pair(self._keys[key], b"\x18" + varint(value))
        else:
            pair = self._encode(key, value)
        if -_CACHED_NUMBER <= value <= _CACHED_NUMBER and pair is not None:
            self._make_room()
            self._numbers.setdefault(key, {})[value] = pair
        return pair

    def _other(self, key: str, value: object) -> bytes | None:
        kind = type(value)
        # Those whose equal values look alike: not floats (0.0 and -0.0), Decimals (1.0 and 1.00) or tuples.
        if kind is not bool and not (isinstance(value, Enum) and isinstance(value, str)):
            return self._encode(key, value)
        # With the type, because 1, 1.0 and True are one key to a dictionary.
        pair = self._others.get((key, value, kind))
        if pair is None:
            pair = self._encode(key, value)
            if pair is not None:
                self._make_room()
                self._others[key, value, kind] = pair
        return pair

    def _make_room(self) -> None:
        # Starting anew is cheaper than remembering what was used last: what is in use is back at once.
        if self._count >= self._size:
            self._open.clear()
            self._keys.clear()
            self._texts.clear()
            self._numbers.clear()
            self._others.clear()
            self._count = 0
        self._count += 1

    def _encode(self, key: str, value: object) -> bytes | None:
        try:
            head = self._keys.get(key)
            if head is None:
                head = b"\x0a" + delimited(key.encode()) + b"\x12"
                if len(self._keys) < self._size and len(key) <= _CACHED_TEXT:
                    self._keys[key] = head
                    if self._convert is not None and not is_secret(key):
                        self._open.add(key)
            shown = any_value(value if self._convert is None else self._convert(key, value))
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            log.warning("an attribute could not be encoded and is left out: %s", type(error).__name__)
            return None
        return _pair(head, shown)


def _pair(head: bytes, shown: bytes) -> bytes:
    """A key as `Pairs` keeps it and an AnyValue message."""
    size = len(shown)
    pair = head + (VARINTS[size] if size < SMALL else varint(size)) + shown
    size = len(pair)
    return (VARINTS[size] if size < SMALL else varint(size)) + pair


own_pairs = Pairs(plain)
"""For what comes through the facade: values become plain here, once, instead of at every call."""

clean_pairs = Pairs()
"""For what came through the OpenTelemetry API and was cleaned there."""
