"""Our client order ids in the format each exchange takes, derived from the order id and from nothing else.

An order id is a UUID of version 7 in 32 lower-case hex digits (RFC 9562, section 5.7): 48 bits of milliseconds since
1970, 74 bits of randomness, 6 fixed bits. The formats that keep all of it are injective; the short ones say what they
keep. Derived, never stored: after a crash the same order has the same id.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

_DIGITS = 32
_ORDER_ID = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")
_BASE32 = "0123456789abcdefghijklmnopqrstuv"
"""RFC 4648's "extended hex" alphabet in lower case: the text sorts as the number does."""

_TIME_BITS = 48
_RANDOM_BITS = 74
_RAND_B_BITS = 62
_FULL_BITS = _TIME_BITS + _RANDOM_BITS
_CHARACTER_BITS = 5
_FULL_CHARACTERS = -(-_FULL_BITS // _CHARACTER_BITS)

_EPOCH_MS = 1_704_067_200_000
"""2024-01-01: what a number does not spend on the years before leaves room for randomness."""
_NUMBER_TIME_BITS = 41  # milliseconds: until 2093


class IdKind(StrEnum):
    """How an order id is written.

    PREFIXED_HEX: prefix and the 32 hex digits. PREFIXED_BASE32: prefix and up to 25 of 0-9a-v, cut at the end where
    `max_length` is short. UUID: with dashes. HEX128: `0x` and the 32 hex digits. NUMERIC: a decimal number below
    2 ** `bits`: 41 bits of time (milliseconds since 2024), the rest of the randomness that fits.
    """

    PREFIXED_HEX = "prefixed_hex"
    PREFIXED_BASE32 = "prefixed_base32"
    UUID = "uuid"
    HEX128 = "hex128"
    NUMERIC = "numeric"


class ClientIdFormat(msgspec.Struct, frozen=True):
    """What an exchange takes as a client order id: `max_length` characters, or numbers below 2 ** `bits`."""

    kind: IdKind
    prefix: str = ""
    max_length: int = 36
    bits: int = 63

    def __post_init__(self) -> None:
        """Raise ValueError for a format that keeps too little of an order id, or is longer than the exchange takes."""
        if self.length > self.max_length:
            raise ValueError(f"{self.kind} ids have {self.length} characters, the exchange takes {self.max_length}")
        if self.kept_bits < _LEAST_BITS:
            raise ValueError(f"{self.kept_bits} bits of an order id are kept, expected at least {_LEAST_BITS}")

    @property
    def kept_bits(self) -> int:
        """How many of the 122 bits of time and randomness an id keeps; below 122, two orders may share an id.

        The time is kept whole. Of 63 bits 41 are the time: two orders of one millisecond share an id with a
        probability of 2 ** -22.
        """
        match self.kind:
            case IdKind.PREFIXED_BASE32:
                return min(_FULL_BITS, self._room * _CHARACTER_BITS)
            case IdKind.NUMERIC:
                return min(self.bits, _NUMBER_TIME_BITS + _RANDOM_BITS)
            case _:
                return _FULL_BITS

    @property
    def length(self) -> int:
        """The longest id, in characters."""
        match self.kind:
            case IdKind.PREFIXED_HEX:
                return len(self.prefix) + _DIGITS
            case IdKind.PREFIXED_BASE32:
                return len(self.prefix) + min(_FULL_CHARACTERS, self._room)
            case IdKind.UUID:
                return _DIGITS + 4
            case IdKind.HEX128:
                return _DIGITS + 2
            case IdKind.NUMERIC:
                return len(str((1 << self.bits) - 1))

    @property
    def _room(self) -> int:
        return max(self.max_length - len(self.prefix), 0)

    def derive(self, order_id: str) -> str:
        """The client order id of an order: the same for the same order, always.

        Raises `ValueError` for anything but a UUID of version 7 in 32 lower-case hex digits.
        """
        if not _ORDER_ID.fullmatch(order_id):
            raise ValueError(f"{order_id[:_DIGITS]!r} is no order id; expected 32 hex digits of a UUID of version 7")
        match self.kind:
            case IdKind.PREFIXED_HEX:
                return self.prefix + order_id
            case IdKind.PREFIXED_BASE32:
                return self.prefix + _base32(_significant(order_id))[: self._room]
            case IdKind.UUID:
                return "-".join(order_id[start:end] for start, end in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
            case IdKind.HEX128:
                return f"0x{order_id}"
            case IdKind.NUMERIC:
                return str(self._number(order_id))

    def is_ours(self, text: str) -> bool:
        """Whether only `derive` can have made this; False for every id of a format without room for a mark."""
        rest = text.removeprefix(self.prefix)
        if not self.prefix or rest == text:
            return False
        match self.kind:
            case IdKind.PREFIXED_HEX:
                return _ORDER_ID.fullmatch(rest) is not None
            case IdKind.PREFIXED_BASE32:
                return len(text) == self.length and set(rest) <= set(_BASE32)
            case _:
                return False

    def _number(self, order_id: str) -> int:
        value = _significant(order_id)
        time_ms = (value >> _RANDOM_BITS) - _EPOCH_MS
        if not 0 <= time_ms < 1 << _NUMBER_TIME_BITS:
            raise ValueError(f"order id {order_id} is of a time outside 2024 to 2093, for which numbers have room")
        random_bits = self.kept_bits - _NUMBER_TIME_BITS
        return time_ms << random_bits | (value & (1 << _RANDOM_BITS) - 1) >> _RANDOM_BITS - random_bits


_LEAST_BITS = 60


def _significant(order_id: str) -> int:
    """The 122 bits that are not fixed, time first, so that what is cut off at the end is randomness."""
    value = int(order_id, 16)
    time_ms = value >> 80
    rand_a = value >> 64 & 0xFFF
    rand_b = value & (1 << _RAND_B_BITS) - 1
    return time_ms << _RANDOM_BITS | rand_a << _RAND_B_BITS | rand_b


def _base32(value: int) -> str:
    shifts = range((_FULL_CHARACTERS - 1) * _CHARACTER_BITS, -1, -_CHARACTER_BITS)
    # Shifted up first, so that cutting characters off the end cuts the lowest bits off, whatever 122 is by 5.
    padded = value << _FULL_CHARACTERS * _CHARACTER_BITS - _FULL_BITS
    return "".join(_BASE32[padded >> shift & 31] for shift in shifts)
