"""The figures, and what they are held to."""

from __future__ import annotations

import math
from array import array
from collections import Counter

import msgspec
import pytest

from scripts.lib.traffic.records import Batch, Example, Outcome
from scripts.lib.traffic.summary import Summary, percentile, percentiles, summarize


def batch(*, right: int = 100, wrong: int = 0, latency: float = 0.01, late: float = 0.0) -> Batch:
    outcomes = Counter({Outcome("market", 202, right=True): right, Outcome("market", 503, right=False): wrong})
    total = right + wrong
    return Batch(
        outcomes=+outcomes,
        latencies=array("d", [latency] * total),
        late=array("d", [late] * total),
        lanes={("paper-1", "BTC/USDT")},
        sent=total,
    )


def summary(made: Batch, seconds: float = 1.0, asked_rate: float | None = None) -> Summary:
    return summarize("Traffic", made, seconds, asked_rate=asked_rate)


def test_percentiles_are_values_that_were_measured() -> None:
    hundred = [n / 1000 for n in range(1, 101)]
    assert percentiles(hundred) == pytest.approx({"p50": 50, "p95": 95, "p99": 99, "max": 100})
    assert percentile([7.0], 0.95) == 7.0
    assert math.isinf(percentile([], 0.5))


def test_the_senders_own_cpu_is_counted_by_request() -> None:
    assert summarize("Traffic", batch(right=90, wrong=10), 1.0, cpu_seconds=0.02).cpu_us == pytest.approx(200)
    assert summarize("Traffic", Batch(), 0.0, cpu_seconds=0.02).cpu_us == 0


def test_a_good_run_passes() -> None:
    assert summary(batch()).passed
    assert [figure.name for figure in summary(batch()).figures] == ["answered as expected", "P95"]


def test_success_of_exactly_the_target_is_not_above_it() -> None:
    assert not summary(batch(right=95, wrong=5)).passed
    assert summary(batch(right=96, wrong=4)).passed


def test_a_slow_run_fails() -> None:
    assert not summary(batch(latency=0.1)).passed
    assert summary(batch(latency=0.0999)).passed


def test_a_rate_that_was_asked_for_has_to_be_reached() -> None:
    assert summary(batch(right=1000), seconds=1.005, asked_rate=1000).passed
    assert not summary(batch(right=1000), seconds=1.1, asked_rate=1000).passed


def test_a_run_without_an_answer_fails() -> None:
    made = Batch(outcomes=Counter({Outcome("market", 0, right=False): 3}))
    assert not summary(made).passed
    assert summary(made).statuses == {"no answer": 3}
    assert not summary(Batch()).passed


def test_a_sender_that_fell_behind_is_said_to_have() -> None:
    behind = summary(batch(late=0.05), asked_rate=1000)
    assert behind.fell_behind
    assert (
        "the sender fell behind: 100.0% of the requests left more than 20 ms late (50 ms at worst)" in behind.notes[0]
    )
    assert not summary(batch(late=0.001)).fell_behind


def test_a_rate_below_the_target_of_a_load_test_is_no_proof_of_it() -> None:
    assert any("1,000/s is the target" in note for note in summary(batch(), asked_rate=100).notes)


def test_an_interrupted_run_says_so() -> None:
    found = summarize("Traffic", batch(), 1.0, interrupted=True)
    assert found.notes == ["interrupted: these are the figures so far"]


def test_the_document_is_json_whatever_was_measured() -> None:
    made = batch(right=1, wrong=1)
    made.examples = [Example("market", 202, 503, "rate_limited: later")]
    document = msgspec.json.decode(msgspec.json.encode(summary(made, asked_rate=5).document))
    assert document["statuses"] == {"202": 1, "503": 1}
    assert document["kinds"] == {"market": {"202": 1, "503": 1}}
    assert document["unexpected"][0]["status"] == 503
    assert (document["success"], document["passed"], document["lanes"]) == (0.5, False, 1)
    assert msgspec.json.decode(msgspec.json.encode(summary(Batch()).document))["latencies"]["p95"] is None


def test_batches_add_up() -> None:
    total = Batch()
    total.add(batch(right=3))
    total.add(batch(right=2, wrong=1))
    assert (total.finished, total.answered, total.right, len(total.latencies)) == (6, 6, 5, 6)
