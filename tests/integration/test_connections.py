"""What a connection may do to the listeners: nothing that hurts another one, whatever bytes it sends or keeps back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from service.api import connections
from service.core.signatures import decode_secret, sign_standard
from tests.support.service import OPERATOR, SECRET, Client, running
from tests.support.waiting import until

ALERT = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.001"}
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def reason(self) -> str | None:
        problem = self.headers.get("content-type") == "application/problem+json"
        return json.loads(self.body)["reason"] if problem else None


class Raw:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def answer(self, within: float = 15.0) -> Answer:
        async with asyncio.timeout(within):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(status.split(" ")[1]), headers, body)

    async def closed(self, within: float = 15.0) -> bool:
        """Whether the other side closes without another word."""
        try:
            async with asyncio.timeout(within):
                return await self.reader.read(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[Raw]:
    host, _, port = address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def raw(client: Client) -> AsyncIterator[Raw]:
    async with connected(client.service.public_address) as connection:
        yield connection


@pytest.fixture
async def hurried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A service whose senders have a second for what they otherwise have 13 for."""
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.5)
    monkeypatch.setattr(connections, "CHECK_EVERY_S", 0.05)
    async with running(tmp_path, server={"body_timeout": 0.5}) as client:
        yield client


@pytest.fixture
async def slow(hurried: Client) -> AsyncIterator[Raw]:
    async with connected(hurried.service.public_address) as connection:
        yield connection


def signed(msg_id: str = "m", body: bytes | None = None) -> tuple[bytes, bytes, bytes]:
    """Head lines without the signature, the signature's line, and the body of an alert that would be executed."""
    body = msgspec.json.encode(ALERT) if body is None else body
    now = int(time.time())
    signature = sign_standard(decode_secret(SECRET), msg_id=msg_id, timestamp=now, body=body)
    head = f"POST /webhook/default HTTP/1.1\r\nHost: a\r\nwebhook-id: {msg_id}\r\nwebhook-timestamp: {now}\r\n"
    return head.encode(), f"webhook-signature: {signature}\r\n".encode(), body


def alert_request(msg_id: str = "m") -> bytes:
    head, signature, body = signed(msg_id)
    return head + signature + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def orders(client: Client) -> list[dict[str, object]]:
    return list((await client.operator.get("/orders")).json()["orders"])


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"x: " + b"a" * 70_000 + b"\r\n", id="one long header"),
        pytest.param(b"".join(b"x-%d: a\r\n" % number for number in range(200)), id="many headers"),
    ],
)
async def test_a_head_that_is_too_large_is_refused_with_its_reason(raw: Raw, head: bytes) -> None:
    raw.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n", head, b"\r\n")
    answer = await raw.answer()
    assert (answer.status, answer.reason) == (431, "too_large")
    assert await raw.closed()


async def test_a_target_that_is_too_long_is_refused_with_its_reason(raw: Raw) -> None:
    raw.write(b"GET /", b"a" * 70_000, b" HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = await raw.answer()
    assert (answer.status, answer.reason) == (431, "too_large")


async def test_a_head_without_end_is_refused_before_it_is_large(client: Client, raw: Raw) -> None:
    with contextlib.suppress(ConnectionError):
        raw.write(b"GET /healthz HTTP/1.1\r\nx: ")
        for _ in range(64):
            raw.write(b"a" * 65_536)
            async with asyncio.timeout(15):
                await raw.writer.drain()
    assert await until(lambda: _is_closed(raw), within=5)


async def _is_closed(raw: Raw) -> bool:
    try:
        return raw.reader.at_eof() or await raw.reader.read(65_536) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\n\r\n",
        b"GET http://127.0.0.1 HTTP/1.1\r\nHost: b\r\n\r\n",
        b"GET http://a:99999/ HTTP/1.1\r\nHost: b\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", "NUL", "no path", "no port"],
)
async def test_what_is_not_http_is_refused_with_its_reason(raw: Raw, junk: bytes) -> None:
    raw.write(junk)
    answer = await raw.answer()
    assert (answer.status, answer.reason) == (400, "malformed")
    assert await raw.closed()


