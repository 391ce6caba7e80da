"""Liveness and readiness, on both listeners."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.api.problem import JSONResponse

Checks = Callable[[], Mapping[str, bool]]


def health_routes(checks: Checks) -> list[Route]:
    """`/healthz` answers while the process does; `/readyz` 503 while any of `checks` fails."""

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        results = checks()
        ready = all(results.values())
        return JSONResponse({"status": "ready" if ready else "not ready", "checks": results}, 200 if ready else 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
