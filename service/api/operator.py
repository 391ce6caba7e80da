"""The operator's application: what happened to each order, and the few things an operator may do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from service.api import views
from service.api.authorization import RequireToken
from service.api.health import Checks, health_routes
from service.api.problem import JSONResponse, problem
from service.api.public import http_error, without_redirects
from service.api.rebuild import rebuilt_spans
from service.core.orders import OrderStatus
from service.execution.operations import OperationRefused, Operations
from service.journal.protocol import HaltLevel, Journal, JournalUnavailable, OrderQuery
from telemetry.facade import Telemetry

MAX_BODY_BYTES = 16_384
MAX_PAGE = 500
_LIMIT = re.compile("[0-9]{1,3}")
_FILTERS = ("status", "symbol", "account", "limit", "after")

T = TypeVar("T", bound=msgspec.Struct)


class HaltRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account: str = "*"
    level: str = "reducing"


class ResumeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account: str = "*"


class ResolveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    status: OrderStatus
    evidence: str
    exchange_order_id: str | None = None
    filled_qty: Decimal | None = None
    average_price: Decimal | None = None


class Operator:
    """Handlers; reads come from the journal, actions go through `operations`."""

    def __init__(
        self,
        *,
        journal: Journal,
        operations: Operations,
        telemetry: Telemetry,
        trace_url: str,
        status: Callable[[], Mapping[str, object]],
    ) -> None:
        self._journal = journal
        self._operations = operations
        self._telemetry = telemetry
        self._trace_url = trace_url
        self._status = status

    async def order(self, request: Request) -> Response:
        order = await self._operations.find(request.path_params["id"])
        transitions = await self._journal.transitions(order.id)
        fills = await self._journal.fills(order.id)
        anomalies = await self._journal.anomalies(order.id)
        url = self._trace_url.replace("{trace_id}", order.trace.trace_id) or None
        return JSONResponse(views.details(order, transitions, fills, anomalies, url))

    async def orders(self, request: Request) -> Response:
        query = _query(request.query_params)
        found = await self._journal.list_orders(query)
        more = found[-1].id if len(found) == query.limit else None
        return JSONResponse({"orders": [views.summary(order) for order in found], "next": more})

    async def trace(self, request: Request) -> Response:
        order = await self._operations.find(request.path_params["id"])
        rebuilt = rebuilt_spans(order, await self._journal.transitions(order.id))
        return JSONResponse(await asyncio.to_thread(self._telemetry.trace, order.trace.trace_id, rebuilt))

    async def cancel(self, request: Request) -> Response:
        order = await self._operations.cancel(request.path_params["id"], _client(request))
        done = order.status is OrderStatus.CANCELED
        return JSONResponse(views.summary(order), HTTPStatus.OK if done else HTTPStatus.ACCEPTED)

    async def halt(self, request: Request) -> Response:
        body = await _decode(request, HaltRequest)
        levels = {"reducing": HaltLevel.REDUCING, "stop": HaltLevel.STOP}
        if body.level not in levels:
            raise OperationRefused(422, "unknown_level", f"level is {body.level!r}; expected reducing or stop")
        expired = await self._operations.halt(body.account, levels[body.level], _client(request))
        return JSONResponse({"halts": self._operations.halt_names(), "expired": expired})

    async def resume(self, request: Request) -> Response:
        body = await _decode(request, ResumeRequest)
        await self._operations.halt(body.account, HaltLevel.OFF, _client(request))
        return JSONResponse({"halts": self._operations.halt_names()})

    async def resolve(self, request: Request) -> Response:
        body = await _decode(request, ResolveRequest)
        order = await self._operations.resolve(
            request.path_params["id"],
            body.status,
            evidence=body.evidence,
            client=_client(request),
            exchange_order_id=body.exchange_order_id,
            filled_qty=body.filled_qty,
            average_price=body.average_price,
        )
        return JSONResponse(views.summary(order))

    async def findings(self, _: Request) -> Response:
        found = await self._journal.findings()
        return JSONResponse({"findings": [views.finding(item) for item in found], "not_compared": {}})

    async def compare(self, request: Request) -> Response:
        not_compared = await self._operations.compare(_client(request))
        found = await self._journal.findings()
        return JSONResponse({"findings": [views.finding(item) for item in found], "not_compared": not_compared})

    async def status(self, _: Request) -> Response:
        return JSONResponse(dict(self._status()))

    async def metrics(self, request: Request) -> Response:
        # Some 20 ms for a few hundred series: not on the loop that answers webhooks.
        body, content_type = await asyncio.to_thread(self._telemetry.metrics, request.headers.get("accept", ""))
        return Response(body, media_type=None, headers={"Content-Type": content_type})

    def routes(self) -> Sequence[Route]:
        return [
            Route("/orders", self.orders, methods=["GET"]),
            Route("/orders/{id}", self.order, methods=["GET"]),
            Route("/orders/{id}", self.cancel, methods=["DELETE"]),
            Route("/orders/{id}/trace", self.trace, methods=["GET"]),
            Route("/orders/{id}/resolve", self.resolve, methods=["POST"]),
            Route("/halt", self.halt, methods=["POST"]),
            Route("/resume", self.resume, methods=["POST"]),
            Route("/findings", self.findings, methods=["GET"]),
            Route("/findings", self.compare, methods=["POST"]),
            Route("/status", self.status, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]


def operator_application(operator: Operator, authorization: Callable[..., RequireToken], checks: Checks) -> Starlette:
    """Everything but `/metrics` and health behind the operator token."""
    application = Starlette(
        routes=[*operator.routes(), *health_routes(checks)],
        exception_handlers={
            HTTPException: http_error,
            OperationRefused: _operation_refused,
            JournalUnavailable: _journal_unavailable,
        },
    )
    application.add_middleware(authorization)
    return without_redirects(application)


async def _operation_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, OperationRefused), "registered for OperationRefused"
    return problem(error.status, error.reason, str(error))


async def _journal_unavailable(_: Request, error: Exception) -> Response:
    return problem(503, "journal_unavailable", f"nothing was changed: {error}", headers={"Retry-After": "5"})


async def _decode(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await _read(request) or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OperationRefused(422, "invalid_body", str(error)) from None


async def _read(request: Request) -> bytes:
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > MAX_BODY_BYTES:
                raise OperationRefused(413, "too_large", f"the body is larger than {MAX_BODY_BYTES} bytes")
    except ClientDisconnect:
        detail = "the connection was closed before the body was complete"
        raise OperationRefused(408, "body_timeout", detail) from None
    return bytes(chunks)


def _client(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _query(parameters: Mapping[str, str]) -> OrderQuery:
    unknown = next((name for name in parameters if name not in _FILTERS), None)
    if unknown is not None:
        raise OperationRefused(
            422, "unknown_parameter", f"{unknown[:64]!r} is no parameter; known are {', '.join(_FILTERS)}"
        )
    try:
        statuses = tuple(OrderStatus(s.upper()) for s in parameters.get("status", "").split(",") if s)
    except ValueError as error:
        known = ", ".join(OrderStatus)
        raise OperationRefused(422, "unknown_status", f"{error}; known are {known}") from None
    limit = parameters.get("limit", "50")
    if not _LIMIT.fullmatch(limit) or not 1 <= int(limit) <= MAX_PAGE:
        raise OperationRefused(422, "invalid_limit", f"limit is {limit[:20]!r}; expected 1 to {MAX_PAGE}")
    return OrderQuery(
        statuses=statuses,
        symbol=parameters.get("symbol"),
        account=parameters.get("account"),
        after=parameters.get("after"),
        limit=int(limit),
    )
