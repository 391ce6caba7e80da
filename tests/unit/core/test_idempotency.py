"""The key of an alert, and what makes two bodies the same content."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.idempotency import KEEP_BARE_HASH_NS, KEEP_NS, IdempotencyKey, content_hash, derive_key
from tests.unit.core.samples import positive

DAY_NS = 86_400_000_000_000
scalars = (
    st.none() | st.booleans() | st.integers(-(10**40) + 1, 10**40 - 1) | positive(exponent=30) | st.text(max_size=5)
)
documents = st.dictionaries(st.text(max_size=5), scalars | st.lists(scalars, max_size=2), max_size=5)


def key_of(document: dict[str, object], webhook_id: str | None = None) -> IdempotencyKey:
    return derive_key(webhook_id=webhook_id, document=document, content_hash="abc")


@pytest.mark.parametrize(
    ("webhook_id", "document", "key", "keep_ns", "is_hash"),
    [
        ("msg_1", {"id": "a", "timestamp": 1}, "wh:msg_1", 30 * DAY_NS, False),
        (None, {"id": "a"}, "id:a", 30 * DAY_NS, False),
        (None, {"id": 17}, "id:17", 30 * DAY_NS, False),
        (None, {"id": Decimal("1.5")}, "id:1.5", 30 * DAY_NS, False),
        (None, {"timestamp": "2026-01-31T12:00:00Z"}, "hash:abc", 30 * DAY_NS, True),
        (None, {}, "hash:abc", 25_000_000_000, True),
        ("", {}, "hash:abc", 25_000_000_000, True),
    ],
)
def test_the_key_is_the_signed_id_else_the_bodys_id_else_its_hash(
    webhook_id: str | None, document: dict[str, object], key: str, keep_ns: int, is_hash: bool
):
    assert key_of(document, webhook_id) == IdempotencyKey(key, keep_ns, is_hash)


@pytest.mark.parametrize("nothing", [None, "", "  ", "NaN", "Infinity", True, [1]])
def test_an_id_that_names_nothing_is_no_key(nothing: object):
    assert key_of({"id": nothing}).is_content_hash


@pytest.mark.parametrize("nothing", [None, "", "NaN"])
def test_a_timestamp_that_says_nothing_does_not_prolong_the_key(nothing: object):
    assert key_of({"timestamp": nothing}).keep_ns == KEEP_BARE_HASH_NS


def test_a_long_id_is_hashed_and_still_its_own():
    one, other = key_of({"id": "x" * 5000}), key_of({"id": "x" * 4999 + "y"})

    assert len(one.key) <= 136
    assert one.key != other.key
    assert one.keep_ns == KEEP_NS


def test_a_signed_id_and_a_bodys_id_never_meet():
    assert key_of({}, "a").key != key_of({"id": "a"}).key


@given(documents, st.randoms())
@settings(max_examples=100)
def test_the_order_of_members_makes_no_difference(document: dict[str, object], random):
    members = list(document.items())
    random.shuffle(members)

    assert content_hash(dict(members)) == content_hash(document)


@given(positive(exponent=30))
@settings(max_examples=100)
def test_how_a_number_is_written_makes_no_difference(number: Decimal):
    padded = Decimal(f"{number:e}".replace("e", "00e") if "." in f"{number:e}" else f"{number:e}".replace("e", ".00e"))

    assert padded == number
    assert content_hash({"a": padded}) == content_hash({"a": number})


@given(documents, documents)
@settings(max_examples=100)
def test_other_content_has_another_hash(one: dict[str, object], other: dict[str, object]):
    assert (content_hash(one) == content_hash(other)) is (_typed(one) == _typed(other))


def _typed(value: object) -> object:
    """Equal where JSON is: Python takes True for 1, JSON does not."""
    if isinstance(value, dict):
        return {key: _typed(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_typed(member) for member in value]
    return (isinstance(value, bool), value)


@pytest.mark.parametrize(
    ("one", "other"), [({"a": 1}, {"a": "1"}), ({"a": True}, {"a": 1}), ({"a": None}, {}), ({"a": "n1"}, {"a": 1})]
)
def test_a_number_a_text_a_boolean_and_nothing_are_different_contents(one: dict, other: dict):
    assert content_hash(one) != content_hash(other)


@pytest.mark.parametrize("zero", [0, Decimal("0.00"), Decimal("-0")])
def test_zero_is_zero(zero: object):
    assert content_hash({"a": zero}) == content_hash({"a": 0})
