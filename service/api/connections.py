"""One connection of a listener: bounded in what it may send, hold back and leave unread, whatever its bytes are.

uvicorn bounds idle connections after their first answer, with a timer for each answer, and nothing else: a head may be
of any size and take for ever, trailers are added to the headers, requests are queued without end, and a sender that
does not read its answers keeps its connection. Here the sender has the turn until its request is complete and again
while it leaves answers unread; a turn that takes too long ends the connection, and the oldest turns end first where
connections run short.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote

import httptools
from starlette.responses import Response
from uvicorn._types import ASGIVersions
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.problem import problem
from service.core.refusals import DenialReason

MAX_HEAD_BYTES = 65_536
"""Of the request line, the header fields and the trailer fields of one request."""

MAX_HEADERS = 128
MAX_PIPELINED = 64
"""Requests that may wait for the answer to the one before."""

MAX_DISCARDED_BYTES = 1_048_576
"""What is read after a refusal, so that its sender, still sending, comes to read why."""

LINGER_S = 2.0
"""How long that goes on where the connection is not used any further."""

HEAD_TIMEOUT_S = 10.0
"""For the head of a request, from the connection's start or the request's first byte, and for answers to be read."""

IDLE_TIMEOUT_S = 75.0
"""Between an answer and the next request's first byte."""

CHECK_EVERY_S = 1.0
_NEVER = float("inf")
_ASGI: ASGIVersions = {"version": "3.0", "spec_version": "2.3"}
_RETRY_AFTER_S = 5


class Room:
    """The connections of one listener whose senders have the turn, the longest-waiting first.

    `at_most` counts all connections, `body_timeout` is in seconds. `refused` hears of each refusal made here, before
    any application.
    """

    def __init__(self, at_most: int, body_timeout: float, refused: Callable[[DenialReason], None]) -> None:
        self._at_most = at_most
        self.body_timeout = body_timeout
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self.refused = refused

    def is_made(self, connections: int, tasks: int) -> bool:
        """End the longest turn where there are too many connections; False: all of them are being answered.

        `tasks` are requests in work: they may outlive their connections.
        """
        if tasks < self._at_most >= connections:
            return True
        if tasks >= self._at_most or not self._waiting:
            return False
        self._waiting.popitem(last=False)[0].abort()
        return True

    def wait(self, connection: Connection) -> None:
        self._waiting[connection] = None
        self._waiting.move_to_end(connection)

    def done(self, connection: Connection) -> None:
        self._waiting.pop(connection, None)


