"""What is sent, and what may come back."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """One request or some bytes that are none.

    A `framed` case is one whole request that leaves the connection usable: it has exactly one answer. Any other ends
    its connection, after at most `most` answers. `may_accept` is False where nothing in it may be executed, because
    nobody who may send alerts has said it; `must_accept` is an alert that nothing is wrong with.
    """

    kind: str
    data: bytes
    framed: bool = True
    most: int = 1
    head: bool = False
    may_accept: bool = False
    must_accept: bool = False
    operator: bool = False


def request(target: bytes, *fields: bytes, method: bytes = b"POST", body: bytes = b"") -> bytes:
    """A whole request over HTTP/1.1 that keeps its connection; `fields` without line ends."""
    length = b"Content-Length: %d" % len(body)
    lines = b"\r\n".join((b"%b %b HTTP/1.1" % (method, target), b"Host: fillpath", *fields, length))
    return lines + b"\r\n\r\n" + body
