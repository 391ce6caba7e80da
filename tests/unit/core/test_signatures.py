"""Only who has the secret can sign, and garbage is simply False."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.signatures import (
    decode_secret,
    sign_hex,
    sign_standard,
    verify_hex,
    verify_standard,
    verify_token,
)

SECRET = b"0123456789abcdef0123456789abcdef"
OLD = b"fedcba9876543210fedcba9876543210"
BODY = b'{"symbol": "BTC-USDT"}'
NOW = 1_769_860_800

bodies = st.binary(max_size=50)


def standard(*, secrets=(SECRET,), msg_id="msg_1", timestamp=str(NOW), header=None, body=BODY, now_s=NOW) -> bool:
    if header is None:
        header = sign_standard(SECRET, msg_id="msg_1", timestamp=NOW, body=BODY)
    return verify_standard(secrets, msg_id=msg_id, timestamp=timestamp, signature_header=header, body=body, now_s=now_s)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_vector_of_the_reference_implementation_is_reproduced():
    secret = decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signature = sign_standard(
        secret, msg_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(bodies, st.sampled_from(["a", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"]), st.integers(0, 10**11))
@settings(max_examples=50)
def test_what_was_signed_verifies(body: bytes, msg_id: str, now: int):
    header = sign_standard(SECRET, msg_id=msg_id, timestamp=now, body=body)

    assert standard(msg_id=msg_id, timestamp=str(now), header=header, body=body, now_s=now)


@given(st.integers(0, len(BODY) * 8 - 1))
@settings(max_examples=50)
def test_a_flipped_bit_of_the_body_fails(bit: int):
    assert not standard(body=flipped(BODY, bit))
    assert not verify_hex([SECRET], sign_hex(SECRET, BODY), flipped(BODY, bit))


@given(st.integers(0, 44 * 8 - 1))
@settings(max_examples=100)
def test_a_flipped_bit_of_the_signature_fails(bit: int):
    version, signature = sign_standard(SECRET, msg_id="msg_1", timestamp=NOW, body=BODY).split(",")

    assert not standard(header=f"{version},{flipped(signature.encode(), bit).decode('latin-1')}")


@given(st.integers(0, 64 * 8 - 1))
@settings(max_examples=100)
def test_a_flipped_bit_of_a_hex_signature_fails_unless_it_is_only_the_case(bit: int):
    signature = sign_hex(SECRET, BODY)
    changed = flipped(signature.encode(), bit).decode("latin-1")

    assert verify_hex([SECRET], changed, BODY) is (changed.lower() == signature)


@given(st.integers(0, len(SECRET) * 8 - 1))
@settings(max_examples=50)
def test_a_flipped_bit_of_the_secret_fails(bit: int):
    assert not standard(secrets=[flipped(SECRET, bit)])


def test_during_a_rotation_any_secret_and_any_of_the_signatures_fits():
    old = sign_standard(OLD, msg_id="msg_1", timestamp=NOW, body=BODY)
    new = sign_standard(SECRET, msg_id="msg_1", timestamp=NOW, body=BODY)

    assert standard(secrets=[OLD, SECRET], header=new)
    assert standard(secrets=[SECRET, OLD], header=new)
    assert standard(secrets=[SECRET], header=f"{old} v1a,zzz {new}")
    assert not standard(secrets=[SECRET], header=old)
    assert verify_hex([OLD, SECRET], sign_hex(SECRET, BODY), BODY)


@pytest.mark.parametrize(("offset", "fits"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_the_timestamp_is_within_five_minutes_either_way(offset: int, fits: bool):
    assert standard(now_s=NOW + offset) is fits


@pytest.mark.parametrize(
    "wrong",
    [
        {"msg_id": ""},
        {"msg_id": "msg_2"},
        {"msg_id": "ü"},
        {"msg_id": "msg.1"},
        {"timestamp": ""},
        {"timestamp": "soon"},
        {"timestamp": "-1"},
        {"timestamp": f"{NOW}.0"},
        {"timestamp": "\u0661"},
        {"timestamp": "9" * 5000},
        {"header": ""},
        {"header": "v1,"},
        {"header": "v1, , v1"},
        {"header": "v1,ü\ud800"},
        {"header": "v1,!!!!"},
        {"header": "v2,abc"},
        {"secrets": []},
    ],
)
def test_garbage_is_simply_false(wrong: dict[str, object]):
    assert not standard(**wrong)


def test_a_message_id_that_could_be_cut_in_two_ways_is_not_signed():
    with pytest.raises(ValueError, match="full stop"):
        sign_standard(SECRET, msg_id="a.1", timestamp=NOW, body=BODY)


@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_a_hex_signature_may_have_its_prefix_and_any_case(prefix: str):
    assert verify_hex([SECRET], f" {prefix}{sign_hex(SECRET, BODY)}", BODY)
    assert verify_hex([SECRET], prefix + sign_hex(SECRET, BODY).upper(), BODY)


@pytest.mark.parametrize("garbage", ["", "sha256=", "zz", "ü", "\ud800", "sha1=abc"])
def test_a_hex_signature_that_is_garbage_is_simply_false(garbage: str):
    assert not verify_hex([SECRET], garbage, BODY)


def test_an_empty_secret_or_token_fits_nothing():
    assert not standard(secrets=[b""], header=sign_standard(b"", msg_id="msg_1", timestamp=NOW, body=BODY))
    assert not verify_hex([b""], sign_hex(b"", BODY), BODY)
    assert not verify_token([""], "")


@pytest.mark.parametrize(
    ("given_", "fits"),
    [("secret", True), ("grün", True), ("Secret", False), ("secret ", False), ("", False), ("\ud800", False)]
    + [(wrong, False) for wrong in (None, 1, True, ["secret"], {})],
)
def test_a_token_is_one_of_ours_or_not(given_: object, fits: bool):
    assert verify_token(["grün", "secret"], given_) is fits


@given(st.binary(min_size=24, max_size=64))
@settings(max_examples=30)
def test_a_secret_decodes_with_and_without_its_prefix(secret: bytes):
    text = base64.b64encode(secret).decode()

    assert decode_secret(text) == decode_secret(f"whsec_{text}") == secret


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_!!!!", "whsec_ü", "whsec_" + base64.b64encode(b"short").decode()]
)
def test_a_bad_secret_is_an_error_that_does_not_show_it(text: str):
    with pytest.raises(ValueError, match="24") as caught:
        decode_secret(text)

    assert len(text) < 8 or text.removeprefix("whsec_") not in str(caught.value)
    assert caught.value.__cause__ is None
