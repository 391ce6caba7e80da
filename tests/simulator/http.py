"""Requests and answers of HTTP/1.1 on bare asyncio streams, so that a connection can be ended at any byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

_MAX_BODY = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Request:
    """As it came over the wire; header names in lower case. `connection` counts connections, from 1."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    connection: int = 0

    @property
    def target(self) -> str:
        """Path and query as sent: what some venues sign."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def params(self) -> dict[str, str]:
        """The query and, where it is a form, the body; the query wins."""
        form = "" if self.headers.get("content-type", "").startswith("application/json") else self.body.decode()
        return dict(parse_qsl(form, keep_blank_values=True)) | dict(parse_qsl(self.query, keep_blank_values=True))

    def json(self) -> Any:
        """The body's JSON; an empty object where there is none or it cannot be read."""
        try:
            return json.loads(self.body) if self.body else {}
        except ValueError:
            return {}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`body` is a document for JSON, or text or bytes as they are."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def payload(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body, default=str).encode()

    def head(self, length: int) -> bytes:
        kind = "text/html" if isinstance(self.body, str) else "application/json;charset=UTF-8"
        headers = {"Content-Type": kind, "Content-Length": str(length), **self.headers}
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def read_request(reader: asyncio.StreamReader, connection: int) -> Request | None:
    """The next request of a kept-alive connection; None when the client has closed it or speaks no HTTP."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= _MAX_BODY:
            return None
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        return None
    path, _, query = target.partition("?")
    return Request(method=method, path=path, query=query, headers=headers, body=body, connection=connection)


async def write_answer(writer: asyncio.StreamWriter, answer: Answer, *, cut: bool = False) -> None:
    """With `cut` only half of the body that the headers announce."""
    payload = answer.payload()
    sent = payload[: len(payload) // 2] if cut else payload
    writer.write(answer.head(len(payload)) + sent)
    await writer.drain()
