"""The wall clock jumps, ahead and back: orders, keys and prices are judged by the time that really passed."""

from __future__ import annotations

import asyncio
import contextlib
import time

import msgspec
import pytest

import service.app
from service.clock import SystemClock
from tests.chaos.power.serving import BUY, Disturbed, Senders
from tests.support.exchanges import LyingExchange
from tests.support.service import TOKEN, running
from tests.support.waiting import until

S = 10**9
HOUR = 3_600 * S
MONTH = 31 * 24 * HOUR
JUMPS = {"a month ahead": MONTH, "an hour back": -HOUR}
RESTING = {**BUY, "order_type": "limit", "price": "20000", "quantity": "0.01"}


class JumpingClock(SystemClock):
    """`jump` moves the wall clock alone; `wait` lets time pass by both."""

    def __init__(self):
        self._jumped = self._passed = 0

    def now_ns(self):
        return time.time_ns() + self._jumped + self._passed

    def monotonic_ns(self):
        return time.monotonic_ns() + self._passed

    def jump(self, by):
        self._jumped += by

    def wait(self, seconds):
        self._passed += int(seconds * S)


class StandingExchange(LyingExchange):
    """Its last prices are not refreshed any more; asked for one, it tells another. Fills may show up an hour late."""

    def __init__(self, loaded, clock):
        super().__init__(loaded, clock)
        self._wall = clock
        self._standing = {}
        self.fetched = 0

    @property
    def rules(self):
        return msgspec.structs.replace(super().rules, settling_ns=HOUR)

    def quote(self, symbol):
        if symbol not in self._standing:
            self._standing[symbol] = super().quote(symbol)
        return self._standing[symbol]

    async def fetch_quote(self, symbol):
        self.fetched += 1
        self._standing[symbol] = msgspec.structs.replace(self.quote(symbol), ts_ns=self._wall.now_ns())
        return self._standing[symbol]


@pytest.fixture
def clock():
    return JumpingClock()


@pytest.fixture
def cleaned_often(monkeypatch):
    monkeypatch.setattr(service.app, "_CLEAN_EVERY_S", 0.02)


async def post(client, alert):
    """By token: a signature would be as old as the jump is far."""
    return await client.public.post("/webhook/tradingview", json={**alert, "token": TOKEN})


async def reached(client, order_id, status):
    async def check():
        order = await client.order(order_id)
        return order if order["status"] == status else None

    return await until(check, within=60.0)


async def waits(client, alert):
    """An order behind another one that the exchange does not answer for the time being."""
    client.service.exchanges[0].gate.clear()
    first = (await post(client, {**BUY, "id": "first"})).json()["order_id"]
    await reached(client, first, "SUBMITTED")
    return (await post(client, alert)).json()["order_id"]


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_an_order_that_waits_does_not_expire_by_a_jump(tmp_path, clock, jump):
    async with running(tmp_path, make_exchange=LyingExchange, clock=clock) as client:
        order_id = await waits(client, {**BUY, "id": "waits"})
        clock.jump(jump)
        await asyncio.sleep(0.2)  # the sweeper's turns, in which it must not be ended
        assert (await client.order(order_id))["status"] == "RECEIVED"
        client.service.exchanges[0].gate.set()
        await reached(client, order_id, "FILLED")


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_an_order_that_waited_too_long_expires_whatever_the_clock_did(tmp_path, clock, jump):
    async with running(tmp_path, make_exchange=LyingExchange, clock=clock) as client:
        order_id = await waits(client, {**BUY, "id": "waits"})
        clock.jump(jump)
        clock.wait(31)
        assert (await reached(client, order_id, "EXPIRED"))["reason"] == "max_age"
        client.service.exchanges[0].gate.set()


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_a_jump_between_receipt_and_acknowledgement_makes_no_order_old(tmp_path, clock, jump):
    async with running(tmp_path, clock=clock) as client:
        append = client.service.journal.append

        async def slowly(order, answer):
            clock.jump(jump)
            return await append(order, answer)

        client.service.journal.append = slowly
        order_id = (await post(client, {**BUY, "id": "x"})).json()["order_id"]
        await reached(client, order_id, "FILLED")


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_a_jump_while_the_alert_is_still_coming_in_takes_no_price_from_it(tmp_path, clock, jump):
    body = msgspec.json.encode({**BUY, "id": "x", "token": TOKEN})

    async def in_two_parts():
        yield body[:10]
        await asyncio.sleep(0.2)  # longer than the head takes to be read
        clock.jump(jump)
        yield body[10:]

    async with running(tmp_path, clock=clock) as client:
        answer = await client.public.post("/webhook/tradingview", content=in_two_parts())
        await reached(client, answer.json()["order_id"], "FILLED")


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_a_key_outlives_every_jump_and_the_restarts_between(tmp_path, clock, jump, cleaned_often):
    named = {**BUY, "id": "once"}
    found = []
    async with running(tmp_path, clock=clock) as client:
        found.append(await post(client, named))
        await reached(client, found[0].json()["order_id"], "FILLED")
        clock.jump(jump)
        await asyncio.sleep(0.2)  # several clean-ups
        found.append(await post(client, named))
    clock.jump(jump)
    async with running(tmp_path, clock=clock) as client:
        await asyncio.sleep(0.2)
        found.append(await post(client, named))
        clock.jump(-2 * jump)
        found.append(await post(client, named))
        orders = (await client.operator.get("/orders")).json()["orders"]
    assert len({answer.json()["order_id"] for answer in found}) == 1
    assert [answer.headers.get("Idempotent-Replayed") for answer in found] == [None, "true", "true", "true"]
    assert len(orders) == 1


