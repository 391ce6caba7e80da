"""What is written in bulk is what the journal itself would have written, order by order."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from decimal import Decimal

import msgspec
import pytest

from scripts.lib import history
from service.core.orders import OrderStatus, Side, Transition
from service.journal.lock import JournalLock
from service.journal.protocol import JournalLocked
from service.journal.sqlite import SqliteJournal

LANES = [
    history.Lane("paper", "paper-1", "BTC/USDT", Decimal("0.001"), Decimal(50000)),
    history.Lane("paper", "paper-2", "ETH/USDT", Decimal("0.02"), Decimal(2500)),
]
TABLES = ("orders", "transitions", "fills", "answers", "holdings")


def rows(path):
    with closing(sqlite3.connect(path)) as journal:
        return {table: journal.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}


async def append(journal, one):
    """The same order by the journal's own steps."""
    received = msgspec.structs.replace(
        one.order,
        status=OrderStatus.RECEIVED,
        version=0,
        filled_qty=Decimal(0),
        average_price=None,
        exchange_order_id=None,
        attempts=0,
        submitted_ns=None,
        outcome_counted=False,
        settled=False,
    )
    await journal.append(received, one.answer)
    before = received
    for after, fills in (
        (msgspec.structs.replace(received, status=OrderStatus.SUBMITTED, version=1), ()),
        (one.order, (one.fill,)),
    ):
        step = Transition(
            order_id=after.id,
            version=after.version,
            ts_ns=after.updated_ns,
            from_status=before.status,
            to_status=after.status,
        )
        await journal.record(after, step, fills)
        before = after


@pytest.mark.parametrize("count", [1, 5])
async def test_the_bulk_writes_what_the_journal_writes(tmp_path, monkeypatch, count):
    written = []
    make = history.finished

    def remembered(*arguments):
        written.append(make(*arguments))
        return written[-1]

    monkeypatch.setattr(history, "finished", remembered)
    monkeypatch.setattr(history, "_AT_ONCE", 2)
    history.write_history(tmp_path / "bulk", LANES, count)
    journal = SqliteJournal.open(tmp_path / "one by one" / "journal.sqlite")
    for one in written:
        await append(journal, one)
    await journal.close()

    assert len(written) == count
    assert rows(tmp_path / "bulk/journal.sqlite") == rows(tmp_path / "one by one/journal.sqlite")


def test_lanes_take_turns_and_buy_and_sell_in_turn(tmp_path):
    history.write_history(tmp_path, LANES, 4)

    found = rows(tmp_path / "journal.sqlite")
    assert len(found["orders"]) == 4
    assert {row[:3]: row[4] for row in found["holdings"]} == {
        ("paper", "paper-1", "BTC/USDT"): "0.000",
        ("paper", "paper-2", "ETH/USDT"): "0.00",
    }


def test_ids_sort_as_orders_come(tmp_path):
    history.write_history(tmp_path, LANES, 100)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as journal:
        ids = [row[0] for row in journal.execute("SELECT id FROM orders ORDER BY rowid")]

    assert ids == sorted(ids)


def test_a_journal_that_a_service_runs_on_is_left_alone(tmp_path):
    lock = JournalLock(tmp_path / "journal.sqlite")
    try:
        with pytest.raises(JournalLocked):
            history.write_history(tmp_path, LANES, 1)
    finally:
        lock.release()


def test_more_can_be_added(tmp_path):
    history.write_history(tmp_path, LANES[:1], 1)
    history.write_history(tmp_path, LANES[:1], 1)

    found = rows(tmp_path / "journal.sqlite")
    assert [len(found[table]) for table in TABLES] == [2, 6, 2, 2, 1]
    assert Decimal(found["holdings"][0][4]) == Decimal("0.002")


def test_nothing_is_left_to_do_of_a_finished_order():
    order = history.finished(LANES[0], Side.SELL, time.time_ns()).order

    assert (order.status, order.settled, order.outcome_counted) == (OrderStatus.FILLED, True, True)
    assert order.leaves_qty == 0