async def test_refusals_of_the_listener_are_counted(client: Client, raw: Raw) -> None:
    raw.write(b"no HTTP at all\r\n\r\n")
    await raw.answer()
    assert (await client.metrics())['execution_denials_total{reason="malformed",source="unknown"}'] == 1


async def test_an_alert_before_junk_in_one_packet_gets_its_own_answer_first(client: Client, raw: Raw) -> None:
    raw.write(alert_request(), b"\x00\x01junk\r\n\r\n")
    first, second = await raw.answer(), await raw.answer()
    assert (first.status, second.status) == (202, 400)
    assert await raw.closed()
    assert [order["order_id"] for order in await orders(client)] == [json.loads(first.body)["order_id"]]


async def test_a_body_that_breaks_off_in_its_chunks_is_refused_at_once(client: Client, raw: Raw) -> None:
    head, signature, body = signed()
    raw.write(head, signature, b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n" % len(body), body, b"\r\nzz\r\n")
    answer = await raw.answer(within=2.5)
    assert (answer.status, answer.reason) == (400, "malformed")
    assert await orders(client) == []


async def test_answers_before_a_body_that_breaks_off_are_sent_whole(
    client: Client, raw: Raw, caplog: pytest.LogCaptureFixture
) -> None:
    broken = (
        b"POST /webhook/default HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\nzz"
    )
    raw.write(HEALTH * 5, alert_request(), broken, b"\r\n")
    raw.writer.write_eof()
    assert [(await raw.answer()).status for _ in range(7)] == [200] * 5 + [202, 400]
    assert await raw.closed()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_trailer_is_no_header(client: Client, raw: Raw) -> None:
    head, signature, body = signed()
    raw.write(head, b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, signature))
    answer = await raw.answer()
    assert (answer.status, answer.reason) == (401, "signature")
    assert await orders(client) == []


