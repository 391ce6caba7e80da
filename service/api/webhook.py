"""`POST /webhook/{source}`: runs the intake, hands the order to the executor, answers."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api import views
from service.api.problem import JSONResponse, problem, refused
from service.clock import Clock
from service.core.refusals import DenialReason, Refusal
from service.execution.executor import Executor
from service.execution.register import LiveOrder, Register
from service.intake.address import client_address
from service.intake.append import ACCEPTED, answer_body
from service.intake.pipeline import SERVER_ERROR, Pipeline
from service.intake.request import UNKNOWN, Intake, Network, Source
from telemetry import conventions as c
from telemetry.facade import Repeated, RequestSpan, SpanContext, Telemetry

log = logging.getLogger(__name__)

RawHeaders = Sequence[tuple[bytes, bytes]]

MAX_WAIT_S = 30.0
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6}(?:\.\d{1,3})?)(?:$|[,;\s])")
_LONGEST_PATH = 256
_SENDERS, _STATUSES = 256, 64
"""Whose attributes are kept, made and encoded: the same few senders are nearly all requests."""
_REPLAYED = {"Idempotent-Replayed": "true"}


class Webhook:
    """The public ASGI endpoint."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        sources: Mapping[str, Source],
        trusted_proxies: Sequence[Network],
        register: Register,
        executor: Executor,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._pipeline = pipeline
        self._sources = sources
        self._trusted = tuple(trusted_proxies)
        self._register = register
        self._executor = executor
        self._telemetry = telemetry
        self._active = telemetry.counter(c.ACTIVE_REQUESTS)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received_ns, received_monotonic_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        headers = _first_of_each(scope["headers"])
        name = scope["path_params"]["source"]
        source = self._sources.get(name)
        peer = scope["client"][0] if scope.get("client") else None
        forwarded_for = _all_of(b"x-forwarded-for", scope["headers"]) if "x-forwarded-for" in headers else ()
        client = client_address(peer, forwarded_for, self._trusted)
        with self._telemetry.request(
            c.server_span_name(name),
            _attributes(
                scope["method"],
                scope["path"][:_LONGEST_PATH],
                scope.get("scheme", "http"),
                client,
                UNKNOWN if source is None else source.name,
            ),
            traceparent=headers.get("traceparent"),
            trust=source is not None and source.settings.trust_trace,
        ) as span:
            intake = Intake(
                source_name=name,
                source=source,
                client=client,
                headers=headers,
                receive=receive,
                received_ns=received_ns,
                received_monotonic_ns=received_monotonic_ns,
                span=span,
            )
            response = await self._answer(intake)
            span.set(_answered(response.status_code))
            await response(scope, receive, send)

    async def _answer(self, intake: Intake) -> Response:
        try:
            return await self._process(intake)
        except Exception as error:  # the sender gets a plain 500 with the trace id; the log gets the traceback
            order = intake.order
            log.exception("the webhook failed", extra={"order_id": order.id} if order is not None else None)
            intake.span.fail(type(error).__name__)
            self._pipeline.count_error(intake)
            return problem(
                SERVER_ERROR,
                "internal",
                "something failed here; nothing is known to have been accepted",
                trace_id=intake.span.context.trace_id,
            )

    async def _process(self, intake: Intake) -> Response:
        self._active.add(1)
        try:
            refusal = await self._pipeline.run(intake)
        finally:
            self._active.add(-1)
        if refusal is not None:
            return _refused(intake.span, refusal)
        if intake.replay is not None:
            return _replayed(intake)
        assert intake.order is not None, "neither refused nor replayed: appended"
        live = self._register.track(intake.order, received_monotonic_ns=intake.received_monotonic_ns)
        intake.span.set({c.ATTR_ORDER_ID: live.order.id, c.ATTR_ORDER_CLIENT_ORDER_ID: live.order.client_order_id})
        self._executor.submit(live)
        wait = _wait_seconds(intake.headers.get("prefer", ""))
        return await _answer_within(live, wait) if wait else JSONResponse(intake.answer, ACCEPTED)


def _first_of_each(raw: RawHeaders) -> dict[str, str]:
    """Header fields by their name in lower case, as ASGI gives them; of several the first."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(raw)}


def _all_of(name: bytes, raw: RawHeaders) -> list[str]:
    return [value.decode("latin-1") for given, value in raw if given == name]


@lru_cache(maxsize=_SENDERS)
def _attributes(method: str, path: str, scheme: str, client: str, source: str) -> Repeated:
    return Repeated(
        {
            c.ATTR_HTTP_REQUEST_METHOD: method,
            c.ATTR_HTTP_ROUTE: c.ROUTE_WEBHOOK,
            c.ATTR_URL_PATH: path,
            c.ATTR_URL_SCHEME: scheme,
            c.ATTR_CLIENT_ADDRESS: client,
            c.ATTR_WEBHOOK_SOURCE: source,
        }
    )


@lru_cache(maxsize=_STATUSES)
def _answered(status: int) -> Repeated:
    return Repeated({c.ATTR_HTTP_RESPONSE_STATUS_CODE: status})


def _refused(span: RequestSpan, refusal: Refusal) -> Response:
    span.set({c.ATTR_DENIAL_REASON: refusal.reason.value})
    if refusal.status >= SERVER_ERROR and refusal.reason is not DenialReason.RATE_LIMITED:
        span.fail(refusal.reason.value)
    return refused(refusal, span.context.trace_id)


def _replayed(intake: Intake) -> Response:
    stored = intake.replay
    assert stored is not None, "called for a replay"
    intake.span.link(SpanContext(stored.trace_id, stored.span_id))
    intake.span.set({c.ATTR_ORDER_ID: stored.order_id})
    body: object = stored.body
    if intake.key is not None and intake.key.is_content_hash:
        body = msgspec.json.decode(stored.body) | {"duplicate_of": stored.order_id}
    return JSONResponse(body, stored.status, headers=_REPLAYED)


def _wait_seconds(prefer: str) -> float:
    """`wait=N` of a Prefer header (RFC 7240), at most 30 s; 0 without one."""
    found = _WAIT.search(prefer)
    return 0.0 if found is None else min(float(found[1]), MAX_WAIT_S)


async def _answer_within(live: LiveOrder, seconds: float) -> Response:
    """With the outcome, where there is one in time; else with how far the order is by then."""
    if await _outcome_within(live, seconds):
        order = live.order
        return JSONResponse(answer_body(order) | views.summary(order), headers={"Preference-Applied": "wait"})
    return JSONResponse(answer_body(live.order), ACCEPTED)


async def _outcome_within(live: LiveOrder, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while not live.outcome_known:
                await live.wait_change()
    except TimeoutError:
        return False
    return True
