"""The circuit breaker: after failures in a row no entries, until reads succeed again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.breaker import Breaker, BreakerState

CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN


def opened(at_s: float = 0) -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker.on_failure(at_s)
    return breaker


def test_the_states_have_the_values_of_the_metric():
    assert (CLOSED, HALF_OPEN, OPEN) == (0, 1, 2)


def test_the_fifth_failure_in_a_row_opens_it():
    breaker = Breaker()

    assert [breaker.on_failure(0) for _ in range(5)] == [None] * 4 + [(CLOSED, OPEN)]
    assert breaker.state(0) is OPEN
    assert not breaker.allows_entry(0)


def test_a_success_between_failures_starts_the_count_again():
    breaker = Breaker()
    for _ in range(3):
        for _ in range(4):
            assert breaker.on_failure(0) is None
        assert breaker.on_success(0) is None

    assert breaker.allows_entry(0)


def test_answered_reads_do_not_make_up_for_failed_orders():
    breaker = Breaker()
    for _ in range(4):
        breaker.on_failure(0, write=True)
        breaker.on_success(0)

    assert breaker.on_failure(0, write=True) == (CLOSED, OPEN)


def test_single_failed_reads_among_answered_ones_never_add_up_after_a_failed_order():
    breaker = Breaker()
    breaker.on_failure(0, write=True)
    for _ in range(20):
        assert breaker.on_failure(0) is None
        assert breaker.on_success(0) is None

    assert breaker.allows_entry(0)


def test_an_answered_order_ends_both_rows():
    breaker = Breaker()
    for _ in range(4):
        breaker.on_failure(0, write=True)
        breaker.on_failure(0)
    breaker.on_success(0, write=True)

    assert [breaker.on_failure(0, write=write) for write in (True, False)] == [None, None]


def test_it_half_opens_when_its_time_is_over_and_says_so_once():
    breaker = opened()

    assert breaker.state(59.9) is OPEN
    assert breaker.advance(59.9) is None
    assert breaker.state(60) is HALF_OPEN
    assert not breaker.allows_entry(60)
    assert breaker.advance(60) == (OPEN, HALF_OPEN)
    assert breaker.advance(60) is None


def test_two_successes_in_a_row_close_it():
    breaker = opened()

    assert breaker.on_success(60) == (OPEN, HALF_OPEN)
    assert breaker.on_success(61) == (HALF_OPEN, CLOSED)
    assert breaker.allows_entry(61)


def test_one_failure_while_half_open_opens_it_for_the_whole_time_again():
    breaker = opened()
    breaker.on_success(60)

    assert breaker.on_failure(61) == (HALF_OPEN, OPEN)
    assert breaker.state(120.9) is OPEN
    assert breaker.state(121) is HALF_OPEN


def test_answers_while_open_change_nothing():
    breaker = opened()

    assert breaker.on_success(30) is None
    assert breaker.on_failure(30) is None
    assert breaker.state(59) is OPEN
    assert breaker.state(60) is HALF_OPEN


@given(
    st.lists(st.tuples(st.sampled_from(["success", "failure", "advance"]), st.floats(0, 30)), max_size=80),
    st.integers(1, 4),
    st.integers(1, 3),
)
@settings(max_examples=80)
def test_it_moves_only_along_its_transitions_and_tells_each(events, failures: int, successes: int):
    breaker, now = Breaker(failures, 20, successes), 0.0
    allowed = {(CLOSED, OPEN), (OPEN, HALF_OPEN), (HALF_OPEN, OPEN), (HALF_OPEN, CLOSED)}
    for event, seconds in events:
        now += seconds
        before = breaker.state(now)
        told = {"success": breaker.on_success, "failure": breaker.on_failure, "advance": breaker.advance}[event](now)
        after = breaker.state(now)

        assert told is None or (told in allowed and told.to_state is after)
        assert before is after or told == (before, after)
        assert breaker.allows_entry(now) is (after is CLOSED)


@pytest.mark.parametrize("wrong", [{"failures": 0}, {"successes": 0}, {"open_s": -1}])
def test_a_breaker_that_makes_no_sense_is_an_error(wrong: dict[str, int]):
    with pytest.raises(ValueError, match="expected counts"):
        Breaker(**wrong)
