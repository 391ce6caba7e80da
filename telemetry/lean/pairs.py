"""Encoded attributes, each distinct one encoded once for as long as it is in use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from enum import Enum

from telemetry.attributes import plain
from telemetry.lean.wire import SMALL, VARINTS, any_value, delimited, varint

# Per cache: constants of the code and the ids of the orders under way; about 2 MB at most.
CACHED_PAIRS = 8192
_CACHED_TEXT = 64
_CACHED_NUMBER = 4096

log = logging.getLogger(__name__)


class Pairs:
    """Turns attributes into KeyValue messages, each with its length before it and no tag.

    The tag is left out because it is what stands between them: `tag.join(pairs)` after a head is the whole message.
    """

    def __init__(self, convert: Callable[[str, object], object] | None = None, size: int = CACHED_PAIRS) -> None:
        self._convert = convert
        self._size = size
        self._keys: dict[str, bytes] = {}
        self._texts: dict[str, dict[str, bytes]] = {}
        self._others: dict[tuple[str, object, type], bytes] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def encode(self, attributes: Mapping[str, object], head: bytes) -> list[bytes]:
        """`head` and the pairs in the order of `attributes`; one that cannot be encoded is left out and logged."""
        texts = self._texts
        pairs = [head]
        for key, value in attributes.items():
            if type(value) is str:
                # A dictionary in a dictionary: cheaper than a tuple for every look-up.
                try:
                    pairs.append(texts[key][value])
                    continue
                except KeyError:
                    pair = self._text(key, value)
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

    def _other(self, key: str, value: object) -> bytes | None:
        kind = type(value)
        # Those whose equal values look alike: not floats (0.0 and -0.0), Decimals (1.0 and 1.00) or tuples.
        lasting = kind is bool or (kind is int and -_CACHED_NUMBER <= value <= _CACHED_NUMBER)  # type: ignore[operator]
        if not lasting and not (isinstance(value, Enum) and isinstance(value, str)):
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
            self._keys.clear()
            self._texts.clear()
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
            shown = any_value(value if self._convert is None else self._convert(key, value))
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            log.warning("an attribute could not be encoded and is left out: %s", type(error).__name__)
            return None
        size = len(shown)
        pair = head + (VARINTS[size] if size < SMALL else varint(size)) + shown
        size = len(pair)
        return (VARINTS[size] if size < SMALL else varint(size)) + pair


own_pairs = Pairs(plain)
"""For what comes through the facade: values become plain here, once, instead of at every call."""

clean_pairs = Pairs()
"""For what came through the OpenTelemetry API and was cleaned there."""
