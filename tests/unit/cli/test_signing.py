from __future__ import annotations

import msgspec
import pytest

from service.cli.signing import sign
from service.core.signatures import decode_secret, verify_hex, verify_standard
from service.errors import SecretError
from service.secrets import Secret

ALERT = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01", "id": "msg_1"}
WHSEC = "whsec_" + "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiBmaWxscGF0aA=="
NOW = 1_700_000_000


def test_a_standard_source_gets_the_headers_of_standard_webhooks():
    headers, body = sign("standard", Secret(WHSEC), ALERT, msg_id="msg_1", now_s=NOW)

    assert verify_standard(
        [decode_secret(WHSEC)],
        msg_id=headers["webhook-id"],
        timestamp=headers["webhook-timestamp"],
        signature_header=headers["webhook-signature"],
        body=body,
        now_s=NOW,
    )


def test_an_hmac_source_gets_the_bodys_digest():
    headers, body = sign("hmac", Secret("plain"), ALERT, msg_id="msg_1", now_s=NOW)

    assert verify_hex([b"plain"], headers["X-Signature"], body)


def test_a_token_source_gets_the_token_in_the_body_and_in_no_header():
    headers, body = sign("token", Secret("plain"), ALERT, msg_id="msg_1", now_s=NOW)

    assert msgspec.json.decode(body) == {**ALERT, "token": "plain"}
    assert "plain" not in str(headers)


def test_the_same_alert_is_the_same_body_so_that_it_can_be_sent_again():
    first, second = (sign("standard", Secret(WHSEC), ALERT, msg_id="msg_1", now_s=now) for now in (NOW, NOW + 60))

    assert first.body == second.body


def test_a_secret_that_cannot_sign_is_refused_without_being_shown():
    with pytest.raises(SecretError) as refused:
        sign("standard", Secret("whsec_not-base64!"), ALERT, msg_id="msg_1", now_s=NOW)

    assert "not-base64" not in str(refused.value)
