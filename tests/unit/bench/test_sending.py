"""The senders against a server of the test's own, which answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from itertools import pairwise

import pytest

from scripts.lib.bench import lanes
from scripts.lib.bench.machine import cores
from scripts.lib.bench.open_loop import schedule
from scripts.lib.bench.processes import send
from scripts.lib.bench.sending import Plan, Sender, requests
from service.core.signatures import verify_standard

SECRET = b"secret of the sender's tests, long enough"


def plan(**over):
    usual = {"port": 1, "connections": 3, "seconds": 5.0, "count": 12, "name": "x", "lanes": list(lanes.lanes(64))}
    return Plan(secret=SECRET, **(usual | over))


class Server:
    """Answers each request with the next status of `statuses`, else 202; None closes the connection instead.

    A connection that is idle for `patience` seconds is closed.
    """

    def __init__(self, statuses=(), delay=0.0, patience=None):
        self.patience = patience
        self.statuses = list(statuses)
        self.delay = delay
        self.times = []
        self.tasks = []
        self.at_once = self.most_at_once = 0

    @contextlib.asynccontextmanager
    async def running(self):
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]
            await asyncio.gather(*self.tasks)

    async def _serve(self, reader, writer):
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            while True:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), self.patience)
                await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
                self.times.append(time.perf_counter())
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                await asyncio.sleep(self.delay)
                self.at_once -= 1
                status = self.statuses.pop(0) if self.statuses else 202
                if status is None:
                    break
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 4\r\n\r\n" % status)
                await asyncio.sleep(0)
                writer.write(b"body")
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def sent_to(server, **over):
    async with server.running() as port:
        asked = plan(port=port, **over)
        return await Sender(asked, requests(asked)).run(time.monotonic())


def test_lanes_are_at_least_as_many_as_asked_and_neighbours_trade_different_markets():
    for least in (64, 100, 128):
        found = lanes.lanes(least)
        assert len(found) >= least
        assert len({(lane.account, lane.symbol) for lane in found}) == len(found)
        assert all(one.symbol != other.symbol for one, other in pairwise(found))


def test_alerts_are_signed_for_their_source_and_spread_evenly_over_the_lanes():
    asked = plan(count=128)
    prepared = [request.partition(b"\r\n\r\n") for request in requests(asked)]
    fields = [dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:]) for head, _, _ in prepared]

    assert all(
        verify_standard(
            [SECRET],
            msg_id=one["webhook-id"],
            timestamp=one["webhook-timestamp"],
            signature_header=one["webhook-signature"],
            body=body,
            now_s=time.time(),
        )
        for one, (_, _, body) in zip(fields, prepared, strict=True)
    )
    assert len({one["webhook-id"] for one in fields}) == 128
    bodies = [body for _, _, body in prepared]
    assert {bodies.count(body) for body in bodies} == {2}


async def test_a_closed_loop_sends_all_and_never_more_at_once_than_it_has_connections():
    server = Server(delay=0.005)

    sent = await sent_to(server)

    assert (len(sent.latencies), sent.refused, sent.unanswered, sent.ran_out) == (12, 0, 0, True)
    assert server.most_at_once == 3
    assert min(sent.latencies) >= 5


async def test_a_closed_loop_ends_with_its_time():
    sent = await sent_to(Server(delay=0.01), count=10_000, seconds=0.1)

    assert 3 <= len(sent.latencies) <= 60
    assert not sent.ran_out


async def test_refused_and_lost_alerts_are_counted_apart_and_have_no_latency():
    sent = await sent_to(Server([503, 202, 401, None]))

    assert (sent.refused, sent.unanswered, len(sent.latencies)) == (2, 1, 9)
    assert sent.statuses == {503: 1, 401: 1, 202: 9}


async def test_a_server_that_dies_ends_the_sending():
    sent = await asyncio.wait_for(sent_to(Server([None, None, None])), 5)

    assert (sent.unanswered, len(sent.latencies)) == (3, 0)


async def test_a_schedule_is_kept_whatever_the_answers_take():
    server = Server(delay=0.03)

    sent = await sent_to(server, rate=200.0, count=40, connections=40)

    assert len(sent.latencies) == 40
    assert server.times[-1] - server.times[0] == pytest.approx(39 / 200, abs=0.1)


async def test_connections_take_turns_so_that_none_is_closed_as_idle_before_it_is_needed(monkeypatch):
    monkeypatch.setattr("scripts.lib.bench.sending._ANSWERS_WITHIN_S", 2)
    server = Server(patience=0.5)
    asyncio.get_running_loop().call_later(1.0, setattr, server, "delay", 0.2)

    sent = await sent_to(server, rate=20.0, count=24, connections=4)

    assert (len(sent.latencies), sent.unanswered) == (24, 0)


async def test_latency_counts_from_when_an_alert_was_due_also_where_it_waited_for_a_connection():
    sent = await sent_to(Server(delay=0.05), rate=1000.0, count=4, connections=1)

    # One connection and 50 ms an answer: the fourth is answered after 200 ms and was due after 3.
    assert max(sent.latencies) >= 190


async def test_alerts_without_any_connection_left_are_unanswered(monkeypatch):
    monkeypatch.setattr("scripts.lib.bench.sending._ANSWERS_WITHIN_S", 0.05)

    sent = await sent_to(Server([None]), rate=1000.0, count=5, connections=1)

    assert (sent.unanswered, len(sent.latencies)) == (5, 0)


async def test_a_process_that_sends_tells_all_of_many_answers_even_unbuffered(monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    async with Server().running() as port:
        plans = [plan(port=port, count=6_000, connections=16, seconds=30.0, name=name) for name in "ab"]
        found = await asyncio.to_thread(send, plans, cores())

    assert [len(one.latencies) for one in found] == [6_000, 6_000]


@pytest.mark.parametrize(("rate", "seconds", "senders"), [(1000, 2, 1), (1000, 2, 3), (7, 1.5, 2), (1, 0.5, 4)])
def test_several_senders_keep_one_schedule_together(rate, seconds, senders):
    plans = schedule(plan(), rate, seconds, senders)

    due = sorted(one.due(number) for one in plans for number in range(one.count))
    assert due == pytest.approx([number / rate for number in range(max(1, round(rate * seconds)))])
    keys = [request.split(b"webhook-id: ")[1].split(b"\r\n")[0] for one in plans for request in requests(one)]
    assert len(set(keys)) == len(keys) == len(due)
