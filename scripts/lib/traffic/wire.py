"""HTTP/1.1 over one kept connection: as little as a sender needs, so that the sender is not what is measured."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools

from scripts.lib.traffic.kinds import Kind
from scripts.lib.traffic.mix import Alert
from service.cli.signing import sign

WAIT_S = 2


class Answer(NamedTuple):
    """`status` is 0 where none came; `error` then says why."""

    status: int
    body: bytes = b""
    error: str = ""


def encode(alert: Alert, host: str, now: float) -> bytes:
    """The signed request; a signature holds for some minutes, so that it may be made ahead."""
    sender, document = alert.sender, dict(alert.document)
    if sender.auth != "standard":
        document["id"] = alert.key
    signed = sign(sender.auth, sender.secret, document, msg_id=alert.key, now_s=int(now))
    body = signed.body
    if alert.kind is Kind.BAD_SIGNATURE:
        # One digit of what was signed is another one; a token is cut out of the body by another name.
        body = body.replace(b'"token"', b'"comment"') if sender.auth == "token" else body.replace(b"{", b"{ ", 1)
    lines = [f"POST /webhook/{sender.name} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in signed.headers.items()]
    if alert.waits:
        lines.append(f"Prefer: wait={WAIT_S}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """One request at a time; `done` is called with each answer, and with status 0 where the connection was lost."""

    def __init__(self, done: Callable[[Connection, Answer], None]) -> None:
        self._done = done
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._busy = False
        self._keeps = True

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing() and self._keeps

    def send(self, request: bytes) -> None:
        assert self._transport is not None, "connected before"
        self._busy = True
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # TCP and TLS can be written to; uvloop's transports say so by what they do, not by their class.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"no HTTP: {error}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail(f"the connection was lost: {exc or 'closed by the other side'}")

    def on_message_begin(self) -> None:
        self._body.clear()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._keeps = self._parser.should_keep_alive()
        if self._busy:
            self._busy = False
            self._done(self, Answer(self._parser.get_status_code(), b"".join(self._body)))

    def _fail(self, error: str) -> None:
        if self._busy:
            self._busy = False
            self._done(self, Answer(0, error=error))


async def connect(
    host: str, port: int, *, secure: bool, done: Callable[[Connection, Answer], None], within: float
) -> Connection:
    """A connection that is open; raises OSError (TimeoutError too) where there is none."""
    context = ssl.create_default_context() if secure else None
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(within):
        _, connection = await loop.create_connection(lambda: Connection(done), host, port, ssl=context)
    return connection
