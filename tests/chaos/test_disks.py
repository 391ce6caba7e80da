"""A disk that fails under a running service: 503 while it does, nothing lost, and well again by itself."""

from __future__ import annotations

import asyncio
import errno

import httpx
import pytest

from tests.chaos.power.serving import BUY, DENIED, PATIENCE_S, TOKEN, Disturbed, Senders
from tests.support.waiting import until

FAULTS = {
    "flushes fail": {"sync_errno": errno.EIO},
    "the disk is full": {"write_errno": errno.ENOSPC},
    "the disk is read-only": {"write_errno": errno.EROFS},
}


@pytest.fixture
def disturbed(tmp_path):
    disturbed = Disturbed(tmp_path)
    yield disturbed
    disturbed.faults.close()


async def send(disturbed, name, alert=BUY):
    async with httpx.AsyncClient(base_url=disturbed.public, timeout=PATIENCE_S, trust_env=False) as client:
        return await client.post("/webhook/chaos", json={**alert, "id": name, "token": TOKEN})


async def is_writable(disturbed, value):
    async def reached():
        return await disturbed.metric("execution_journal_writable") == value

    await until(reached, within=PATIENCE_S, every=0.1)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_disk_that_fails_for_a_while_loses_and_doubles_nothing(disturbed, fault):
    senders = Senders(disturbed, BUY)
    async with disturbed.serving(kill=True):
        async with senders.sending():
            await senders.heard(20)
            disturbed.faults.set(**fault)
            await senders.turned_away(10)
            await is_writable(disturbed, 0)
            assert await disturbed.ready() == 503
            during = len(senders.acknowledged)
            await senders.turned_away(10)
            assert len(senders.acknowledged) == during
            disturbed.faults.set()
            await senders.heard(20)
        await is_writable(disturbed, 1)
        assert await disturbed.ready() == 200
    async with disturbed.serving():
        orders = await disturbed.settled()

    for answer in senders.refused:
        assert (answer.status_code, answer.json()["reason"]) == (503, "journal_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    assert set(orders) == set(senders.acknowledged.values())
    assert len(orders) == len(senders.acknowledged)
    filled = {order["client_order_id"] for order in orders.values() if order["status"] == "FILLED"}
    assert disturbed.executed() == dict.fromkeys(filled, 1)
    assert len(filled) == len(orders)


async def test_what_a_failed_flush_refused_is_gone_after_a_kill(disturbed):
    async with disturbed.serving(kill=True):
        kept = (await send(disturbed, "kept")).json()["order_id"]
        await disturbed.settled()
        disturbed.faults.set(sync_errno=-errno.EIO)
        refused = await send(disturbed, "refused")
    async with disturbed.serving():
        orders = await disturbed.settled()

    assert refused.status_code == 503
    assert set(orders) == {kept}
    assert list(disturbed.executed().values()) == [1]


async def test_a_slow_disk_is_shared_by_all_who_wait(disturbed):
    alerts = 60
    async with disturbed.serving():
        before = await disturbed.metric("execution_journal_batch_size_count")
        disturbed.faults.set(sync_delay_ms=200)
        async with asyncio.TaskGroup() as tasks:
            sent = [tasks.create_task(send(disturbed, f"a{number}", DENIED)) for number in range(alerts)]
        commits = await disturbed.metric("execution_journal_batch_size_count") - before
        disturbed.faults.set()
        orders = await disturbed.settled()

    assert {task.result().status_code for task in sent} == {202}
    assert len(orders) == alerts
    assert commits < alerts / 2


@pytest.mark.parametrize(
    "fault", [{"write_errno": errno.EROFS}, {"sync_errno": errno.EIO}], ids=["read-only", "flushes fail"]
)
async def test_a_start_on_a_disk_that_cannot_be_written_says_so_and_ends(disturbed, fault):
    disturbed.faults.set(**fault)
    running = disturbed.start()
    assert await asyncio.to_thread(running.ended, PATIENCE_S) != 0
    assert str(disturbed.data / "journal.sqlite") in running.errors
    assert "Traceback" not in running.errors


async def test_a_kill_switch_that_is_not_on_the_disk_is_not_called_thrown(disturbed):
    async with disturbed.serving():
        disturbed.faults.set(sync_errno=errno.EIO)
        async with disturbed.operating() as client:
            refused = await client.post("/halt", json={"account": "*", "level": "stop"})
            disturbed.faults.set()
            thrown = await client.post("/halt", json={"account": "*", "level": "stop"})

    assert refused.status_code == 503
    assert thrown.status_code == 200
