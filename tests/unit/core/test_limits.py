"""Token buckets: bounded in tokens, in time and in memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.limits import KeyedBuckets, TokenBucket

rates = st.floats(0.01, 1000)
bursts = st.integers(1, 50)
steps = st.lists(st.floats(0, 10), max_size=60)


def test_a_burst_passes_at_once_and_then_one_a_tick():
    bucket = TokenBucket(rate_per_s=2, burst=3)

    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait_s(0) == 0.5
    assert not bucket.take(0.4)
    assert bucket.take(0.5)


@given(rates, bursts, steps)
@settings(max_examples=100)
def test_never_more_than_the_burst_and_what_the_rate_gave(rate: float, burst: int, passed: list[float]):
    bucket, now, taken = TokenBucket(rate, burst), 0.0, 0
    for seconds in passed:
        now += seconds
        had = bucket.has(now)
        assert bucket.take(now) is had
        taken += had
        assert 0 <= bucket.level(now) <= burst
        assert taken <= burst + now * rate + 1e-3


@given(rates, bursts, st.integers(0, 60))
@settings(max_examples=100)
def test_after_the_wait_there_is_a_token(rate: float, burst: int, taken: int):
    bucket = TokenBucket(rate, burst)
    for _ in range(taken):
        bucket.take(0)

    wait_s = bucket.wait_s(0)

    assert (wait_s == 0) is bucket.has(0)
    assert bucket.has(wait_s)


def test_a_clock_that_goes_back_gives_no_token_and_takes_none():
    bucket = TokenBucket(rate_per_s=1, burst=1)
    bucket.take(100)

    assert not bucket.take(50)
    assert not bucket.take(100.5)
    assert bucket.take(101)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_bucket_that_could_never_give_is_an_error(rate: float, burst: int):
    with pytest.raises(ValueError, match="needs a rate"):
        TokenBucket(rate, burst)
    with pytest.raises(ValueError, match="needs a rate"):
        KeyedBuckets(rate, burst, max_keys=1)


def test_a_key_without_failures_is_available_and_takes_no_memory():
    buckets = KeyedBuckets(1, 2, max_keys=10)

    assert buckets.available("a", 0)
    assert len(buckets) == 0


def test_a_key_is_refused_after_its_burst_of_failures_and_alone():
    buckets = KeyedBuckets(1, 2, max_keys=10)
    for _ in range(5):
        buckets.charge("a", 0)

    assert not buckets.available("a", 0)
    assert buckets.available("b", 0)
    assert buckets.available("a", 1)


def test_a_bucket_that_is_full_again_is_forgotten():
    buckets = KeyedBuckets(1, 2, max_keys=10)
    buckets.charge("a", 0)

    assert buckets.available("a", 5)
    assert len(buckets) == 0


def test_the_fullest_of_the_oldest_is_given_up():
    buckets = KeyedBuckets(1, 3, max_keys=2)
    for key in ("empty", "empty", "empty", "nearly full"):
        buckets.charge(key, 0)

    buckets.charge("new", 0)

    assert len(buckets) == 2
    assert not buckets.available("empty", 0)


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 2)), max_size=100))
@settings(max_examples=60)
def test_the_memory_is_bounded_whoever_fails(charges: list[tuple[int, float]]):
    buckets, now = KeyedBuckets(0.5, 2, max_keys=4), 0.0
    for key, seconds in charges:
        now += seconds
        buckets.charge(str(key), now)
        assert len(buckets) <= 4


def test_no_key_at_all_is_an_error():
    with pytest.raises(ValueError, match="at least one key"):
        KeyedBuckets(1, 1, max_keys=0)
