"""One HTTP request of a ccxt call is sent once, and what was sent is recorded.

ccxt's exceptions prove nothing about an order: the same one stands for a refused connection and for a lost answer.
So each call is recorded: which of its HTTP requests carried our id, whether their headers left, what was answered.
The session (`session.py`) tells what left; the guarded class tells what each request was and which error code ccxt
recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import localcontext
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from weakref import WeakSet

import aiohttp
import ccxt.async_support
import msgspec
from ccxt.base.decimal_to_precision import decimal_to_precision
from ccxt.base.errors import NotSupported

from service.errors import ConfigurationError
from telemetry.facade import Attributes

_MAX_TEXT = 200
_FIRST_REDIRECT = 300
_HELPER_METHODS = frozenset({"GET", "HEAD"})
_MASK = "[redacted]"
_SHORTEST_SECRET = 4

guarded_sessions: WeakSet[aiohttp.ClientSession] = WeakSet()
"""Those that report what leaves; a request through any other would look as if it had never been sent."""


class SecondSend(Exception):  # noqa: N818 - named for what was about to happen
    """What was sent would have been sent again, by ccxt, by aiohttp or for a redirect; it was not."""


class Body:
    """The text of an answer, which shows itself in no repr: it may hold a token."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def __contains__(self, part: str) -> bool:
        # JSON may escape a slash (RFC 8259, section 7), as PHP does.
        return part in self._text or part.replace("/", "\\/") in self._text

    def __repr__(self) -> str:
        return f"Body({len(self._text)} characters)"


class HttpRequest(msgspec.Struct, eq=False):
    """One HTTP request; its fields are filled in as it goes on.

    `url` has no query, which may hold a signature. `carries_id`: our client order id stands in its URL or body.
    `sent`: its headers left, or were about to. `status` and `retry_after` (seconds)
    are the answer's. `error_key` is the key of ccxt's exception map that matched the answer, `error_exact` whether as
    a whole and not as a part, `error_text` what the exchange said. `body_kind` is None until the whole body arrived;
    `answer_keys` are the outermost names of a JSON object; `has_room`: the JSON can say that there is nothing, being a
    list, or an object in which a list, an object or null stands. `body` is kept of a call that places an order only.
    `stopped`: it would have been sent again.
    """

    method: str
    url: str
    carries_id: bool = False
    sent: bool = False
    stopped: bool = False
    status: int | None = None
    retry_after: float | None = None
    error_key: str | None = None
    error_exact: bool = False
    error_class: type[Exception] | None = None
    error_text: str = ""
    body_kind: Literal["json", "text", "empty"] | None = None
    answer_keys: frozenset[str] = frozenset()
    has_room: bool = False
    body: Body = Body()

    def tells(self, order_id: str) -> bool:
        """Whether this id stands in an answer of success that is the exchange's own."""
        done = self.status is not None and self.status < _FIRST_REDIRECT
        return done and self.body_kind == "json" and order_id in self.body


class CallRecord(msgspec.Struct, eq=False):
    """All HTTP requests of one ccxt call, in order.

    `attributes` go on their CLIENT spans; None means that there are none. `placing`: it places an order, so that no
    second request with our id may leave.
    """

    client_order_id: str | None
    attributes: Attributes | None
    placing: bool
    requests: list[HttpRequest] = []

    def may_have_sent(self, *, id_visible: bool) -> bool:
        """Whether the order request's headers may have left.

        `id_visible`: this exchange's order requests show our id in clear, so that requests without it are helpers.
        Where none at all showed it, that is known only of those that change nothing.
        """
        sent = [request for request in self.requests if request.sent]
        if not id_visible or self.client_order_id is None:
            return bool(sent)
        if any(request.carries_id for request in self.requests):
            return any(request.carries_id for request in sent)
        return any(request.method not in _HELPER_METHODS for request in sent)

    def asked_with_id(self) -> bool:
        """Whether some request that carried our id was sent and answered."""
        return any(request.carries_id and request.sent and request.status is not None for request in self.requests)

    def decisive(self) -> HttpRequest | None:
        """The request whose answer counts: the last that carried our id, else the last; sent ones before others."""
        candidates = [request for request in self.requests if request.carries_id] or self.requests
        sent = [request for request in candidates if request.sent]
        return next(reversed(sent or candidates), None)

    def shows_id(self, url: str, body: object) -> bool:
        """Whether our id stands in a request as it is given to the wire."""
        mine = self.client_order_id
        return mine is not None and (mine in url or (body is not None and mine in _as_text(body)))

    def add(self, request: HttpRequest) -> None:
        """Note a request before it is made; raises SecondSend where it would place the order again."""
        earlier = next((r for r in self.requests if r.carries_id and r.sent), None)
        if self.placing and request.carries_id and earlier is not None:
            earlier.stopped = True
            raise SecondSend(
                f"{request.method} {request.url} would place the order a second time, after {earlier.method} "
                f"{earlier.url}; expected one order request a call: it was not sent"
            )
        self.requests.append(request)


_call: ContextVar[CallRecord | None] = ContextVar("fillpath_ccxt_call", default=None)
_request: ContextVar[HttpRequest | None] = ContextVar("fillpath_ccxt_request", default=None)


@contextmanager
def recording(
    client_order_id: str | None, *, attributes: Attributes | None, placing: bool = False
) -> Iterator[CallRecord]:
    """Record what is sent inside the block, by tasks that it starts too. `attributes` None: a poll, without spans."""
    record = CallRecord(client_order_id=client_order_id, attributes=attributes, placing=placing)
    token = _call.set(record)
    try:
        yield record
    finally:
        _call.reset(token)


def current_call() -> CallRecord | None:
    """The record of the block that runs."""
    return _call.get()


