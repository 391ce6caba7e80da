"""A body becomes a document that is safe to work with, or a refusal that says where it breaks."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.alerts import decode_document
from service.core.refusals import DenialReason, Refusal

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def refused(body: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        decode_document(body)
    assert caught.value.reason is DenialReason.MALFORMED
    assert caught.value.status == 400
    return caught.value


def test_numbers_never_pass_through_float():
    document = decode_document(b'{"a": 0.10000000000000000000001, "b": 1e-8, "c": 123456789012345678901234567890}')

    assert document == {
        "a": Decimal("0.10000000000000000000001"),
        "b": Decimal("1e-8"),
        "c": 123456789012345678901234567890,
    }


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_bare_nan_and_infinity_arrive_as_strings(name: str):
    assert decode_document(b'{"a": %b, "b": 0.1}' % name.encode()) == {"a": name, "b": Decimal("0.1")}


def test_a_byte_order_mark_is_passed_over():
    assert decode_document(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b"", 0),
        (b"{", 1),
        (b'{"a": 1,, "b": 2}', 8),
        (b'{"a": 1} x', 9),
        ('{"ä": tru}'.encode(), 7),
        (b'\xef\xbb\xbf{"a": }', 9),
        (b'{"a": "\xff"}', 7),
        (b"[1, 2]", 0),
        (b'"text"', 0),
        (b"null", 0),
    ],
)
def test_a_refusal_says_at_which_byte_the_body_breaks(body: bytes, position: int):
    assert refused(body).extra == {"position": position}


def test_a_refusal_names_line_and_column():
    assert "line 2, column 7 (byte 8)" in refused(b'{\n "a": }').detail


def test_a_refusal_does_not_carry_the_body():
    refusal = refused(b'{"token": "s3cret", oops}')

    assert "s3cret" not in str(refusal)
    assert refusal.__suppress_context__


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a" : 1, "b": ":", "a"\n:2}',
    ],
)
def test_a_key_given_twice_is_refused(body: bytes):
    assert "twice" in refused(body).detail


def test_colons_and_quotes_in_texts_are_no_second_keys():
    body = {"symbol": "BINANCE:BTCUSDT", "comment": 'a":b', "timestamp": "2026-01-31T12:00:00Z"}

    assert decode_document(json.dumps(body).encode()) == body


@pytest.mark.parametrize(
    "number", ["1e999999999", "1e99999999999999999999", "-1e-31", "1e31", "9" * 41, "0." + "1" * 41, "9" * 5000, "0e99"]
)
def test_a_number_beyond_the_bounds_is_refused(number: str):
    assert "out of range" in refused(b'{"a": %b}' % number.encode()).detail


@pytest.mark.parametrize("number", ["1e30", "1e-30", "9" * 40, "0." + "1" * 40, "-0.0", "0e5"])
def test_a_number_at_the_bounds_is_taken(number: str):
    assert decode_document(b'{"a": %b}' % number.encode())["a"] == Decimal(number)


@pytest.mark.parametrize("depth", [17, 900, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_nesting_bomb_is_refused(depth: int, opening: bytes, closing: bytes):
    assert "nested" in refused(b'{"a":' + opening * depth + b"1" + closing * depth + b"}").detail


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b'{"\\udfff": 1}', b'{"a": ["\\ud800"]}'])
def test_half_a_surrogate_pair_is_refused(body: bytes):
    assert "surrogate" in refused(body).detail


def document_or_refusal(body: bytes) -> dict[str, object] | Refusal:
    try:
        return decode_document(body)
    except Refusal as refusal:
        return refusal


@given(json_values)
@settings(max_examples=100)
def test_any_json_is_a_document_or_malformed(value: object):
    result = document_or_refusal(json.dumps(value).encode())

    assert isinstance(result, dict) or result.reason is DenialReason.MALFORMED
    assert isinstance(value, dict) or isinstance(result, Refusal)


@given(st.binary(max_size=60))
@settings(max_examples=100)
def test_any_bytes_are_a_document_or_malformed(body: bytes):
    result = document_or_refusal(body)

    assert isinstance(result, dict) or result.reason is DenialReason.MALFORMED
