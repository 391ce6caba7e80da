"""A raw HTTP/1.1 server of one exchange: it knows which request is the order, does it or not, and answers as told."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
import socket
import struct
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import unquote

MOVED = "/moved"
"""Where a redirect points to: an order that arrives there is executed once more."""

_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with a time of 0: close sends a reset."""


class Received(NamedTuple):
    """One request as it arrived; `text` holds the address, the headers and the body, with what they hold encoded."""

    method: str
    path: str
    text: str


class Reply(NamedTuple):
    """An answer; `missing` bytes of its body are announced and never come."""

    status: int = 200
    body: str = "{}"
    headers: tuple[str, ...] = ()
    kind: str = "application/json"
    missing: int = 0

    def as_bytes(self, *, close: bool) -> bytes:
        body = self.body.encode()
        lines = [
            f"HTTP/1.1 {self.status} X",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(body) + self.missing}",
            *self.headers,
            *(["Connection: close"] if close else []),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Break(Enum):
    """What may happen in place of an answer."""

    HANG = auto()
    CLOSE = auto()
    RESET = auto()


Answer = Reply | Break


class Plan(NamedTuple):
    """What happens next: orders are those requests that `is_order` names; `helpers` by a part of their path.

    `keeps_alive` False: no connection is used twice. `all_alike`: every request without an entry in `helpers` gets the
    answer, and nothing is executed.
    """

    answer: Answer
    executes: bool = False
    is_order: Callable[[Received], bool] = lambda _: False
    helpers: Mapping[str, Reply] = {}
    keeps_alive: bool = True
    all_alike: bool = False


class FaultServer:
    """`executed` and `arrived` count the orders of the plan that runs; a plan starts with `begin`."""

    def __init__(self) -> None:
        self.url = ""
        self.executed = 0
        self.arrived = 0
        self.received: list[Received] = []
        self._plan = Plan(Reply())
        self._listener: asyncio.Server | None = None
        self._writers: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._listener.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        serving = [task for task in self._writers.values() if task is not None]
        self.drop()
        await asyncio.gather(*serving, return_exceptions=True)

    def begin(self, plan: Plan) -> None:
        """From now on `plan`; connections that are open stay so, unless it keeps none alive."""
        self._plan = plan
        self.executed = self.arrived = 0
        self.received = []
        if not plan.keeps_alive:
            self.drop()

    def drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[writer] = asyncio.current_task()
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    await self._answer(await _read(reader), writer)
        finally:
            self._writers.pop(writer, None)
            writer.close()

    async def _answer(self, received: Received, writer: asyncio.StreamWriter) -> None:
        plan = self._plan
        self.received.append(received)
        moved, order = received.path.startswith(MOVED), plan.is_order(received)
        if moved or order:
            self.arrived += 1
            self.executed += moved or plan.executes
        helper = None if order else _helper(plan, received)
        answer = plan.answer if order or (plan.all_alike and helper is None) else helper or Reply()
        if answer is Break.HANG:
            return
        if isinstance(answer, Break):
            _end(writer, reset=answer is Break.RESET)
            return
        writer.write(answer.as_bytes(close=not plan.keeps_alive))
        await writer.drain()
        if answer.missing or not plan.keeps_alive:
            writer.close()


def _helper(plan: Plan, received: Received) -> Reply | None:
    target = f"{received.method} {received.path} {received.text}"
    return next((reply for part, reply in plan.helpers.items() if part in target), None)


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
    writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    method, target, _ = head.split(" ", 2)
    lengths = re.findall(r"(?im)^content-length: *(\d+)", head)
    body = (await reader.readexactly(int(lengths[0]) if lengths else 0)).decode("utf-8", "replace")
    return Received(method, target.partition("?")[0], _readable(f"{unquote(target)}\n{head}\n{body}\n{unquote(body)}"))


def _readable(text: str) -> str:
    """With what stands there in base64: some exchanges take orders so, in a header or as the body."""
    return "\n".join([text, *(_decoded(part) for part in _ENCODED.findall(text))])


def _decoded(part: str) -> str:
    try:
        return base64.urlsafe_b64decode(part.replace("+", "-").replace("/", "_") + "=" * (-len(part) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
