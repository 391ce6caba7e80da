"""A disk that fails: nothing is called durable, and nothing of it comes back."""

from __future__ import annotations

import asyncio
import errno
import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from functools import partial
from typing import ClassVar

import pytest

from service.core.orders import OrderStatus
from service.journal import database
from service.journal.protocol import JournalUnavailable
from service.journal.sqlite import SqliteJournal
from tests.support.disks import no_file_may_grow_beyond
from tests.unit.journal.examples import a_fill, an_order, its_answer, journaled, moved


class Unsteady(sqlite3.Connection):
    """Fails the statements in `faults`, each by its function."""

    faults: ClassVar = {}

    def execute(self, sql, *values):
        if sql in self.faults:
            self.faults[sql](self)
        return super().execute(sql, *values)


def disk_error(_):
    raise sqlite3.OperationalError("disk I/O error")


@pytest.fixture
def faults(monkeypatch):
    monkeypatch.setattr(Unsteady, "faults", {})
    monkeypatch.setattr(database.sqlite3, "connect", partial(sqlite3.connect, factory=Unsteady))
    return Unsteady.faults


async def test_a_disk_that_takes_no_more_fails_every_write_until_it_does(path):
    journal = SqliteJournal.open(path)
    kept = await journaled(journal)
    refused = [an_order() for _ in range(20)]
    with no_file_may_grow_beyond(path.with_name("journal.sqlite-wal").stat().st_size + 1_000):
        for _ in range(2):
            appends = (journal.append(order, its_answer(order)) for order in refused)
            results = await asyncio.gather(*appends, return_exceptions=True)
            assert all(isinstance(result, JournalUnavailable) for result in results)
            assert not journal.writable
    await journal.probe()
    assert journal.writable
    assert await journal.unfinished() == [kept]
    (again, *_) = refused
    await journal.append(again, its_answer(again))
    await journal.close()

    journal = SqliteJournal.open(path)
    assert await journal.unfinished() == [kept, again]
    await journal.close()


async def test_a_full_database_fails_the_whole_group(journal):
    kept = await journaled(journal)
    await journal._writer.submit(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())
    orders = [an_order(comment="x" * 50_000) for _ in range(5)]
    results = await asyncio.gather(
        *(journal.append(order, its_answer(order)) for order in orders), return_exceptions=True
    )
    assert "full" in str(next(result for result in results if isinstance(result, JournalUnavailable)))
    written = [order for order, result in zip(orders, results, strict=True) if not isinstance(result, Exception)]
    assert await journal.unfinished() == [kept, *written]


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE;", "COMMIT;"])
async def test_a_commit_that_fails_is_never_called_durable(faults, path, statement):
    journal = SqliteJournal.open(path)
    faults[statement] = disk_error
    order = an_order()
    with pytest.raises(JournalUnavailable, match="nothing was written: disk I/O error"):
        await journal.append(order, its_answer(order))
    assert not journal.writable
    assert journal.look_up_answer(order.source, order.id, 1_500) is None
    faults.clear()
    await journal.append(order, its_answer(order))
    assert journal.writable
    assert await journal.unfinished() == [order]
    await journal.close()


async def test_a_holding_moves_only_with_the_commit_of_its_fill(faults, path):
    journal = SqliteJournal.open(path)
    order = await journaled(journal)
    after, transition = moved(order, OrderStatus.FILLED)
    fill = a_fill(order, "1", quantity=Decimal(2))
    faults["COMMIT;"] = disk_error
    with pytest.raises(JournalUnavailable):
        await journal.record(after, transition, [fill])
    held = partial(journal.holding, source=order.source, exchange="paper", account="main", symbol=order.symbol)
    assert await held() == 0
    faults.clear()
    await journal.record(after, transition, [fill])
    assert await held() == 2
    await journal.close()


async def test_nothing_is_written_while_the_log_cannot_be_emptied(faults, path):
    journal = SqliteJournal.open(path)
    faults["COMMIT;"] = faults[database.SQL.empty_log] = disk_error
    with pytest.raises(JournalUnavailable):
        await journal.probe()
    del faults["COMMIT;"]
    with pytest.raises(JournalUnavailable):
        await journal.probe()
    faults.clear()
    await journal.probe()
    await journal.close()


def beats_after_a_crash(path, copy):
    """What a restart would find: the files as they are now, opened elsewhere."""
    copy.mkdir()
    for file in (path, path.with_name(f"{path.name}-wal")):
        shutil.copy(file, copy / file.name)
    with closing(sqlite3.connect(copy / path.name)) as connection:
        return connection.execute("SELECT beats FROM heartbeat").fetchone()[0]


def pages_of_a_commit(path, copy):
    """The bytes by which the log would grow if the heartbeat were set to 1,000."""
    copy.mkdir()
    log = path.with_name(f"{path.name}-wal")
    for file in (path, log):
        shutil.copy(file, copy / file.name)
    with closing(sqlite3.connect(copy / path.name, isolation_level=None)) as connection:
        connection.execute("UPDATE heartbeat SET beats = 1000")
        return (copy / log.name).read_bytes()[log.stat().st_size :]


async def test_a_commit_whose_flush_failed_is_cut_out_of_the_log(faults, path, tmp_path):
    journal = SqliteJournal.open(path)
    await journal.probe()
    found = []

    def flush_fails(_):
        # The pages are in the log, complete, but the disk did not confirm them.
        pages = pages_of_a_commit(path, tmp_path / "twin")
        with path.with_name(f"{path.name}-wal").open("ab") as log:
            log.write(pages)
        found.append(beats_after_a_crash(path, tmp_path / "before"))
        disk_error(_)

    faults["COMMIT;"] = flush_fails
    with pytest.raises(JournalUnavailable):
        await journal.probe()
    found.append(beats_after_a_crash(path, tmp_path / "after"))
    assert found == [1_000, 2]
    await journal.close()


def test_a_log_whose_name_may_not_be_on_the_disk_is_not_written_to(path, monkeypatch):
    there = []

    def flush(folder):
        there.append(path.with_name("journal.sqlite-wal").exists())
        if there[-1]:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(database, "flush_folder", flush)
    with pytest.raises(JournalUnavailable, match=r"cannot be opened: .*Input/output error"):
        SqliteJournal.open(path)
    assert there == [False, True]


async def test_a_reader_that_fails_says_so(faults, journal):
    faults[database.SQL.order_by_id] = disk_error
    with pytest.raises(JournalUnavailable, match="cannot be read: disk I/O error"):
        await journal.find_order("x")
