"""Refusals as problem documents (RFC 9457): a machine-readable reason, the trace id, never a traceback."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from service.core.refusals import Refusal

PROBLEM = "application/problem+json"


class JSONResponse(Response):
    """JSON by msgspec: decimals as strings, so that no reader makes floats of them."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return content if isinstance(content, bytes) else msgspec.json.encode(content)

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """`headers` beside the body's own; Starlette's way is for bodies without a type and headers that say it."""
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), (b"content-type", self.media_type.encode())]
        if headers:
            self.raw_headers += ((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items())


class ProblemResponse(JSONResponse):
    media_type = PROBLEM


def problem(
    status: int,
    reason: str,
    detail: str,
    *,
    trace_id: str | None = None,
    headers: dict[str, str] | None = None,
    **members: object,
) -> Response:
    """One problem document; `members` are the further ones, without those that are None."""
    body: dict[str, object] = {
        "type": f"urn:fillpath:problem:{reason}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "reason": reason,
        "trace_id": trace_id,
        **members,
    }
    return ProblemResponse({key: value for key, value in body.items() if value is not None}, status, headers)


def refused(refusal: Refusal, trace_id: str | None) -> Response:
    """The answer to a refused request."""
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer" if refusal.reason.value == "operator_token" else "Signature"
    errors = [{"field": e.field, "kind": e.kind, "message": e.message} for e in refusal.errors] or None
    return problem(
        refusal.status,
        refusal.reason.value,
        refusal.detail,
        trace_id=trace_id,
        headers=headers,
        errors=errors,
        **refusal.extra,
    )
