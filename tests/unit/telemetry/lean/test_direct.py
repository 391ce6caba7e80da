"""The kept connection to a receiver: what leaves, and whatever comes back from a server of raw bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import pytest
import requests

from telemetry.lean.direct import Direct, direct_to
from tests.support.receivers import BOUND

MOST = 1000
OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"


class Server:
    """Answers each request with the next of some texts, in one piece or byte by byte; None: says nothing."""

    def __init__(self, answers: list[bytes | None], *, closes: bool = False, dripping: bool = False) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answers = answers
        self._closes = closes
        self._dripping = dripping
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):  # who has read enough is gone
                self._on(connection)

    def _on(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while head := _head(stream):
            size = int(head.lower().rpartition(b"content-length:")[2].split()[0])
            self.requests.append(head + stream.read(size))
            answer = self._answers.pop(0)
            if answer is None:
                threading.Event().wait(0.5)
                return
            for part in (bytes([byte]) for byte in answer) if self._dripping else [answer]:
                connection.sendall(part)
            if self._closes:
                return


def _head(stream: BinaryIO) -> bytes:
    lines = []
    while line := stream.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


@contextmanager
def serving(*answers: bytes | None, closes: bool = False, dripping: bool = False) -> Iterator[tuple[Server, Direct]]:
    server = Server(list(answers), closes=closes, dripping=dripping)
    direct = reaching(f"http://{server.address}/v1/traces")
    try:
        yield server, direct
    finally:
        direct.close()
        server.close()


def reaching(url: str, **headers: str) -> Direct:
    request = requests.Session().prepare_request(requests.Request("POST", url, headers=headers, data=b""))
    found = direct_to(request, {}, MOST)
    assert found is not None
    return found


def test_a_request_leaves_as_one_and_names_its_host_its_headers_and_its_length() -> None:
    with serving(EMPTY) as (server, _):
        told = reaching(f"http://user:word@{server.address}/base/v1/traces?a=b", **{"X-Tenant": "ä", "Host": "other"})
        told.post(b"body", BOUND)
        told.close()
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")

    assert first == b"POST /base/v1/traces?a=b HTTP/1.1"
    assert body == b"body"
    assert {b"Host: " + server.address.encode(), b"X-Tenant: \xe4", b"Content-Length: 4"} <= set(lines)
    assert b"Accept-Encoding: identity" in lines
    assert sum(line.startswith(b"Authorization: Basic ") for line in lines) == 1
    assert len({line.partition(b":")[0].lower() for line in lines}) == len(lines)


def test_a_body_larger_than_what_the_system_takes_at_once_arrives_whole() -> None:
    body = bytes(range(256)) * 80_000
    with serving(EMPTY) as (server, direct):
        direct.post(body, BOUND)
    assert server.requests[0].endswith(body)


@pytest.mark.parametrize("dripping", [False, True])
@pytest.mark.parametrize(
    ("text", "status", "content"),
    [
        (OK + b"Content-Length: 5\r\n\r\nwhole", 200, b"whole"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nwho\r\n2\r\nle\r\n0\r\n\r\n", 200, b"whole"),
        (b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + EMPTY, 200, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy", 503, b"busy"),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200, b""),
    ],
)
def test_a_whole_answer_is_read_and_its_connection_kept(
    text: bytes, status: int, content: bytes, *, dripping: bool
) -> None:
    with serving(text, text, dripping=dripping) as (server, direct):
        for _ in range(2):
            answer = direct.post(b"body", BOUND)
            assert (answer.status_code, answer.content) == (status, content)
            assert answer.headers["retry-after"] == ("7" if status == 503 else None)
            assert "X" not in answer.headers
    assert server.connections == 1


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nwhole", b"whole"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwhole", b"whole"),
        (OK + b"Content-Length: 5\r\n\r\nwhole" + EMPTY, b"whole"),
        (OK + b"Content-Length: 5\r\n\r\nwhole\0nothing that HTTP knows", b"whole"),
        (OK + b"Content-Length: 100000\r\n\r\n" + bytes(100_000), bytes(MOST + 1)),
    ],
)
def test_a_connection_that_may_hold_more_than_the_answer_is_not_used_again(text: bytes, content: bytes) -> None:
    with serving(text, EMPTY) as (server, direct):
        assert direct.post(b"one", BOUND).content == content
        assert direct.post(b"two", BOUND).content == b""
    assert server.connections == 2


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    with serving(OK + b"\r\nwhole", closes=True) as (_, direct):
        assert direct.post(b"body", BOUND).content == b"whole"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no HTTP at all\r\n\r\n",
        OK,
        OK + b"Content-Length: 5\r\n\r\nwho",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nwho\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n",
        OK + b"X: " + b"y" * 1_000_000,
        OK + b"X: y\r\n" * 1_000_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
    ],
)
def test_what_is_no_whole_answer_is_an_error_of_the_connection_and_the_next_request_takes_another(text: bytes) -> None:
    with serving(text, EMPTY, closes=True) as (server, direct):
        with pytest.raises(requests.exceptions.ConnectionError):
            direct.post(b"one", BOUND)
        assert direct.post(b"two", BOUND).status_code == 200
    assert server.connections == 2


def test_a_receiver_that_says_nothing_is_a_time_out() -> None:
    with serving(None, EMPTY) as (_, direct):
        with pytest.raises(requests.exceptions.Timeout):
            direct.post(b"one", 0.1)
        assert direct.post(b"two", BOUND).status_code == 200


def test_nobody_there_is_an_error_of_the_connection() -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        reaching("http://127.0.0.1:9/v1/traces").post(b"one", BOUND)
