"""Order ids: UUIDs of version 7, which sort by time (RFC 9562, section 5.7)."""

from __future__ import annotations

RANDOM_BYTES = 10
_RAND_A = (1 << 12) - 1
_RAND_B = (1 << 62) - 1
_MS_LIMIT = 1 << 48


def new_order_id(now_ns: int, random: bytes) -> str:
    """32 lower-case hex digits from Unix nanoseconds and at least 10 random bytes.

    Ids of different milliseconds sort by time, those of the same one by chance. Raises `ValueError` for fewer bytes,
    or for a time that does not fit into 48 bits of milliseconds.
    """
    milliseconds = now_ns // 1_000_000
    if len(random) < RANDOM_BYTES:
        raise ValueError(f"an order id needs {RANDOM_BYTES} random bytes, got {len(random)}")
    if not 0 <= milliseconds < _MS_LIMIT:
        raise ValueError(f"{now_ns} ns is before 1970 or after the year 10889: set the clock")
    bits = int.from_bytes(random[:RANDOM_BYTES], "big")
    version_and_a = 0x7 << 12 | (bits >> 62) & _RAND_A
    variant_and_b = 0b10 << 62 | bits & _RAND_B
    return f"{milliseconds << 80 | version_and_a << 64 | variant_and_b:032x}"
