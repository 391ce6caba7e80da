"""The schedule: evenly spaced, whatever became of the ones before."""

from __future__ import annotations

import pytest

from scripts.lib.traffic.schedule import Schedule


def test_requests_are_meant_to_leave_evenly_spaced() -> None:
    schedule = Schedule(rate=4, count=8)
    assert [schedule.intended(number) for number in range(5)] == [0, 0.25, 0.5, 0.75, 1.0]
    assert schedule.seconds == 2


@pytest.mark.parametrize(("elapsed", "due"), [(-1, 0), (0, 1), (0.24, 1), (0.25, 2), (1.9, 8), (60, 8)])
def test_after_a_pause_all_that_were_meant_to_leave_are_due(elapsed: float, due: int) -> None:
    assert Schedule(rate=4, count=8).due(elapsed) == due


@pytest.mark.parametrize(("seconds", "rate", "count"), [(60, 1000, 60_000), (0.1, 1, 1), (2.5, 10, 25)])
def test_a_time_and_a_rate_make_a_count(seconds: float, rate: float, count: int) -> None:
    assert Schedule.lasting(seconds, rate).count == count
