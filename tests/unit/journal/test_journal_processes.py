"""One process a journal, and what is left when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from service.journal.protocol import JournalLocked
from service.journal.sqlite import SqliteJournal


@contextmanager
def a_writing_child(path):
    """A process that writes to the journal, and has done so; killed with SIGKILL at the end."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.journal.writing_child", str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait(10)
        child.stdout.close()


async def test_all_that_a_killed_process_called_durable_is_there(path):
    with a_writing_child(path) as child:
        durable = [child.stdout.readline().strip() for _ in range(100)]
        os.kill(child.pid, signal.SIGKILL)
        durable += child.stdout.read().split("\n")[:-1]
        assert child.wait(10) == -signal.SIGKILL
    journal = SqliteJournal.open(path)
    found = {order.id for order in await journal.unfinished()}
    assert len(durable) >= 100
    assert found >= set(durable)
    for order_id in durable:
        assert len(await journal.transitions(order_id)) == 1
        assert journal.look_up_answer("tradingview", order_id, 1_500) is not None
    await journal.close()


async def test_a_second_process_is_refused_with_the_pid_of_the_first_and_let_in_after_its_end(path):
    with a_writing_child(path) as child:
        assert child.stdout.readline()
        with pytest.raises(JournalLocked, match=f"held by process {child.pid};"):
            SqliteJournal.open(path)
    await SqliteJournal.open(path).close()


async def test_the_same_process_is_refused_a_second_time_until_the_first_is_closed(path):
    first = SqliteJournal.open(path)
    with pytest.raises(JournalLocked, match=f"held by process {os.getpid()};"):
        SqliteJournal.open(path)
    await first.close()
    await SqliteJournal.open(path).close()