async def test_a_key_is_kept_thirty_days_of_running_and_then_forgotten(tmp_path, clock, cleaned_often):
    async with running(tmp_path, clock=clock) as client:
        first = (await post(client, {**BUY, "id": "old"})).json()["order_id"]
        await reached(client, first, "FILLED")
        clock.wait(29 * 24 * 3_600)
        assert (await post(client, {**BUY, "id": "old"})).json()["order_id"] == first
        clock.wait(2 * 24 * 3_600)
        assert (await post(client, {**BUY, "id": "old"})).json()["order_id"] != first


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_the_same_signal_is_a_resend_for_25_seconds_and_then_a_new_one(tmp_path, clock, jump):
    async with running(tmp_path, clock=clock) as client:
        first = (await post(client, BUY)).json()["order_id"]
        clock.jump(jump)
        clock.wait(20)
        assert (await post(client, BUY)).json()["order_id"] == first
        clock.wait(10)
        assert (await post(client, BUY)).json()["order_id"] != first


async def test_an_alert_is_stale_by_the_wall_clock_as_it_is(tmp_path, clock):
    async with running(tmp_path, clock=clock) as client:
        alert = {**BUY, "timestamp": int(time.time())}
        for jump, reason in ((HOUR, "stale"), (-2 * HOUR, "in_future")):
            clock.jump(jump)
            refused = await post(client, {**alert, "id": reason})
            assert (refused.status_code, refused.json()["reason"]) == (422, reason)
        clock.jump(HOUR)
        assert (await post(client, {**alert, "id": "now"})).status_code == 202


async def test_ids_differ_when_the_clock_stands_in_the_same_millisecond_again(tmp_path, clock):
    async with running(tmp_path, clock=clock) as client:
        answers = []
        for number in range(12):
            clock.jump(HOUR if number % 2 else -HOUR)
            answers.append(await post(client, {**BUY, "id": str(number)}))
        orders = [await reached(client, answer.json()["order_id"], "FILLED") for answer in answers]
    for name in ("order_id", "client_order_id", "trace_id"):
        assert len({order[name] for order in orders}) == 12


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_a_price_from_before_a_jump_is_asked_for_again(tmp_path, clock, jump):
    async with running(tmp_path, make_exchange=StandingExchange, clock=clock) as client:
        exchange = client.service.exchanges[0]
        order_id = await waits(client, {**BUY, "id": "waits"})
        clock.wait(3)
        clock.jump(jump)
        before = exchange.fetched
        exchange.gate.set()
        await reached(client, order_id, "FILLED")
        assert exchange.fetched > before


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_an_order_that_ended_is_watched_for_late_fills_as_long_as_it_should_be(tmp_path, clock, jump):
    async with running(tmp_path, make_exchange=StandingExchange, clock=clock) as client:
        order_id = (await post(client, {**RESTING, "id": "rests"})).json()["order_id"]
        await reached(client, order_id, "ACCEPTED")
        await client.operator.delete(f"/orders/{order_id}")
        await reached(client, order_id, "CANCELED")
        live = client.service.execution.register.live

        async def let_go():
            return order_id not in live

        clock.jump(jump)
        with contextlib.suppress(AssertionError):
            await until(let_go, within=0.5)
        assert order_id in live
        clock.wait(3_700)
        await until(let_go, within=60.0)


async def test_a_process_whose_clock_jumps_under_alerts_executes_each_once(tmp_path):
    disturbed = Disturbed(tmp_path)
    senders = Senders(disturbed, BUY)
    async with disturbed.serving(kill=True):
        async with senders.sending():
            for shift in (HOUR, -HOUR, MONTH, -MONTH, 0):
                await senders.heard(10)
                disturbed.faults.set(clock_shift_ns=shift)
            await senders.heard(10)
        await disturbed.settled()
    disturbed.faults.set(clock_shift_ns=MONTH)
    async with disturbed.serving():
        await senders.repeat_all()
        orders = await disturbed.settled()
    disturbed.faults.close()

    assert senders.refused == []
    assert set(orders) == set(senders.acknowledged.values())
    ended = {(order["status"], order.get("reason")) for order in orders.values()}
    assert ended == {("FILLED", None)}
    assert disturbed.executed() == {order["client_order_id"]: 1 for order in orders.values()}
