"""Sends the alerts of a mix: at the times of a schedule, or as fast as answers come; the heart of a worker."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import msgspec

from scripts.lib.traffic.mix import OK, Alert, Mix
from scripts.lib.traffic.records import EXAMPLES, Batch, Example, Outcome
from scripts.lib.traffic.schedule import Schedule
from scripts.lib.traffic.wire import Answer, Connection, connect, encode

CONNECT_S = 5.0
ANSWER_S = 30.0
_AHEAD_S = 0.5
_FEW_AHEAD = 16
_AT_ONCE = 4
"""Signed without looking up: some tenths of a millisecond."""
_TICK_S = 0.001
"""A shorter sleep is none to the event loop: it would turn without end, on a core that the service needs."""
_SILENCE_LOOK_S = 0.5


class Prepared(NamedTuple):
    alert: Alert
    request: bytes


@dataclass(slots=True)
class _Sent:
    prepared: Prepared
    intended: float
    deadline: float


class Sending:
    """One run of `count` alerts over `connections` connections; `taken` hands over what happened since the last call.

    With a schedule latency counts from the intended time, however late the request could be sent: what a user would
    have waited. Without one it counts from the sending.
    """

    def __init__(
        self, mix: Mix, address: tuple[str, int, bool], connections: int, count: int, schedule: Schedule | None
    ) -> None:
        self._mix = mix
        self._host, self._port, self._secure = address
        self._connections = connections
        self._count = count
        self._schedule = schedule
        self._free: deque[Connection] = deque()
        self._under_way: dict[Connection, _Sent] = {}
        self._waiting: deque[tuple[Prepared, float]] = deque()
        self._ready: deque[Prepared] = deque()
        self._made = 0
        self._batch = Batch()
        self._stopped = False
        self._changed = asyncio.Event()
        self._opening: set[asyncio.Task[None]] = set()
        self._started = 0.0

    async def run(self) -> float:
        """Seconds from the start to the last answer; raises OSError where nothing can be reached at the start."""
        first = await self._open()
        self._free.append(first)
        for connection in await asyncio.gather(*(self._open() for _ in range(self._connections - 1))):
            self._free.append(connection)
        self._prepare(self._ahead())
        self._started = time.perf_counter()
        watch = asyncio.create_task(self._give_up_on_silence())
        try:
            await (self._closed_loop() if self._schedule is None else self._open_loop(self._schedule))
            while self._under_way or self._waiting:
                await self._change()
        finally:
            watch.cancel()
            for task in self._opening:
                task.cancel()
            for connection in [*self._free, *self._under_way]:
                connection.close()
        return time.perf_counter() - self._started

    def stop(self) -> None:
        """Send no more; what is under way is waited for."""
        self._stopped = True
        self._waiting.clear()
        self._changed.set()

    def taken(self) -> Batch:
        batch, self._batch = self._batch, Batch()
        return batch

    async def _open_loop(self, schedule: Schedule) -> None:
        """Each request in its turn; signing fills the time in between, so that it delays none."""
        number = 0
        while number < schedule.count and not self._stopped:
            elapsed = time.perf_counter() - self._started
            due = schedule.due(elapsed)
            for turn in range(number, due):
                intended = self._started + schedule.intended(turn)
                self._batch.late.append(max(0.0, time.perf_counter() - intended))
                self._send_or_queue(self._next(), intended)
            number = max(number, due)
            pause = schedule.intended(number) - (time.perf_counter() - self._started)
            if pause > 0 and len(self._ready) < self._ahead():
                self._prepare(len(self._ready) + _AT_ONCE)
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(max(_TICK_S, pause))

    async def _closed_loop(self) -> None:
        """The next one when a connection is free."""
        for _ in range(self._count):
            while not self._free and not self._stopped:
                await self._change()
            if self._stopped:
                return
            self._send_or_queue(self._next(), time.perf_counter())

    async def _change(self) -> None:
        """Until an answer came, a connection was opened, or it was stopped."""
        self._changed.clear()
        await self._changed.wait()

    def _ahead(self) -> int:
        return _FEW_AHEAD if self._schedule is None else max(_FEW_AHEAD, int(self._schedule.rate * _AHEAD_S))

    def _prepare(self, count: int) -> None:
        now = time.time()
        while len(self._ready) < count and self._made < self._count:
            self._made += 1
            alert = self._mix.next(now)
            self._ready.append(Prepared(alert, encode(alert, self._host, now)))

    def _next(self) -> Prepared:
        if not self._ready:
            self._prepare(1)
        return self._ready.popleft()

    def _send_or_queue(self, prepared: Prepared, intended: float) -> None:
        while self._free:
            connection = self._free.popleft()
            if connection.usable:
                self._send(connection, prepared, intended)
                return
            self._reopen()
        self._batch.queued += 1
        self._waiting.append((prepared, intended))

    def _send(self, connection: Connection, prepared: Prepared, intended: float) -> None:
        self._batch.sent += 1
        lane = prepared.alert.lane
        self._batch.lanes.add((lane.account, lane.market.symbol))
        self._under_way[connection] = _Sent(prepared, intended, time.perf_counter() + ANSWER_S)
        connection.send(prepared.request)

    def _done(self, connection: Connection, answer: Answer) -> None:
        sent = self._under_way.pop(connection, None)
        if sent is not None:
            self._record(sent, answer)
        if not connection.usable:
            connection.close()
            self._reopen()
        elif self._waiting:
            prepared, intended = self._waiting.popleft()
            self._send(connection, prepared, intended)
        else:
            self._free.append(connection)
        self._changed.set()

    def _record(self, sent: _Sent, answer: Answer) -> None:
        alert = sent.prepared.alert
        right = answer.status == alert.status or (alert.waits and answer.status == OK)
        self._batch.outcomes[Outcome(alert.kind.value, answer.status, right)] += 1
        if not alert.waits:
            self._batch.latencies.append(time.perf_counter() - sent.intended)
        if not right and len(self._batch.examples) < EXAMPLES:
            self._batch.examples.append(Example(alert.kind.value, alert.status, answer.status, _said(answer)))
        self._mix.answered(alert, answer.status)
        if alert.waits and answer.status == OK:
            self._learn(alert, answer.body)

    def _learn(self, alert: Alert, body: bytes) -> None:
        price = msgspec.json.decode(body, type=dict[str, object]).get("average_price")
        if isinstance(price, str):
            self._mix.learn(alert.lane.market.symbol, Decimal(price), time.time())

    async def _open(self) -> Connection:
        return await connect(self._host, self._port, secure=self._secure, done=self._done, within=CONNECT_S)

    def _reopen(self) -> None:
        """Another connection in the place of one that ended."""
        task = asyncio.get_running_loop().create_task(self._opened())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _opened(self) -> None:
        while not self._stopped:
            try:
                connection = await self._open()
            except OSError:
                await asyncio.sleep(0.2)
                continue
            self._free.append(connection)
            if self._waiting:
                self._send_or_queue(*self._waiting.popleft())
            self._changed.set()
            return

    async def _give_up_on_silence(self) -> None:
        """A connection on which no answer came is closed, which counts its request as unanswered.

        So is a request that found no connection for as long.
        """
        while True:
            await asyncio.sleep(_SILENCE_LOOK_S)
            now = time.perf_counter()
            for connection in [one for one, sent in self._under_way.items() if now > sent.deadline]:
                connection.close()
            while self._waiting and now > self._waiting[0][1] + ANSWER_S:
                prepared, intended = self._waiting.popleft()
                self._record(_Sent(prepared, intended, now), Answer(0, error="no connection was free"))
                self._changed.set()


def _said(answer: Answer) -> str:
    if answer.error:
        return answer.error
    try:
        problem = msgspec.json.decode(answer.body, type=dict[str, object])
    except msgspec.DecodeError:
        return "no JSON"
    return f"{problem.get('reason', '')}: {problem.get('detail', '')}"[:200]


Tell = Callable[[Batch], None]
"""Takes what happened since the last call."""


async def send(sending: Sending, tell: Tell, every: float) -> float:
    """Run it and tell at that interval what happened; the seconds it took."""

    async def report() -> None:
        while True:
            await asyncio.sleep(every)
            tell(sending.taken())

    reporter = asyncio.create_task(report())
    try:
        return await sending.run()
    finally:
        reporter.cancel()
        tell(sending.taken())