async def test_a_trailer_does_not_say_who_is_calling(tmp_path: Path) -> None:
    server = {"trusted_proxies": ["127.0.0.1"]}
    async with running(tmp_path, server=server, sources={"default": {"addresses": ["192.0.2.1"]}}) as client:
        head, signature, body = signed()
        async with connected(client.service.public_address) as raw:
            raw.write(head, signature, b"X-Forwarded-For: 198.51.100.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            raw.write(b"%x\r\n%b\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n" % (len(body), body))
            answer = await raw.answer()
    assert (answer.status, answer.reason) == (403, "address")


async def test_a_body_beside_an_upgrade_is_still_the_body(client: Client, raw: Raw) -> None:
    head, signature, body = signed()
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    raw.write(head, signature, upgrade, b"Content-Length: %d\r\n\r\n" % len(body), body)
    answer = await raw.answer()
    assert answer.status == 202, answer.body


async def test_after_an_upgrade_that_is_passed_over_the_next_request_is_served(raw: Raw) -> None:
    raw.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", alert_request())
    assert [(await raw.answer()).status for _ in range(2)] == [200, 202]


async def test_a_sender_that_says_no_more_still_gets_its_answers(client: Client, raw: Raw) -> None:
    raw.write(alert_request("a"), alert_request("b"))
    raw.writer.write_eof()
    answers = [await raw.answer() for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 202]
    assert await raw.closed()


async def test_a_second_request_that_does_not_end_is_closed_in_time(slow: Raw) -> None:
    slow.write(HEALTH)
    assert (await slow.answer()).status == 200
    slow.write(b"GET /healthz HTTP/1.1\r\n")
    assert await slow.closed()


async def test_a_connection_that_is_not_used_any_more_is_closed_in_time(
    slow: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_TIMEOUT_S", 0.5)
    slow.write(HEALTH)
    assert (await slow.answer()).status == 200
    assert await slow.closed()


async def test_a_sender_that_drips_is_closed_in_time(slow: Raw) -> None:
    slow.write(HEALTH)
    await slow.answer()

    slow.write(b"GET /")

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                slow.write(b"a" if not slow.writer.is_closing() else b"")
                await slow.writer.drain()
                await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    try:
        assert await until(lambda: _is_closed(slow))
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)


async def test_a_body_that_goes_on_after_its_refusal_is_closed_in_time(slow: Raw) -> None:
    slow.write(b"POST /webhook/default HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
    answer = await slow.answer()
    assert (answer.status, answer.reason) == (413, "too_large")
    assert await slow.closed()


async def test_an_operator_body_that_does_not_come_is_closed_without_an_error(
    hurried: Client, caplog: pytest.LogCaptureFixture
) -> None:
    authorization = f"Authorization: Bearer {OPERATOR}\r\n".encode()
    async with connected(hurried.service.operator_address) as raw:
        raw.write(b"POST /halt HTTP/1.1\r\nHost: a\r\n", authorization, b"Content-Length: 100\r\n\r\n{")
        assert await raw.closed()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_client_that_never_reads_is_closed_in_time(hurried: Client) -> None:
    async with connected(hurried.service.public_address) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(60):
                while True:
                    raw.write(HEALTH * 32)
                    await raw.writer.drain()
    assert (await hurried.public.get("/healthz")).status_code == 200


async def test_pipelining_is_bounded(client: Client, raw: Raw) -> None:
    raw.write(HEALTH * 1000)
    answers = []
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            answers.append(await raw.answer())
    assert [answer.status for answer in answers[:-1]] == [200] * (len(answers) - 1)
    assert (answers[-1].status, answers[-1].reason) == (400, "malformed")
    assert len(answers) < 200


async def test_silent_connections_make_room_for_one_that_speaks(tmp_path: Path) -> None:
    async with running(tmp_path, server={"max_connections": 8}) as client, contextlib.AsyncExitStack() as stack:
        address = client.service.public_address
        silent = [await stack.enter_async_context(connected(address)) for _ in range(40)]
        for connection in silent[::2]:
            connection.write(b"POST /webhook/default HTTP/1.1\r\nHost: a\r\n")
        answer = await client.send(ALERT)
        assert answer.status_code == 202
        assert await silent[0].closed()


async def test_where_every_connection_is_served_a_further_one_is_told_to_come_again(tmp_path: Path) -> None:
    paper = {"latency": 5.0}
    async with running(tmp_path, server={"max_connections": 2}, paper=paper) as client:
        waiting = [asyncio.create_task(client.send(ALERT, wait=3)) for _ in range(2)]
        await until(lambda: _count(client, 2))
        async with connected(client.service.public_address) as raw:
            answer = await raw.answer()
        assert (answer.status, answer.reason) == (503, "overloaded")
        assert answer.headers["retry-after"]
        assert {(await one).status_code for one in waiting} <= {200, 202}


async def _count(client: Client, wanted: int) -> bool:
    return len(await orders(client)) == wanted


@pytest.mark.parametrize("path", ["/healthz/", "/webhook/default/"])
@pytest.mark.parametrize("host", ["[", "example.org", "\xff"])
async def test_a_slash_too_many_is_not_found_and_redirects_nowhere(raw: Raw, path: str, host: str) -> None:
    raw.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))
    answer = await raw.answer()
    assert (answer.status, answer.reason) == (404, "not_found")


@pytest.mark.parametrize("limit", ["000005" + "9" * 5000, "0000051", "501", "0", "\u0663", "-1", "1e2"])
async def test_a_limit_of_a_listing_is_a_number_in_bounds(client: Client, limit: str) -> None:
    answer = await client.operator.get("/orders", params={"limit": limit})
    assert (answer.status_code, answer.json().get("reason")) == (422, "invalid_limit")
