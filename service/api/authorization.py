"""The operator token, in front of the operator's application."""

from __future__ import annotations

import hmac
import logging

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problem import refused
from service.core.refusals import DenialReason, Refusal
from service.secrets import Secret
from telemetry import conventions as c
from telemetry.facade import Telemetry

log = logging.getLogger(__name__)

OPEN_PATHS = frozenset({"/metrics", "/healthz", "/readyz"})


class RequireToken:
    """401 without `Authorization: Bearer <operator token>`, but for metrics and health."""

    def __init__(self, app: ASGIApp, *, token: Secret, telemetry: Telemetry) -> None:
        self._app = app
        self._expected = f"bearer {token.reveal()}".encode()
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._proves(scope):
            await self._app(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else "unknown"
        log.warning("operator request without the operator token", extra={"client_address": client})
        self._telemetry.add(c.AUDIT_EVENTS, event_type="authentication", client_ip=client, result="failure")
        self._telemetry.add(c.DENIALS, source="unknown", reason=DenialReason.OPERATOR_TOKEN.value)
        detail = "this needs the operator token as `Authorization: Bearer TOKEN`; it is in secrets/operator-token"
        await refused(Refusal(DenialReason.OPERATOR_TOKEN, detail), None)(scope, receive, send)

    def _proves(self, scope: Scope) -> bool:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        given = f"{scheme.lower()} {token.strip()}".encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, self._expected)
