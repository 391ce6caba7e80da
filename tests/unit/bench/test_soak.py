from __future__ import annotations

import pytest

from scripts.lib.bench.soak import Sample, judge


def samples(memory, handles=lambda _: 20, count=30):
    return [
        Sample(10.0 * number, memory(number), handles(number), 1.0, 1.0, 100 * number) for number in range(1, count + 1)
    ]


def test_what_fills_up_in_the_first_half_is_no_growth():
    assert judge(samples(lambda number: min(number, 15) * 10.0)).text == "flat"


def test_memory_that_grows_is_said_to_grow_in_mib_an_hour():
    verdict = judge(samples(lambda number: 100 + number * 0.5))

    assert verdict.text == "memory grows"
    assert verdict.slope == pytest.approx(180)


def test_handles_that_grow_are_said_to_grow():
    assert judge(samples(lambda _: 100.0, lambda number: number)).text == "file handles grow"


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_few_samples_give_no_verdict(count):
    assert judge(samples(lambda number: 100.0 * number, count=count)).text == "too short for a verdict"
