"""Sending: open loop against a server that is slow, closed loop, lost connections, and a stop."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from scripts.lib.traffic.kinds import Kind
from scripts.lib.traffic.mix import Mix
from scripts.lib.traffic.schedule import Schedule
from scripts.lib.traffic.sending import Sending
from scripts.lib.traffic.wire import encode
from service.core.signatures import verify_standard
from tests.support.waiting import until
from tests.unit.traffic.targets import KEY, LANES, STANDARD, TOKEN

ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}"
Respond = Callable[[asyncio.StreamWriter, int], Awaitable[None]]


@asynccontextmanager
async def server(respond: Respond) -> AsyncIterator[tuple[str, int, bool]]:
    """Reads requests and lets `respond` answer the nth."""
    count = 0
    open_now: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        open_now.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                count += 1
                await respond(writer, count)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        open_now.discard(writer)

    async def none_open() -> bool:
        return not open_now

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield "127.0.0.1", listener.sockets[0].getsockname()[1], False
        await until(none_open)


async def accept(writer: asyncio.StreamWriter, _: int) -> None:
    writer.write(ACCEPTED)


def mix(rate: float | None = None) -> Mix:
    return Mix((STANDARD,), 1, "run", rate)


async def test_each_connection_sends_its_next_alert_when_the_last_was_answered() -> None:
    async with server(accept) as address:
        sending = Sending(mix(), address, connections=4, count=200, schedule=None)
        await sending.run()
    batch = sending.taken()
    assert batch.finished == batch.sent == 200
    assert batch.answered == 200
    assert len(batch.lanes) > 30


async def test_a_slow_answer_counts_for_all_that_were_meant_to_leave_meanwhile() -> None:
    async def slow_once(writer: asyncio.StreamWriter, number: int) -> None:
        await asyncio.sleep(0.5 if number == 1 else 0)
        writer.write(ACCEPTED)

    schedule = Schedule(rate=100, count=50)
    async with server(slow_once) as address:
        sending = Sending(mix(100), address, connections=1, count=50, schedule=schedule)
        await sending.run()
    batch = sending.taken()
    assert batch.queued >= 40, "one connection, and it was busy"
    # A closed loop would have seen one slow answer; whoever sends at these times sees them all.
    assert sum(latency > 0.1 for latency in batch.latencies) > len(batch.latencies) / 2
    assert max(batch.latencies) >= 0.4


async def test_requests_leave_at_their_rate() -> None:
    schedule = Schedule(rate=200, count=100)
    async with server(accept) as address:
        sending = Sending(mix(200), address, connections=8, count=100, schedule=schedule)
        took = await sending.run()
    assert took >= schedule.intended(99)
    assert sending.taken().finished == 100


async def test_a_lost_connection_is_an_alert_without_an_answer_and_is_opened_again() -> None:
    async def hang_up(writer: asyncio.StreamWriter, number: int) -> None:
        if number % 10 == 0:
            writer.transport.abort()
        else:
            writer.write(ACCEPTED)

    async with server(hang_up) as address:
        sending = Sending(mix(), address, connections=3, count=100, schedule=None)
        await sending.run()
    batch = sending.taken()
    assert batch.finished == 100
    assert batch.finished - batch.answered == 10
    assert "the connection was lost" in " ".join(example.said for example in batch.examples)


async def test_answers_that_close_the_connection_are_answers() -> None:
    async def close(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")

    async with server(close) as address:
        sending = Sending(mix(), address, connections=2, count=20, schedule=None)
        await sending.run()
    assert sending.taken().answered == 20


async def test_a_stop_waits_only_for_what_is_under_way() -> None:
    async with server(accept) as address:
        sending = Sending(mix(50), address, connections=2, count=5000, schedule=Schedule(rate=50, count=5000))
        asyncio.get_running_loop().call_later(0.3, sending.stop)
        started = time.monotonic()
        await sending.run()
    batch = sending.taken()
    assert time.monotonic() - started < 5
    assert 1 <= batch.sent == batch.finished < 1000


async def test_without_a_listener_it_fails_at_once() -> None:
    sending = Sending(mix(), ("127.0.0.1", 1, False), connections=2, count=5, schedule=None)
    with pytest.raises(OSError, match="Connect call failed"):
        await sending.run()


async def test_a_price_is_learned_from_the_answer_to_a_wait() -> None:
    async def filled(writer: asyncio.StreamWriter, _: int) -> None:
        body = b'{"average_price": "123.4"}'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    learning = mix()
    async with server(filled) as address:
        sending = Sending(learning, address, connections=1, count=40, schedule=None)
        await sending.run()
    batch = sending.taken()
    assert len(batch.latencies) < batch.finished, "what waits for an outcome is no latency of an acknowledgement"
    priced = [alert for alert in (learning.next(time.time()) for _ in range(400)) if alert.kind is Kind.LIMIT]
    assert {alert.document["price"][:3] for alert in priced} <= {"123", "122"}


def test_an_alert_is_signed_as_its_source_wants_it() -> None:
    alert = mix().next(1_800_000_000)
    head, _, body = encode(alert, "127.0.0.1", 1_800_000_000).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert head.startswith(b"POST /webhook/default HTTP/1.1\r\n")
    assert int(headers["Content-Length"]) == len(body)
    assert verify_standard(
        [KEY],
        msg_id=headers["webhook-id"],
        timestamp=headers["webhook-timestamp"],
        signature_header=headers["webhook-signature"],
        body=body,
        now_s=1_800_000_000,
    )
    token = encode(alert._replace(sender=TOKEN, lane=LANES[0]), "127.0.0.1", 1_800_000_000)
    assert b'"token":"a-token"' in token
    assert f'"id":"{alert.key}"'.encode() in token


def test_a_bad_signature_is_bad() -> None:
    bad = mix().next(1_800_000_000)._replace(kind=Kind.BAD_SIGNATURE)
    head, _, body = encode(bad, "127.0.0.1", 1_800_000_000).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert int(headers["Content-Length"]) == len(body)
    assert not verify_standard(
        [KEY],
        msg_id=headers["webhook-id"],
        timestamp=headers["webhook-timestamp"],
        signature_header=headers["webhook-signature"],
        body=body,
        now_s=1_800_000_000,
    )
    assert base64.b64encode(KEY) not in head
    assert b"a-token" not in encode(bad._replace(sender=TOKEN), "h", 0).replace(b'"comment":"a-token"', b"")
