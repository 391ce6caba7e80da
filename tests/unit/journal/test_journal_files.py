"""Which files are made, opened, migrated and refused."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import pytest

from service.journal import database
from service.journal.protocol import JournalForeign, JournalTooNew, JournalUnavailable
from service.journal.sqlite import SqliteJournal
from tests.unit.journal.examples import journaled


def execute(path, sql):
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql).fetchall()


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


async def test_only_the_owner_can_read_the_journal(path):
    journal = SqliteJournal.open(path)
    await journal.probe()
    assert mode_of(path.parent) == 0o700
    assert {file.name: mode_of(file) for file in path.parent.iterdir()} == dict.fromkeys(
        ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "journal.sqlite.lock"), 0o600
    )
    await journal.close()


async def test_commits_wait_for_the_disk(journal):
    names = ("synchronous", "fullfsync", "checkpoint_fullfsync", "foreign_keys")
    found, _ = await journal._writer.submit(
        lambda connection: [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    )
    assert found == [2, 1, 1, 1]
    assert journal._points.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


async def test_an_empty_file_becomes_a_journal_of_this_version(path):
    path.parent.mkdir()
    path.touch(0o644)
    await SqliteJournal.open(path).close()
    assert execute(path, "PRAGMA user_version") == [(database.VERSION,)]
    assert execute(path, "PRAGMA application_id") == [(database.APPLICATION_ID,)]
    assert mode_of(path) == 0o600


async def test_what_is_in_the_journal_outlives_a_restart(path):
    journal = SqliteJournal.open(path)
    order = await journaled(journal)
    await journal.close()
    journal = SqliteJournal.open(path)
    assert await journal.find_order(order.id) == order
    await journal.close()


async def test_a_newer_journal_is_refused_with_both_versions(path):
    await SqliteJournal.open(path).close()
    execute(path, "PRAGMA user_version = 99")
    with pytest.raises(JournalTooNew, match=f"version 99, this program knows versions up to {database.VERSION}"):
        SqliteJournal.open(path)
    assert execute(path, "PRAGMA user_version") == [(99,)]


@pytest.mark.parametrize(
    "make",
    [
        lambda path: execute(path, "CREATE TABLE theirs (id)"),
        lambda path: execute(path, "PRAGMA application_id = 7"),
        lambda path: path.write_bytes(b"no database at all " * 100),
    ],
    ids=["another schema", "another application", "no database"],
)
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(path, make):
    path.parent.mkdir()
    make(path)
    before = path.read_bytes()
    with pytest.raises(JournalForeign, match="is not a journal of Fillpath"):
        SqliteJournal.open(path)
    assert path.read_bytes() == before


def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(JournalUnavailable, match="cannot be opened"):
        SqliteJournal.open(tmp_path / "data" / "journal.sqlite")


async def test_a_refused_journal_can_be_opened_once_the_cause_is_gone(path):
    execute(path, "PRAGMA application_id = 7")
    with pytest.raises(JournalForeign):
        SqliteJournal.open(path)
    path.unlink()
    await SqliteJournal.open(path).close()


@pytest.mark.parametrize("replace", [lambda path: None, lambda path: path.touch()], ids=["removed", "replaced"])
async def test_a_journal_whose_file_is_taken_away_writes_nothing_more(journal, path, replace):
    path.rename(path.with_name("elsewhere"))
    replace(path)
    for _ in range(2):
        with pytest.raises(JournalUnavailable):
            await journal.probe()
    assert not journal.writable
    path.with_name("elsewhere").replace(path)
    await journaled(journal)
    assert journal.writable


async def test_the_free_space_is_the_disks(journal, path):
    assert 0 < journal.free_bytes < 2**60