class _Fault(NamedTuple):
    """Why a connection is not read any further."""

    status: int
    reason: DenialReason
    detail: str
    retry_after_s: int | None = None

    def answer(self) -> bytes:
        headers = {"Connection": "close"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        return _on_the_wire(problem(self.status, self.reason.value, self.detail, headers=headers))


_NOT_HTTP = _Fault(400, DenialReason.MALFORMED, "this is not HTTP/1.1 as RFC 9112 has it; the connection is closed")
_NO_TUNNEL = _Fault(400, DenialReason.MALFORMED, "CONNECT asks for a tunnel; this is no proxy")
_TOO_MANY_PIPELINED = _Fault(
    400, DenialReason.MALFORMED, f"more than {MAX_PIPELINED} requests wait for an answer; read answers before sending"
)
_HEAD_TOO_LARGE = _Fault(
    431,
    DenialReason.TOO_LARGE,
    f"the head is larger than {MAX_HEAD_BYTES} bytes or has more than {MAX_HEADERS} fields",
)
_NO_ROOM = _Fault(503, DenialReason.OVERLOADED, "too many connections; send it again", _RETRY_AFTER_S)


class Connection(HttpToolsProtocol):
    """uvicorn's connection with the bounds of this module."""

    transport: asyncio.Transport

    def __init__(self, *args: Any, room: Room, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._room = room
        self._fault: _Fault | None = None
        self._found: _Fault | None = None
        self._ignores = False
        self._unanswered = 0
        self._begun = self._has_head = False
        self._head_bytes = self._headers = self._overhead = self._discarded = 0
        self._blocked = self._ended = False
        self._unread = 0
        self._deadline = _NEVER
        self._check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        has_room = self._room.is_made(len(self.connections), len(self.tasks))
        self._senders_turn(HEAD_TIMEOUT_S)
        self._check = self.loop.call_later(CHECK_EVERY_S, self._check_turn)
        if not has_room:
            self._refuse(_NO_ROOM)

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.done(self)
        if self._check is not None:
            self._check.cancel()
        self.pipeline.clear()
        super().connection_lost(exc)

    def abort(self) -> None:
        """End it now, whatever is on its way."""
        self.transport.abort()

    def _senders_turn(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds
        self._room.wait(self)

    def _our_turn(self) -> None:
        self._deadline = _NEVER
        self._room.done(self)

    def _check_turn(self) -> None:
        now, unread = self.loop.time(), self.transport.get_write_buffer_size()
        if now >= self._deadline and not (0 < unread < self._unread):
            self.abort()
            return
        if now >= self._deadline or (self.transport.is_closing() and self._deadline == _NEVER):
            # Answers are left: who goes on reading them may take longer.
            self._unread = unread
            self._senders_turn(HEAD_TIMEOUT_S)
        self._check = self.loop.call_later(CHECK_EVERY_S, self._check_turn)

    def _take_turns(self) -> None:
        """After a request began, was completed or was answered: whose turn it is."""
        if self._blocked or self.transport.is_closing():
            return
        if self._begun and self._unanswered <= 1:
            if self._deadline == _NEVER:
                self._senders_turn(HEAD_TIMEOUT_S + self._room.body_timeout)
        elif self._unanswered:
            self._our_turn()
        else:
            self._senders_turn(IDLE_TIMEOUT_S)

    def data_received(self, data: bytes) -> None:
        if self._ignores:
            self._discard(len(data))
            return
        self._overhead += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(self._found or _NOT_HTTP)
        except httptools.HttpParserUpgrade as upgrade:
            self._pass_over_upgrade(data[upgrade.args[0] :])
        else:
            # The parser keeps an unfinished field, however long, and tells only when it is finished.
            if self._begun and self._overhead > 2 * MAX_HEAD_BYTES:
                self._refuse(_HEAD_TOO_LARGE)

    def _pass_over_upgrade(self, rest: bytes) -> None:
        """Read the request again as one that does not ask for another protocol: a server may pass over that.

        The parser takes what follows an Upgrade for the other protocol, a body too; some clients (Java's, curl with
        --http2) send their alerts that way.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        fields = (b"%b: %b\r\n" % field for field in self.headers if field[0] != b"upgrade")
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(fields))
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A sender that has said everything still gets its answers; one that broke off gets none for what is missing.

        Returns whether the connection stays open for them.
        """
        self._ignores = self._ended = True
        if self._begun and self._has_head:
            self._drop_unfinished()
        return self._unanswered > 0

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._begun, self._has_head = True, False
        self._head_bytes = self._headers = self._overhead = self._discarded = 0
        if self._unanswered == 0:
            self._senders_turn(HEAD_TIMEOUT_S + self._room.body_timeout)

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._stop(_HEAD_TOO_LARGE)
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += 1
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES or self._headers > MAX_HEADERS:
            self._stop(_HEAD_TOO_LARGE)
        # A trailer is no header: it may come after a proxy has said whose request it is.
        if self._has_head:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _stop(self, fault: _Fault) -> None:
        """Make the parser give up: what a callback raises, it raises."""
        self._found = fault
        raise ValueError(fault.detail)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(_TOO_MANY_PIPELINED)
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._stop(_NO_TUNNEL)
        if self.parser.should_upgrade():
            return
        # Where the target is no URL this raises, and the head counts as unfinished: nothing here will answer it.
        self.cycle = self._cycle(method.decode("ascii"))
        self._has_head = True
        self._unanswered += 1
        if self._unanswered == 1:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _cycle(self, method: str) -> RequestResponseCycle:
        """The request whose head is complete, and its answer, which is still to come."""
        version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        self.scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "method": method,
            "scheme": "http",
            "path": unquote(url.path.decode("ascii")),
            "raw_path": url.path,
            "query_string": url.query or b"",
            "root_path": "",
            "headers": self.headers,
            "client": self.client,
            "server": self.server,
            "state": {},
        }
        return RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        self._overhead -= len(body)
        if self.cycle.response_complete:
            self._discard(len(body))
        super().on_body(body)

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > MAX_DISCARDED_BYTES:
            self.abort()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._begun = False
        super().on_message_complete()
        self._take_turns()

    def on_response_complete(self) -> None:
        self._unanswered -= 1
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        self._take_turns()
        if self._unanswered:
            return
        if self._fault is not None:
            self._close_with(self._fault)
        elif self._ended:
            self.transport.close()

    def _refuse(self, fault: _Fault) -> None:
        """Read nothing more; say why, after the answers to what came before."""
        self._ignores = True
        self._fault = fault
        self._room.refused(fault.reason)
        if self._begun and self._has_head:
            self._drop_unfinished()
        if not self._unanswered and not self.transport.is_closing():
            self._close_with(fault)

    def _drop_unfinished(self) -> None:
        """The request whose body cannot be read gets the refusal as its answer, where it has none yet."""
        self._begun = False
        self._unanswered = max(0, self._unanswered - 1)
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
            return
        if self.cycle.response_started:
            self._fault = None
            self.transport.close()
        self.cycle.disconnected = True
        self.cycle.waiting_for_100_continue = False
        self.cycle.message_event.set()

    def _close_with(self, fault: _Fault) -> None:
        self.transport.write(fault.answer())
        if fault is _NO_ROOM or self._ended:
            self.transport.close()
            return
        # Closed on what is still coming in, the connection would be reset, and the reason lost on the way.
        self.transport.write_eof()
        self._senders_turn(LINGER_S)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._blocked = True
        self._unread = self.transport.get_write_buffer_size()
        self._senders_turn(HEAD_TIMEOUT_S)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._blocked = False
        self._deadline = _NEVER
        self._take_turns()


def _on_the_wire(response: Response) -> bytes:
    status = f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}\r\n"
    fields = b"".join(b"%b: %b\r\n" % field for field in response.raw_headers)
    return status.encode("ascii") + fields + b"\r\n" + bytes(response.body)
