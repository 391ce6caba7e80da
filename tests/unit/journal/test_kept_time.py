"""The time by which keys are kept goes on, whatever the wall clock does, in a process and from one to the next."""

from __future__ import annotations

import pytest

from service.journal.kept_time import MOST_BETWEEN_NS, Beat, KeptTime
from service.journal.sqlite import SqliteJournal

START = 1_700_000_000 * 10**9
HOUR = 3_600 * 10**9
MONTH = 31 * 24 * HOUR


class TwoClocks:
    def __init__(self):
        self.wall, self.monotonic = START, 5

    def now_ns(self):
        return self.wall

    def monotonic_ns(self):
        return self.monotonic

    def wait(self, passed):
        self.wall += passed
        self.monotonic += passed


@pytest.fixture
def clock():
    return TwoClocks()


def test_it_begins_with_the_wall_clock_and_passes_like_time(clock):
    time = KeptTime(clock, None)
    assert time.now_ns() == START
    clock.wait(HOUR)
    assert time.now_ns() == START + HOUR


@pytest.mark.parametrize("jump", [MONTH, -MONTH, 1, -1])
def test_no_jump_of_the_wall_clock_moves_it(clock, jump):
    time = KeptTime(clock, None)
    clock.wall += jump
    assert time.now_ns() == START
    assert time.beat() == Beat(START, START + jump)


@pytest.mark.parametrize(
    ("between", "believed"),
    [(0, 0), (HOUR, HOUR), (MOST_BETWEEN_NS, MOST_BETWEEN_NS), (MONTH, MOST_BETWEEN_NS), (-HOUR, 0)],
)
def test_between_two_processes_the_wall_clock_is_believed_up_to_a_day_and_never_backwards(clock, between, believed):
    last = Beat(START - 7, START)
    clock.wall += between
    assert KeptTime(clock, last).now_ns() == last.kept_ns + believed


async def test_it_goes_on_from_the_last_probe_of_the_process_before(path, clock):
    journal = SqliteJournal.open(path, clock=clock)
    clock.wall += MONTH
    clock.wait(HOUR)
    await journal.probe()
    await journal.close()
    clock.wait(10)
    again = SqliteJournal.open(path, clock=clock)
    assert again.kept_ns() == START + HOUR + 10
    await again.close()


async def test_a_journal_of_a_version_that_knew_no_such_time_begins_with_the_wall_clock(path, clock):
    journal = SqliteJournal.open(path, clock=clock)
    await journal._writer.submit(lambda connection: connection.execute("UPDATE heartbeat SET kept_ns = NULL"))
    await journal.close()
    clock.wait(HOUR)
    again = SqliteJournal.open(path, clock=clock)
    assert again.kept_ns() == START + HOUR
    await again.close()
