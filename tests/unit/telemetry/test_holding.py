"""Which traces are kept, which are dropped, and that nothing grows without bound."""

from __future__ import annotations

import pytest

from telemetry.holding import HELD_SPANS_OF_A_TRACE, Holder
from telemetry.series import Drops


class Fixture:
    def __init__(self, rate: float = 0.0, max_spans: int = 100) -> None:
        self.now = 0.0
        self.delivered: list[str] = []
        self.drops = Drops()
        self.holder = Holder(self.delivered.append, self.drops, rate=rate, max_spans=max_spans, clock=lambda: self.now)

    def request(self, trace_id: int, *, keep: bool = False, failed: bool = False) -> None:
        self.holder.open(trace_id)
        self.holder.ended(trace_id, f"{trace_id} child", failed=failed)
        if keep:
            self.holder.keep(trace_id)
        self.holder.closed(trace_id, f"{trace_id} server", failed=False)

    def dropped(self, reason: str) -> float:
        return self.drops.snapshot().get(("traces", reason), 0)


def test_a_kept_trace_is_delivered_whole() -> None:
    given = Fixture()

    given.request(1, keep=True)

    assert given.delivered == ["1 child", "1 server"]


def test_an_unkept_trace_is_dropped_and_counted() -> None:
    given = Fixture()

    given.request(1)

    assert given.delivered == []
    assert given.dropped("sampling") == 2


def test_an_error_keeps_the_trace() -> None:
    given = Fixture()

    given.request(1, failed=True)

    assert given.delivered == ["1 child", "1 server"]


def test_a_few_unkept_traces_a_second_are_kept() -> None:
    given = Fixture(rate=10.0)

    for trace_id in range(1, 31):
        given.request(trace_id)
    given.now += 0.5
    for trace_id in range(31, 61):
        given.request(trace_id)

    assert len(given.delivered) == 2 * (10 + 5)
    assert given.dropped("sampling") == 2 * 45


def test_nothing_is_delivered_before_the_decision() -> None:
    given = Fixture()

    given.holder.open(1)
    given.holder.ended(1, "child", failed=False)

    assert (given.delivered, given.holder.held) == ([], 1)


def test_the_decision_releases_at_once_so_that_a_crash_loses_nothing_kept() -> None:
    given = Fixture()
    given.holder.open(1)
    given.holder.ended(1, "child", failed=False)

    given.holder.keep(1)
    given.holder.ended(1, "execution", failed=False)

    assert (given.delivered, given.holder.held) == (["child", "execution"], 0)


def test_spans_of_an_order_go_through_after_its_request() -> None:
    given = Fixture()
    given.request(1, keep=True)

    given.holder.ended(1, "update", failed=False)
    given.holder.ended(2, "resumed after a restart", failed=False)

    assert given.delivered[2:] == ["update", "resumed after a restart"]


def test_late_spans_of_a_dropped_trace_are_dropped_too() -> None:
    given = Fixture()
    given.request(1)

    given.holder.ended(1, "late", failed=False)

    assert given.delivered == []
    assert given.dropped("sampling") == 3


def test_two_requests_in_one_trusted_trace_are_decided_by_the_last() -> None:
    given = Fixture()
    given.holder.open(1)
    given.holder.open(1)

    given.holder.closed(1, "first", failed=False)
    given.holder.keep(1)
    given.holder.closed(1, "second", failed=False)

    assert given.delivered == ["first", "second"]


@pytest.mark.parametrize("keep", [True, False])
def test_what_waits_is_bounded(*, keep: bool) -> None:
    given = Fixture(max_spans=3)
    given.holder.open(1)
    for n in range(5):
        given.holder.ended(1, f"child {n}", failed=False)
    if keep:
        given.holder.keep(1)
    given.holder.closed(1, "server", failed=False)

    assert given.holder.held == 0
    assert given.dropped("held_overflow") == (2 if keep else 3)
    assert len(given.delivered) == (4 if keep else 0)


def test_one_trace_cannot_take_all_the_room() -> None:
    given = Fixture(max_spans=10_000)
    given.holder.open(1)

    for n in range(HELD_SPANS_OF_A_TRACE + 5):
        given.holder.ended(1, str(n), failed=False)

    assert given.holder.held == HELD_SPANS_OF_A_TRACE


@pytest.mark.parametrize(("keep", "ran"), [(True, ["exemplar"]), (False, [])])
def test_what_depends_on_the_trace_runs_only_when_it_is_kept(*, keep: bool, ran: list[str]) -> None:
    given = Fixture()
    done: list[str] = []
    given.holder.open(1)
    given.holder.when_kept(1, lambda: done.append("exemplar"))
    assert done == []

    if keep:
        given.holder.keep(1)
    given.holder.closed(1, "server", failed=False)

    assert done == ran
