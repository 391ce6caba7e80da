"""An alert as a signed request, the way each kind of source proves itself; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from service.core.signatures import decode_secret, sign_hex, sign_standard
from service.errors import SecretError
from service.secrets import Secret


class SignedRequest(NamedTuple):
    headers: dict[str, str]
    body: bytes


def sign(
    auth: Literal["standard", "hmac", "token"], secret: Secret, alert: Mapping[str, object], *, msg_id: str, now_s: int
) -> SignedRequest:
    """Headers and body of `alert`.

    standard: Standard Webhooks (https://www.standardwebhooks.com), `msg_id` as `webhook-id`; hmac: HMAC-SHA256 of the
    body in `X-Signature`; token: the secret in the body. Raises SecretError for a secret that cannot sign.
    """
    headers = {"Content-Type": "application/json"}
    if auth == "token":
        return SignedRequest(headers, msgspec.json.encode({**alert, "token": secret.reveal()}))
    body = msgspec.json.encode(alert)
    if auth == "hmac":
        return SignedRequest(headers | {"X-Signature": sign_hex(secret.reveal().encode(), body)}, body)
    try:
        key = decode_secret(secret.reveal())
    except ValueError:
        raise SecretError("the secret of a signed source has to be `whsec_` and base64; mend or replace it") from None
    headers |= {
        "webhook-id": msg_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": sign_standard(key, msg_id=msg_id, timestamp=now_s, body=body),
    }
    return SignedRequest(headers, body)
