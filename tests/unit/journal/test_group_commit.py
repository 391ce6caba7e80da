"""Many writes share one commit, and none of them pays for another."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager, closing

import pytest

from service.core.orders import OrderStatus
from service.journal.protocol import Appended, Duplicate, JournalConflict, JournalUnavailable, StaleVersion
from service.journal.sqlite import SqliteJournal
from tests.support.waiting import until
from tests.unit.journal.examples import a_fill, an_order, its_answer, journaled, moved


@asynccontextmanager
async def busy_writer(journal):
    """The writer is inside a commit while the block runs, so that what is submitted there becomes one group."""
    entered, released = threading.Event(), threading.Event()
    holding = asyncio.ensure_future(journal._writer.submit(lambda _: (entered.set(), released.wait(10))))
    assert await asyncio.to_thread(entered.wait, 10)
    try:
        yield
    finally:
        released.set()
        await holding


async def queued(journal, count):
    async def enough():
        return len(journal._writer._queue) >= count

    await until(enough)


async def test_appends_at_once_share_commits(path):
    commits = []
    journal = SqliteJournal.open(path, on_commit=commits.append)
    orders = [an_order() for _ in range(200)]
    results = await asyncio.gather(*(journal.append(order, its_answer(order)) for order in orders))
    await journal.close()
    assert len(commits) < 20
    assert sum(stats.batch_size for stats in commits) == 200
    assert {result.commit.batch_size for result in results} == {stats.batch_size for stats in commits}
    assert all(stats.duration_s > 0 for stats in commits)


async def test_a_group_is_never_larger_than_asked(path):
    commits = []
    journal = SqliteJournal.open(path, on_commit=commits.append, max_batch=7)
    orders = [an_order() for _ in range(30)]
    await asyncio.gather(*(journal.append(order, its_answer(order)) for order in orders))
    await journal.close()
    assert max(stats.batch_size for stats in commits) == 7


async def test_the_same_key_fifty_times_at_once_is_one_order_and_49_duplicates(journal):
    orders = [an_order() for _ in range(50)]
    results = await asyncio.gather(*(journal.append(order, its_answer(order, key="k")) for order in orders))
    (winner,) = (order for order, result in zip(orders, results, strict=True) if isinstance(result, Appended))
    duplicates = [result for result in results if isinstance(result, Duplicate)]
    assert len(duplicates) == 49
    assert {duplicate.stored.order_id for duplicate in duplicates} == {winner.id}
    assert await journal.unfinished() == [winner]


async def test_a_key_that_is_taken_costs_its_group_nothing(journal, monkeypatch):
    def apart(*_):
        raise AssertionError("the group ran one by one")

    monkeypatch.setattr("service.journal.writer._run_apart", apart)
    known = await journaled(journal)
    again, twice, first, second = an_order(), an_order(), an_order(), an_order()
    after, step = moved(known, OrderStatus.SUBMITTED)
    async with busy_writer(journal):
        group = asyncio.gather(
            journal.append(again, its_answer(again, key=known.id)),
            journal.append(first, its_answer(first, key="k")),
            journal.record(after, step),
            journal.append(twice, its_answer(twice, key="k")),
            journal.append(second, its_answer(second)),
        )
        await queued(journal, 5)
    taken, appended, _, taken_in_the_group, last = await group
    assert [taken.stored, taken_in_the_group.stored] == [its_answer(known), its_answer(first, key="k")]
    assert isinstance(appended, Appended)
    assert isinstance(last, Appended)
    assert await journal.unfinished() == [after, first, second]


async def test_a_key_that_expires_before_its_next_use_in_a_group_makes_two_orders(journal):
    old, fresh, late = an_order(), an_order(), an_order()
    async with busy_writer(journal):
        group = asyncio.gather(
            journal.append(old, its_answer(old, key="k", created_ns=1_000, expires_ns=2_000)),
            journal.append(fresh, its_answer(fresh, key="k", created_ns=2_000, expires_ns=3_000)),
            journal.append(late, its_answer(late, key="k", created_ns=2_500, expires_ns=3_500)),
        )
        await queued(journal, 3)
    assert [type(result) for result in await group] == [Appended, Appended, Duplicate]
    assert await journal.unfinished() == [old, fresh]


async def test_one_that_fails_does_not_undo_its_group(journal):
    known = await journaled(journal)
    stale, transition = moved(known, OrderStatus.SUBMITTED)
    after, step = moved(known, OrderStatus.SUBMITTED)
    good, taken, last = an_order(), an_order(client_order_id=known.client_order_id), an_order()
    async with busy_writer(journal):
        group = asyncio.gather(
            journal.append(good, its_answer(good)),
            journal.record(after, step, [a_fill(known, "t1")]),
            journal.record(stale, transition, [a_fill(known, "t2")]),
            journal.append(taken, its_answer(taken)),
            journal._writer.submit(lambda _: 1 // 0),
            journal.append(last, its_answer(last)),
            return_exceptions=True,
        )
        await queued(journal, 6)
    results = await group
    assert [type(result).__name__ for result in results] == [
        "Appended",
        "Commit",
        StaleVersion.__name__,
        JournalConflict.__name__,
        ZeroDivisionError.__name__,
        "Appended",
    ]
    assert results[1] == results[0].commit == results[5].commit
    assert await journal.unfinished() == [after, good, last]
    assert [fill.id for fill in await journal.fills(known.id)] == ["t1"]
    held = await journal.holding(source=known.source, exchange="paper", account="main", symbol=known.symbol)
    assert held == a_fill(known, "t1").quantity
    assert journal.writable


async def test_a_waiter_that_is_cancelled_does_not_break_its_group(journal):
    impatient, patient = an_order(), an_order()
    async with busy_writer(journal):
        leaving = asyncio.ensure_future(journal.append(impatient, its_answer(impatient)))
        staying = asyncio.ensure_future(journal.append(patient, its_answer(patient)))
        await queued(journal, 2)
        leaving.cancel()
    assert isinstance(await staying, Appended)
    assert leaving.cancelled()


async def test_more_waiting_writes_than_allowed_are_refused(path):
    journal = SqliteJournal.open(path, max_queued=3)
    async with busy_writer(journal):
        waiting = asyncio.gather(*(journal.probe() for _ in range(3)))
        await queued(journal, 3)
        with pytest.raises(JournalUnavailable, match="3 writes wait for the disk"):
            await journal.probe()
    await waiting
    await journal.close()


async def test_a_measurement_that_fails_stops_nothing(path):
    def broken(_):
        raise ValueError("no metrics today")

    journal = SqliteJournal.open(path, on_commit=broken)
    await journal.probe()
    await journal.probe()
    await journal.close()


def test_writes_from_several_event_loops_are_all_answered(path):
    journal = SqliteJournal.open(path)

    async def write():
        orders = [an_order() for _ in range(20)]
        return await asyncio.gather(*(journal.append(order, its_answer(order)) for order in orders))

    results = []
    threads = [threading.Thread(target=lambda: results.extend(asyncio.run(write()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(journal.close())
    assert len(results) == 60


async def test_close_writes_what_is_queued_and_refuses_what_comes_later(path):
    journal = SqliteJournal.open(path)
    orders = [an_order() for _ in range(100)]
    appends = [asyncio.ensure_future(journal.append(order, its_answer(order))) for order in orders]
    await asyncio.sleep(0)
    await asyncio.gather(journal.close(), journal.close())
    assert all(isinstance(result, Appended) for result in await asyncio.gather(*appends))
    await journal.close()
    for later in (journal.probe(), journal.find_order("x")):
        with pytest.raises(JournalUnavailable, match="closed"):
            await later
    with pytest.raises(JournalUnavailable):
        journal.look_up_answer("s", "k", 0)
    assert not path.with_name("journal.sqlite-wal").exists()
    reopened = SqliteJournal.open(path)
    assert await reopened.unfinished() == orders
    await reopened.close()


def _contents(path):
    """Every row of what orders write."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: sorted(map(repr, connection.execute(f"SELECT * FROM {table}")))
            for table in ("orders", "transitions", "fills", "holdings", "answers")
        }


