"""Sends signed alerts over keep-alive connections: each as soon as the last is answered, or by a fixed schedule."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import cast

import msgspec

from scripts.lib.bench.figures import percentile
from scripts.lib.bench.lanes import SOURCE, Lane
from service.core.signatures import sign_standard

ACCEPTED = 202
_ANSWERS_WITHIN_S = 15.0
_STATUS = slice(9, 12)  # of "HTTP/1.1 202 ..."
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one process sends: `count` alerts at most, within `seconds`.

    `rate` is alerts a second by schedule; None sends as soon as the last one is answered. Of a schedule that several
    processes share, this one sends the alerts `first`, `first + step`, ... `name` keeps its keys apart from others'.
    """

    port: int
    secret: bytes
    lanes: list[Lane]
    connections: int
    seconds: float
    count: int
    name: str
    rate: float | None = None
    first: int = 0
    step: int = 1

    def due(self, number: int) -> float:
        """Seconds from the start at which its alert of this number (from 0) is to be sent."""
        assert self.rate is not None, "asked of a schedule"
        return (self.first + number * self.step) / self.rate


class Sent(msgspec.Struct, kw_only=True):
    """What became of it. `latencies`: ms from the moment each accepted alert was due to its answer.

    `begun`: the first request, `seconds`: until the last answer; `lag_p99_ms`: how late this process itself was.
    """

    latencies: list[float]
    statuses: dict[int, int]
    unanswered: int
    begun_ns: int
    seconds: float
    cpu_seconds: float
    lag_p99_ms: float = 0.0
    ran_out: bool = False

    @property
    def refused(self) -> int:
        return sum(count for status, count in self.statuses.items() if status != ACCEPTED)


def requests(plan: Plan) -> list[bytes]:
    """Signed before the clock runs; good for five minutes."""
    now = int(time.time())
    bodies = [lane.alert() for lane in plan.lanes]
    return [
        _request(plan, f"{plan.name}_{plan.first + number * plan.step}", now, bodies[number % len(bodies)])
        for number in range(plan.count)
    ]


def _request(plan: Plan, msg_id: str, now: int, body: bytes) -> bytes:
    signature = sign_standard(plan.secret, msg_id=msg_id, timestamp=now, body=body)
    head = (
        f"POST /webhook/{SOURCE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"webhook-id: {msg_id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One request at a time; `answered` gets the connection and the status, None where the connection was lost."""

    def __init__(self, answered: Callable[[Connection, int | None], None]) -> None:
        self.due = 0.0
        self._answered = answered
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is one by its methods only.
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, due: float) -> None:
        """`due` is when it should have been sent, `time.perf_counter` seconds."""
        assert self._transport is not None, "sent after it was connected"
        self.due, self._waiting = due, True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        head, end, body = received.partition(_HEAD_END)
        if not end or len(body) < _length(head):
            return
        self._received, self._waiting = b"", False
        self._answered(self, int(head[_STATUS]))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._waiting:
            self._waiting = False
            self._answered(self, None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _length(head: bytes) -> int:
    return int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0] or 0)


class Sender:
    """Carries out one plan, once."""

    def __init__(self, plan: Plan, prepared: Sequence[bytes]) -> None:
        self._plan = plan
        self._requests = prepared
        self._next = 0
        self._out = 0
        # Used in turn: a server closes a connection that is idle for long.
        self._free: deque[Connection] = deque()
        self._waiting: deque[int] = deque()
        self._latencies: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._unanswered = 0
        self._lags: list[float] = []
        self._done = asyncio.Event()
        self._began = self._until = self._last = 0.0

    async def run(self, start_at: float) -> Sent:
        """From `start_at` (`time.monotonic` seconds) on, until all is answered or its time is over."""
        cpu = time.process_time()
        connect = partial(asyncio.get_running_loop().create_connection, partial(Connection, self._answered))
        made = [await connect("127.0.0.1", self._plan.port) for _ in range(self._plan.connections)]
        connections = [connection for _, connection in made]
        await asyncio.sleep(start_at - time.monotonic())
        begun_ns = time.time_ns()
        self._began = self._last = time.perf_counter()
        self._until = self._began + self._plan.seconds
        if self._plan.rate is None:
            await self._send_closed(connections)
        else:
            await self._send_scheduled(connections)
        for connection in connections:
            connection.close()
        return Sent(
            latencies=self._latencies,
            statuses=dict(self._statuses),
            unanswered=self._unanswered + self._out + len(self._waiting),
            begun_ns=begun_ns,
            seconds=self._last - self._began,
            cpu_seconds=time.process_time() - cpu,
            lag_p99_ms=percentile(self._lags, 0.99) if self._lags else 0.0,
            ran_out=self._plan.rate is None and self._next >= len(self._requests),
        )

    async def _send_closed(self, connections: Sequence[Connection]) -> None:
        for connection in connections:
            self._send_next(connection)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._plan.seconds + _ANSWERS_WITHIN_S):
                await self._done.wait()

    def _send_next(self, connection: Connection) -> None:
        now = time.perf_counter()
        if now < self._until and self._next < len(self._requests):
            self._send(connection, self._next, now)
            self._next += 1
        elif not self._out:
            self._done.set()

    async def _send_scheduled(self, connections: Sequence[Connection]) -> None:
        self._free += connections
        while self._next < len(self._requests):
            now = time.perf_counter()
            due = self._began + self._plan.due(self._next)
            if due > now:
                await asyncio.sleep(due - now)
                continue
            self._lags.append((now - due) * 1000)
            self._send_or_wait(self._next, due)
            self._next += 1
        if self._out or self._waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ANSWERS_WITHIN_S):
                    await self._done.wait()

    def _send_or_wait(self, number: int, due: float) -> None:
        """It waits where every connection is busy, and its latency counts from when it was due all the same."""
        if self._free:
            self._send(self._free.popleft(), number, due)
        else:
            self._waiting.append(number)

    def _send(self, connection: Connection, number: int, due: float) -> None:
        self._out += 1
        connection.send(self._requests[number], due)

    def _answered(self, connection: Connection, status: int | None) -> None:
        self._out -= 1
        self._last = now = time.perf_counter()
        if status is None:
            self._unanswered += 1
        else:
            self._statuses[status] += 1
            if status == ACCEPTED:
                self._latencies.append((now - connection.due) * 1000)
        if self._plan.rate is None:
            self._go_on_closed(connection, status)
        else:
            self._go_on_scheduled(connection, status)

    def _go_on_closed(self, connection: Connection, status: int | None) -> None:
        if status is not None:
            self._send_next(connection)
        elif not self._out:
            self._done.set()

    def _go_on_scheduled(self, connection: Connection, status: int | None) -> None:
        if status is not None:
            self._free.append(connection)
        if self._waiting and self._free:
            number = self._waiting.popleft()
            self._send(self._free.popleft(), number, self._began + self._plan.due(number))
        elif not self._out and self._next >= len(self._requests):
            self._done.set()
