"""The public application: webhooks and health, nothing else."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.health import Checks, health_routes
from service.api.problem import problem
from service.api.webhook import Webhook

_WEBHOOKS = "/webhook/"


async def http_error(_: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405) as problem documents."""
    assert isinstance(error, HTTPException), "registered for HTTPException"
    reason = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return problem(error.status_code, reason, str(error.detail), headers=dict(error.headers or {}))


def public_application(webhook: Webhook, checks: Checks) -> ASGIApp:
    routes = [Route("/webhook/{source}", webhook, methods=["POST"]), *health_routes(checks)]
    others = without_redirects(Starlette(routes=routes, exception_handlers={HTTPException: http_error}))

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        # An alert's way leads past the router and its layers: they cost it a twentieth of the whole and add nothing.
        source = _source_of_alert(scope)
        if source is None:
            await others(scope, receive, send)
        else:
            scope["path_params"] = {"source": source}
            await webhook(scope, receive, send)

    return application


def _source_of_alert(scope: Scope) -> str | None:
    """The last part of `POST /webhook/{source}`; None for every other request."""
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(_WEBHOOKS):
        return None
    source: str = scope["path"][len(_WEBHOOKS) :]
    return source if source and "/" not in source else None


def without_redirects(application: Starlette) -> Starlette:
    """A path with a slash too many is not found: where to go instead would be made of whatever Host was sent."""
    application.router.redirect_slashes = False
    return application