async def _written(path, orders, max_batch):
    """Append all, then fill all; with several in a group unless it may hold one."""
    journal = SqliteJournal.open(path, max_batch=max_batch)
    commits = set()
    async with busy_writer(journal):
        appends = asyncio.gather(*(journal.append(order, its_answer(order)) for order in orders))
        await queued(journal, len(orders))
    commits |= {result.commit.id for result in await appends}
    async with busy_writer(journal):
        changes = [moved(order, OrderStatus.SUBMITTED, last_span_id="c" * 16) for order in orders]
        records = asyncio.gather(
            *(
                journal.record(after, step, [a_fill(order, f"{order.id}-1"), a_fill(order, f"{order.id}-2")])
                for order, (after, step) in zip(orders, changes, strict=True)
            )
        )
        await queued(journal, len(orders))
    commits |= {commit.id for commit in await records}
    await journal.close()
    return len(commits)


async def test_a_group_leaves_the_rows_that_its_writes_leave_one_by_one(tmp_path):
    orders = [an_order() for _ in range(101)]
    together, apart = tmp_path / "together.sqlite", tmp_path / "apart.sqlite"
    assert await _written(together, orders, max_batch=512) == 2
    assert await _written(apart, orders, max_batch=1) == 202
    found = _contents(together)
    assert {table: len(rows) for table, rows in found.items()} == {
        "orders": 101,
        "transitions": 202,
        "fills": 202,
        "holdings": 1,
        "answers": 101,
    }
    assert found == _contents(apart)


async def test_writes_of_one_turn_of_the_loop_share_a_commit_though_the_writer_is_idle(journal):
    await journal.probe()
    orders = [an_order() for _ in range(20)]
    results = await asyncio.gather(*(journal.append(order, its_answer(order)) for order in orders))
    assert {result.commit.batch_size for result in results} == {20}
