"""Decodes the body and proves who sent it; a secret that came in the body is cut out before anything is kept."""

from __future__ import annotations

from service.clock import Clock
from service.core import signatures
from service.core.alerts import decode_document
from service.core.refusals import DenialReason, Refusal
from service.intake.request import Intake
from telemetry import conventions as c
from telemetry.facade import Telemetry

SIGNATURE_HEADERS = ("x-signature", "x-webhook-signature")


class Decode:
    """JSON, whatever the content type says: TradingView sends `text/plain` for templates it cannot parse itself."""

    span = c.SPAN_WEBHOOK_DECODE

    def __call__(self, intake: Intake) -> None:
        intake.document = decode_document(intake.body)


class Authenticate:
    """401 without saying what was wrong, for an unknown source as for a wrong signature."""

    span = c.SPAN_WEBHOOK_AUTHENTICATE

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._attempts = telemetry.counters(c.AUDIT_EVENTS, "client_ip", "result", event_type="authentication")
        self._clock = clock

    def __call__(self, intake: Intake) -> None:
        token = intake.document.pop("token", None)
        proven = self._proves(intake, token)
        self._attempts[intake.client, "success" if proven else "failure"].add()
        if not proven:
            raise Refusal(DenialReason.SIGNATURE, "this request is not authenticated")
        intake.authenticated = True
        intake.span.keep()

    def _proves(self, intake: Intake, token: object) -> bool:
        # An unknown source takes the same way with no secrets, so that the time it takes tells nothing.
        source = intake.source
        auth = "standard" if source is None else source.settings.auth
        keys = () if source is None else source.keys
        headers = intake.headers
        if auth == "token":
            return signatures.verify_token([key.decode() for key in keys], token)
        if auth == "hmac":
            given = next((headers[name] for name in SIGNATURE_HEADERS if name in headers), "")
            return signatures.verify_hex(keys, given, intake.body)
        return signatures.verify_standard(
            keys,
            msg_id=headers.get("webhook-id", ""),
            timestamp=headers.get("webhook-timestamp", ""),
            signature_header=headers.get("webhook-signature", ""),
            body=intake.body,
            now_s=self._clock.now_ns() / 1e9,
        )
