"""Which metrics have to be there when, and what is wrong with those that are: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from dashboards.ask import Series
from scripts.lib.validate.contract import AFTER, from_the_start
from scripts.lib.validate.metrics import judge
from telemetry import conventions as c

LATE = [instrument for instrument in c.INSTRUMENTS if not from_the_start(instrument)]


def series(instrument: c.Instrument, value: float, **labels: str) -> Iterator[Series]:
    """One series, or all that one histogram shows, with any value for labels that are not given."""
    own = {label.name: next(iter(label.values), "any") for label in instrument.labels} | labels
    name = instrument.prometheus_name
    if not isinstance(instrument, c.Histogram):
        yield Series({"__name__": name, **own}, [(0.0, value)])
        return
    for edge in (*instrument.buckets, float("inf")):
        yield Series({"__name__": f"{name}_bucket", **own, "le": str(edge)}, [(0.0, value)])
    yield Series({"__name__": f"{name}_count", **own}, [(0.0, value)])
    yield Series({"__name__": f"{name}_sum", **own}, [(0.0, value)])


def at_the_start() -> list[Series]:
    """What a service shows before anything has happened."""
    return [one for i in c.INSTRUMENTS if from_the_start(i) for one in series(i, 0.0)]


def without(found: Iterable[Series], instrument: c.Instrument) -> list[Series]:
    return [one for one in found if not one.labels["__name__"].startswith(instrument.prometheus_name)]


def test_every_metric_is_there_from_the_start_or_after_an_event_and_its_witness_from_the_start() -> None:
    assert AFTER.keys() == {instrument.name for instrument in LATE}
    for event in AFTER.values():
        assert event.witness is None or from_the_start(event.witness)
        labels = {} if event.witness is None else {label.name: label for label in event.witness.labels}
        for name, values in event.labels.items():
            assert values <= set(labels[name].values), event


def test_at_the_start_nothing_is_wrong_and_the_rest_waits_for_its_event() -> None:
    judged = judge(at_the_start())

    assert judged.problems == []
    assert judged.waiting == {i.prometheus_name: AFTER[i.name].words for i in LATE}


def test_everything_at_once_is_the_whole_contract() -> None:
    judged = judge([one for i in c.INSTRUMENTS for one in series(i, 1.0)])

    assert judged == ([], {})


@pytest.mark.parametrize("instrument", [i for i in c.INSTRUMENTS if from_the_start(i)], ids=lambda i: i.name)
def test_a_metric_of_the_start_that_is_missing_is_named(instrument: c.Instrument) -> None:
    problems = judge(without(at_the_start(), instrument)).problems

    assert f"{instrument.prometheus_name} is missing" in problems


@pytest.mark.parametrize("name", [name for name, event in AFTER.items() if event.witness is not None])
def test_a_metric_whose_event_has_happened_and_that_is_missing_is_named(name: str) -> None:
    event = AFTER[name]
    assert event.witness is not None
    labels = {label: min(values) for label, values in event.labels.items()}
    found = [*without(at_the_start(), event.witness), *series(event.witness, 1.0, **labels)]

    missing = next(i for i in LATE if i.name == name)
    assert f"{missing.prometheus_name} is missing" in judge(found).problems


def test_the_same_event_with_another_label_value_is_another_event() -> None:
    found = [*without(at_the_start(), c.DENIALS), *series(c.DENIALS, 1.0, reason="stale")]

    assert judge(found).problems == [f"{c.WEBHOOK_STALE_REJECTED.prometheus_name} is missing"]


def test_a_metric_outside_the_contract_is_named() -> None:
    found = [*at_the_start(), Series({"__name__": "execution_surprise_total"}, [(0.0, 1.0)])]

    assert judge(found).problems == ["execution_surprise_total is not in the contract"]


def test_a_series_without_one_of_its_labels_is_named() -> None:
    bare = Series({"__name__": c.ALERT_ACKS.prometheus_name, "source": "default"}, [(0.0, 0.0)])

    assert judge([*at_the_start(), bare]).problems == [
        f"{c.ALERT_ACKS.prometheus_name} has a series without on_time",
    ]


def test_other_buckets_than_the_contracts_are_named() -> None:
    *most, last = [one for one in series(c.EVENT_LOOP_LAG, 1.0) if "le" in one.labels]
    odd = Series({**last.labels, "le": "17"}, last.points)

    assert judge([*at_the_start(), *most, odd]).problems == [
        f"{c.EVENT_LOOP_LAG.prometheus_name} has other buckets than the contract",
    ]
