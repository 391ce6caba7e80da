"""Client order ids: derived, within their format, and as distinct as it allows."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.client_ids import ClientIdFormat, IdKind
from service.core.ids import new_order_id

HEX = ClientIdFormat(IdKind.PREFIXED_HEX, prefix="fp-")
BASE32 = ClientIdFormat(IdKind.PREFIXED_BASE32, prefix="fp", max_length=32)
SHORT = ClientIdFormat(IdKind.PREFIXED_BASE32, prefix="t-fp", max_length=28)
UUID = ClientIdFormat(IdKind.UUID)
HEX128 = ClientIdFormat(IdKind.HEX128)
NUMBER = ClientIdFormat(IdKind.NUMERIC, max_length=19, bits=63)

SHAPES = {
    HEX: r"fp-[0-9a-f]{32}",
    BASE32: r"fp[0-9a-v]{25}",
    SHORT: r"t-fp[0-9a-v]{24}",
    UUID: r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    HEX128: r"0x[0-9a-f]{32}",
    NUMBER: r"[0-9]{1,19}",
}
WHOLE = [HEX, BASE32, UUID, HEX128]
MARKED = [HEX, BASE32, SHORT]

NOW_NS = 1_720_000_000_000_000_000
LATEST_NS = 3_900_000_000_000_000_000

times = st.integers(NOW_NS, LATEST_NS)
randomness = st.binary(min_size=10, max_size=10)
order_ids = st.builds(new_order_id, times, randomness)


@pytest.mark.parametrize("id_format", SHAPES)
@given(order_id=order_ids)
def test_an_id_is_of_its_format_and_the_same_every_time(id_format: ClientIdFormat, order_id: str) -> None:
    client_order_id = id_format.derive(order_id)

    assert client_order_id == id_format.derive(order_id)
    assert re.fullmatch(SHAPES[id_format], client_order_id)
    assert len(client_order_id) <= id_format.length <= id_format.max_length


@pytest.mark.parametrize("id_format", WHOLE)
@given(one=order_ids, other=order_ids)
def test_formats_that_keep_all_bits_tell_all_orders_apart(id_format: ClientIdFormat, one: str, other: str) -> None:
    assert id_format.kept_bits == 122
    assert (id_format.derive(one) == id_format.derive(other)) == (one == other)


@pytest.mark.parametrize("id_format", WHOLE)
@given(order_id=order_ids, bit=st.integers(0, 79))
def test_every_random_bit_counts(id_format: ClientIdFormat, order_id: str, bit: int) -> None:
    flipped = f"{int(order_id, 16) ^ 1 << bit:032x}"
    if bit in {62, 63} or bit >= 76:
        return  # version and variant: the same in every order id

    assert id_format.derive(flipped) != id_format.derive(order_id)


@given(order_id=order_ids)
def test_a_cut_id_loses_the_last_random_bits_only(order_id: str) -> None:
    assert SHORT.kept_bits == 120
    assert SHORT.derive(order_id) == "t-" + BASE32.derive(order_id)[:-1]


@given(order_id=order_ids)
def test_a_number_keeps_the_time_and_22_bits_of_randomness(order_id: str) -> None:
    assert NUMBER.kept_bits == 63
    number = int(NUMBER.derive(order_id))
    value = int(order_id, 16)

    assert number < 2**63
    assert number >> 22 == (value >> 80) - 1_704_067_200_000
    assert number & 0x3FFFFF == (value >> 64 & 0xFFF) << 10 | value >> 52 & 0x3FF


@given(earlier=times, later=times, one=randomness, other=randomness)
def test_base32_and_numbers_sort_by_time(earlier: int, later: int, one: bytes, other: bytes) -> None:
    if earlier // 1_000_000 >= later // 1_000_000:
        return
    first, second = new_order_id(earlier, one), new_order_id(later, other)

    assert BASE32.derive(first) < BASE32.derive(second)
    assert int(NUMBER.derive(first)) < int(NUMBER.derive(second))


@pytest.mark.parametrize("id_format", MARKED)
@given(order_id=order_ids)
def test_an_id_with_a_mark_is_known_as_ours(id_format: ClientIdFormat, order_id: str) -> None:
    assert id_format.is_ours(id_format.derive(order_id))


@pytest.mark.parametrize("id_format", [UUID, HEX128, NUMBER])
@given(order_id=order_ids)
def test_an_id_without_a_mark_is_nobodys(id_format: ClientIdFormat, order_id: str) -> None:
    assert not id_format.is_ours(id_format.derive(order_id))


@pytest.mark.parametrize("id_format", SHAPES)
@given(text=st.text(max_size=40))
def test_foreign_ids_are_not_ours(id_format: ClientIdFormat, text: str) -> None:
    if not re.fullmatch(SHAPES[id_format], text):
        assert not id_format.is_ours(text)


@pytest.mark.parametrize(
    ("id_format", "text"),
    [
        (HEX, "fp-0190a5b61c2e4f3c8d4e5f60718293a4"),
        (HEX, "FP-0190a5b61c2e7f3c8d4e5f60718293a4"),
        (HEX, "0190a5b61c2e7f3c8d4e5f60718293a4"),
        (BASE32, "fp068abdgs5rps6ksnr0e61979"),
        (BASE32, "fp068abdgs5rps6ksnr0e61979w"),
        (SHORT, "t-068abdgs5rps6ksnr0e61979"),
    ],
)
def test_an_id_that_only_looks_like_ours_is_not(id_format: ClientIdFormat, text: str) -> None:
    assert not id_format.is_ours(text)


@pytest.mark.parametrize(
    "text", ["", "x", "0190A5B61C2E7F3C8D4E5F60718293A4", "0190a5b61c2e4f3c8d4e5f60718293a4", "0" * 31, "0" * 33]
)
@pytest.mark.parametrize("id_format", SHAPES)
def test_what_is_no_order_id_is_refused(id_format: ClientIdFormat, text: str) -> None:
    with pytest.raises(ValueError, match="no order id"):
        id_format.derive(text)


@pytest.mark.parametrize("now_ns", [1_704_067_199_999_000_000, 4_000_000_000_000_000_000])
def test_a_time_that_numbers_have_no_room_for_is_refused(now_ns: int) -> None:
    with pytest.raises(ValueError, match="2024 to 2093"):
        NUMBER.derive(new_order_id(now_ns, bytes(10)))


def test_a_format_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="10 bits"):
        ClientIdFormat(IdKind.PREFIXED_BASE32, prefix="fp", max_length=4)
    with pytest.raises(ValueError, match="36 characters"):
        ClientIdFormat(IdKind.UUID, max_length=18)
