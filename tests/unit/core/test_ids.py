"""Order ids are UUIDs of version 7."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.ids import new_order_id

times = st.integers(0, 2**48 * 1_000_000 - 1)
randoms = st.binary(min_size=10, max_size=10)


@given(times, randoms)
def test_an_id_is_a_version_7_uuid_of_its_millisecond(now_ns: int, random: bytes):
    order_id = new_order_id(now_ns, random)
    parsed = uuid.UUID(order_id)

    assert order_id == parsed.hex
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == now_ns // 1_000_000


@given(times, randoms, randoms)
def test_an_id_is_decided_by_its_time_and_74_random_bits(now_ns: int, one: bytes, other: bytes):
    same = int.from_bytes(one, "big") % 2**74 == int.from_bytes(other, "big") % 2**74

    assert (new_order_id(now_ns, one) == new_order_id(now_ns, other)) is same


def test_a_later_millisecond_sorts_later():
    assert new_order_id(1_999_999, b"\xff" * 10) < new_order_id(2_000_000, b"\x00" * 10)


@pytest.mark.parametrize(("now_ns", "random"), [(-1, b"0" * 10), (2**48 * 1_000_000, b"0" * 10), (0, b"0" * 9)])
def test_a_time_or_randomness_that_gives_no_id_is_an_error(now_ns: int, random: bytes):
    with pytest.raises(ValueError, match=r"random bytes|set the clock"):
        new_order_id(now_ns, random)
