"""A key that nobody used is known to be unknown without reading the file, and no other key ever is."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from service.journal import reads
from service.journal.known_keys import KnownKeys
from service.journal.protocol import JournalUnavailable
from service.journal.sqlite import SqliteJournal
from tests.support.waiting import until
from tests.unit.journal.examples import an_order, its_answer, journaled


def test_every_key_that_was_added_may_be_held_and_hardly_any_other():
    known = KnownKeys()
    known.complete = True
    known.add(("s", f"key {number}") for number in range(10_000))
    assert all(known.may_hold("s", f"key {number}") for number in range(10_000))
    assert sum(known.may_hold("s", f"other {number}") for number in range(10_000)) < 200
    assert sum(known.may_hold("t", f"key {number}") for number in range(10_000)) < 200


def test_until_it_is_complete_any_key_may_be_held():
    assert KnownKeys().may_hold("s", "k")


@pytest.fixture
def unreadable(monkeypatch):
    """From the call of it on, no look-up can read the file."""

    def fail(*_):
        raise sqlite3.OperationalError("disk I/O error")

    return lambda: monkeypatch.setattr(reads, "answer", fail)


async def until_learned(journal):
    """Each read of the journal lets one more slice be read."""

    async def complete():
        await journal.findings()
        return journal._known.complete

    await until(complete)


async def test_an_unknown_key_reads_no_file_and_a_known_one_does(journal, unreadable):
    order = await journaled(journal)
    await until_learned(journal)
    unreadable()
    assert journal.look_up_answer(order.source, "never used", 0) is None
    with pytest.raises(JournalUnavailable):
        journal.look_up_answer(order.source, order.id, 0)


async def test_while_the_keys_are_being_learned_every_look_up_reads(path, monkeypatch):
    monkeypatch.setattr(SqliteJournal, "_learn_keys", lambda *_, **__: None)
    journal = SqliteJournal.open(path)
    order = await journaled(journal)
    assert journal.look_up_answer(order.source, order.id, 0) == its_answer(order)
    assert journal.look_up_answer(order.source, "never used", 0) is None
    await journal.close()


async def test_keys_of_earlier_processes_are_learned_slice_by_slice(path, monkeypatch):
    earlier = SqliteJournal.open(path)
    orders = [an_order() for _ in range(7)]
    await asyncio.gather(*(earlier.append(order, its_answer(order)) for order in orders))
    await earlier.close()
    monkeypatch.setattr(reads, "_KEYS_AT_ONCE", 3)
    journal = SqliteJournal.open(path)
    await until_learned(journal)
    assert [journal.look_up_answer(order.source, order.id, 0) for order in orders] == list(map(its_answer, orders))
    await journal.close()


async def test_after_the_close_nothing_is_called_unknown(path):
    journal = SqliteJournal.open(path)
    await until_learned(journal)
    await journal.close()
    with pytest.raises(JournalUnavailable):
        journal.look_up_answer("s", "k", 0)