def current_request() -> HttpRequest | None:
    """The HTTP request that a guarded class is making."""
    return _request.get()


def bare_url(url: str) -> str:
    """Scheme, host, port and path: what of a URL may be shown."""
    parts = urlsplit(url.partition("?")[0])
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@cache
def guarded_class(ccxt_id: str) -> type[Any]:
    """The ccxt class of this id, recorded and sending nothing twice; it needs a session of `open_session`.

    Raises ConfigurationError for an id that ccxt does not have.
    """
    if ccxt_id not in ccxt.async_support.exchanges:
        near = get_close_matches(ccxt_id, ccxt.async_support.exchanges, 1)
        advice = f"did you mean {near[0]!r}?" if near else "see docs/exchanges.md for those there are"
        raise ConfigurationError(f"ccxt has no exchange {ccxt_id[:32]!r}; {advice}")
    return type(f"Guarded_{ccxt_id}", (_Guard, getattr(ccxt.async_support, ccxt_id)), {})


if TYPE_CHECKING:

    class _Exchange:
        """What the guard needs to know of ccxt's classes."""

        id: str
        session: aiohttp.ClientSession | None
        requiredCredentials: Mapping[str, bool]  # noqa: N815 - ccxt's name
        decimal_to_precision: Callable[..., str]

        def __init__(self, config: Mapping[str, Any]) -> None: ...

        async def fetch(self, url: str, method: str, headers: Any, body: Any) -> Any: ...
        def handle_errors(self, *answer: Any) -> Any: ...
        def find_broadly_matched_key(self, broad: Mapping[str, type[Exception]], string: Any) -> str | None: ...
        def throw_exactly_matched_exception(self, exact: Any, string: Any, message: Any) -> None: ...
        def throw_broadly_matched_exception(self, broad: Any, string: Any, message: Any) -> None: ...
else:
    _Exchange = object


class _Guard(_Exchange):
    """Stands before a ccxt class: its signatures are ccxt's.

    `only_at`: scheme, host and port of all requests; an address that stands in a class's code is not in its `urls`.
    """

    only_at: str | None = None

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self.decimal_to_precision = _decimal_to_precision

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        if self.session is None or self.session not in guarded_sessions:
            raise RuntimeError(f"{self.id} has no guarded session: give it one of open_session that is not closed")
        if self.only_at is not None and not url.startswith(f"{self.only_at}/"):
            raise NotSupported(
                f"{self.id} would send to {bare_url(url)}, which stands in its code; expected an address below "
                f"{self.only_at}, as the setting api_url says"
            )
        record = _call.get()
        request = HttpRequest(method=method, url=bare_url(url))
        if record is not None:
            request.carries_id = record.shows_id(url, body)
            record.add(request)
        token = _request.set(request)
        try:
            return await super().fetch(url, method, headers, body)
        finally:
            _request.reset(token)

    def handle_errors(self, *answer: Any) -> Any:
        _, _, _, _, _, body, response, *_ = answer
        request = _request.get()
        if request is not None:
            # Only this method is called with every answer whose body arrived as a whole.
            request.body_kind = "json" if response is not None else "text" if body else "empty"
            request.answer_keys = frozenset(response) if isinstance(response, Mapping) else frozenset()
            request.has_room = _has_room(response)
            if (record := _call.get()) is not None and record.placing:
                request.body = Body(str(body))
        try:
            return super().handle_errors(*answer)
        except Exception:  # whichever class ccxt chose: the code is noted, and the error goes on as it is
            if request is not None and request.error_key is None:
                self._note_code(request, response, body)
            raise

    def _note_code(self, request: HttpRequest, response: object, body: object) -> None:
        """The code of an answer that a class judges by words of its own, as Binance's does with `LOT_SIZE`."""
        code = response.get("code") if isinstance(response, Mapping) else None
        if isinstance(code, int | str):
            request.error_key, request.error_exact = str(code), True
            request.error_text = self._masked(str(body))[:_MAX_TEXT]

    def throw_exactly_matched_exception(self, exact: Any, string: Any, message: Any) -> None:
        if string is not None and string in exact:
            self._note(string, exact[string], message, exact=True)
        super().throw_exactly_matched_exception(exact, string, message)

    def throw_broadly_matched_exception(self, broad: Any, string: Any, message: Any) -> None:
        key = self.find_broadly_matched_key(broad, string)
        if key is not None:
            self._note(key, broad[key], message, exact=False)
        super().throw_broadly_matched_exception(broad, string, message)

    def _note(self, key: object, kind: type[Exception], message: object, *, exact: bool) -> None:
        request = _request.get()
        if request is None:
            # Some classes look for errors only in what they parse, after the request.
            record = _call.get()
            request = record.requests[-1] if record is not None and record.requests else None
        if request is None:
            return
        request.error_key, request.error_class, request.error_exact = str(key), kind, exact
        request.error_text = self._masked(str(message).removeprefix(f"{self.id} "))[:_MAX_TEXT]

    def _masked(self, text: str) -> str:
        """An exchange may repeat the key that it was asked with."""
        for name in self.requiredCredentials:
            value = getattr(self, name, None)
            if isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
                text = text.replace(value, _MASK)
        return text


def _decimal_to_precision(*arguments: Any, **options: Any) -> str:
    """As ccxt's, which changes rounding and traps of the context it runs in: for the whole thread without this."""
    with localcontext():
        return str(decimal_to_precision(*arguments, **options))


def _has_room(answer: object) -> bool:
    if isinstance(answer, Mapping):
        return any(value is None or isinstance(value, Mapping | list) for value in answer.values())
    return isinstance(answer, list)


def _as_text(body: object) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes | bytearray) else str(body)
