"""The aiohttp session of an exchange: each HTTP request leaves once, and says so.

aiohttp by itself repeats GET, PUT and DELETE after a dropped connection, and follows redirects, which for 307 and 308
repeats a POST with its key header. Some exchanges place orders with GET. Both go through the session's middleware
again, which therefore lets every request through once.
"""

from __future__ import annotations

import math
import ssl
import time
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from functools import cache
from types import SimpleNamespace

import aiohttp
import certifi
from aiohttp.client_reqrep import ClientRequest, ClientResponse
from aiohttp.tracing import Trace

from service.exchanges.ccxt.guard import (
    HttpRequest,
    SecondSend,
    bare_url,
    current_call,
    current_request,
    guarded_sessions,
)
from telemetry import conventions as c
from telemetry.facade import Span, Telemetry

_KEEPALIVE_S = 10.0
"""Below what servers in front of exchanges keep: a connection they have just closed puts an order in doubt."""
_PER_HOST = 32
_FIRST_ERROR = 400

_sending: ContextVar[HttpRequest | None] = ContextVar("fillpath_http_request", default=None)


def open_session(telemetry: Telemetry, *, connect_timeout: float) -> aiohttp.ClientSession:
    """A session for the guarded classes of one exchange; call it in the event loop, and close it.

    `connect_timeout` (seconds) bounds all up to the connection: waiting for a free one, DNS, TCP and TLS. It should be
    well below the time-out of a request, so that an unreachable host ends as never sent.
    """
    if not 0 < connect_timeout < math.inf:
        raise ValueError(f"a connect time-out is above 0 seconds, got {connect_timeout}")
    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(_on_request_start)
    trace.on_request_headers_sent.append(_on_headers_sent)
    session = aiohttp.ClientSession(
        connector=_Connector(connect_timeout, trusted()),
        # An exchange's cookie belongs to one account; the session is shared by all.
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
        middlewares=(_Once(telemetry),),
    )
    guarded_sessions.add(session)
    return session


@cache
def trusted() -> ssl.SSLContext:
    """Whom we trust, read once: reading the certificates holds up the event loop for a tenth of a second."""
    trust = ssl.create_default_context()
    # As ccxt's own sessions do: some Pythons come without certificates.
    trust.load_verify_locations(certifi.where())
    return trust


class _Connector(aiohttp.TCPConnector):
    """Has its own time-out, because ccxt sets one for the whole request only."""

    def __init__(self, connect_timeout: float, trust: ssl.SSLContext) -> None:
        super().__init__(ssl=trust, limit=0, limit_per_host=_PER_HOST, keepalive_timeout=_KEEPALIVE_S, ttl_dns_cache=60)
        self._way = aiohttp.ClientTimeout(total=connect_timeout, connect=connect_timeout, sock_connect=connect_timeout)

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> aiohttp.connector.Connection:
        del timeout
        return await super().connect(req, traces, self._way)


async def _on_request_start(
    session: aiohttp.ClientSession, context: SimpleNamespace, parameters: aiohttp.TraceRequestStartParams
) -> None:
    """Called once a request, however often aiohttp would send it."""
    del session, context
    request = current_request()
    if request is None:
        request = HttpRequest(method=parameters.method, url=bare_url(str(parameters.url)))
        if (record := current_call()) is not None:
            request.carries_id = record.shows_id(str(parameters.url), None)
            record.add(request)
    _sending.set(request)


async def _on_headers_sent(
    session: aiohttp.ClientSession, context: SimpleNamespace, parameters: aiohttp.TraceRequestHeadersSentParams
) -> None:
    """Called just before the first byte is written: what is raised here keeps it from being written."""
    del session, context, parameters
    request = _sending.get()
    assert request is not None, "a request starts before its headers leave"
    if request.sent:
        raise _stopped(request)
    request.sent = True


class _Once:
    """The middleware; aiohttp calls it at every attempt to send."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    async def __call__(self, req: ClientRequest, handler: aiohttp.ClientHandlerType) -> ClientResponse:
        request = _sending.get()
        assert request is not None, "a request starts before it is sent"
        if request.sent or request.status is not None:
            raise _stopped(request)
        record = current_call()
        if record is None or record.attributes is None:
            return await _answered(request, req, handler)
        attributes = {
            **record.attributes,
            c.ATTR_HTTP_REQUEST_METHOD: req.method,
            c.ATTR_URL_FULL: request.url,
            c.ATTR_SERVER_ADDRESS: req.url.host or "",
            c.ATTR_SERVER_PORT: req.url.port or 0,
        }
        with self._telemetry.span(c.client_span_name(req.method), attributes, client=True) as span:
            response, error = await _outcome(request, req, handler)
            _describe(span, request, error)
        if response is None:
            raise error or AssertionError("a request has an answer or an error")
        return response


async def _outcome(
    request: HttpRequest, req: ClientRequest, handler: aiohttp.ClientHandlerType
) -> tuple[ClientResponse | None, Exception | None]:
    """The answer or the error, as a value: an error that passed through the span would leave its URL there."""
    try:
        return await _answered(request, req, handler), None
    except Exception as error:  # noqa: BLE001 - raised again outside the span
        return None, error


async def _answered(request: HttpRequest, req: ClientRequest, handler: aiohttp.ClientHandlerType) -> ClientResponse:
    response = await handler(req)
    request.status = response.status
    request.retry_after = _seconds(response.headers.get("Retry-After"))
    return response


def _stopped(request: HttpRequest) -> SecondSend:
    request.stopped = True
    answer = "was not answered" if request.status is None else f"was answered with status {request.status}"
    return SecondSend(
        f"{request.method} {request.url} {answer} and would have been sent again; expected one answer to one request: "
        "it was not sent again"
    )


def _describe(span: Span, request: HttpRequest, error: Exception | None) -> None:
    if request.status is not None:
        span.set({c.ATTR_HTTP_RESPONSE_STATUS_CODE: request.status})
        if request.status >= _FIRST_ERROR:
            span.fail(str(request.status))
    if error is not None:
        span.fail(type(error).__name__)


def _seconds(value: str | None) -> float | None:
    """A Retry-After header: seconds, or a date (RFC 9110, section 10.2.3); None for what is neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
