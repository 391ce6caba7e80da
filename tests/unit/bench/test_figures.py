from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.bench.figures import Bar, medians, percentile, ratio, slope

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1, 100)])
def test_a_percentile_of_1_to_100_is_its_own_number(share, value):
    assert percentile(list(range(100, 0, -1)), share) == value


@given(VALUES, st.floats(0, 1))
def test_at_least_the_share_is_not_above_the_percentile_and_it_is_one_of_the_values(values, share):
    found = percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)


def test_a_percentile_of_nothing_is_not_a_number():
    assert math.isnan(percentile([], 0.5))


@pytest.mark.parametrize("share", [-0.1, 1.1, 95])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ValueError, match="expected 0 to 1"):
        percentile([1.0], share)


def test_medians_pass_over_what_one_round_could_not_measure():
    rounds = [{"a": 1.0, "b": math.nan}, {"a": 9.0, "b": 2.0}, {"a": 2.0, "b": 4.0}]

    assert medians(rounds) == {"a": 2.0, "b": 3.0}


def test_the_median_of_what_no_round_could_measure_is_not_a_number():
    assert math.isnan(medians([{"a": math.nan}])["a"])


@given(st.floats(-100, 100), st.floats(-1e3, 1e3))
def test_the_slope_of_a_line_is_its_own(steepness, start):
    times = [float(number) for number in range(20)]

    assert slope(times, [start + steepness * at for at in times]) == pytest.approx(steepness, abs=1e-9)


def test_a_step_in_flat_values_is_no_slope():
    assert slope(list(range(20)), [100.0] * 18 + [200.0] * 2) == 0


@pytest.mark.parametrize(("times", "values"), [([], []), ([1.0], [2.0]), ([1.0, 1.0], [2.0, 3.0])])
def test_fewer_than_two_times_have_no_slope(times, values):
    assert math.isnan(slope(times, values))


def test_the_slope_of_very_many_samples_is_found_in_bounded_time():
    times = [float(number) for number in range(100_000)]

    assert slope(times, times) == 1


def test_nothing_to_divide_by_gives_no_number():
    assert math.isnan(ratio(1.0, 0.0))
    assert ratio(1.0, 4.0) == 0.25


@pytest.mark.parametrize(
    ("share", "compare", "met"),
    [(0.1, "at most", True), (0.11, "at most", False), (0.1, "at least", True), (0.09, "at least", False)],
)
def test_a_bar_is_met_on_its_edge_and_on_its_side(share, compare, met):
    assert Bar("x", share, compare, 0.1).met is met


@pytest.mark.parametrize("compare", ["at most", "at least"])
def test_what_could_not_be_measured_meets_no_bar(compare):
    assert not Bar("x", math.nan, compare, 0.1).met
