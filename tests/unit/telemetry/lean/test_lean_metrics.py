"""What the lean metrics promise beside the SDK's words: exact sums, one store for `/metrics` and exports, bounds."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from math import nan
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telemetry import conventions as c
from telemetry.series import Series
from tests.unit.telemetry.lean.metric_pair import CONFIG, Engine, inside, lean_engine, named, points

OPEN_METRICS = "application/openmetrics-text"


@pytest.fixture
def engine() -> Engine:
    return lean_engine("cumulative")


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def collected(engine: Engine) -> ExportMetricsServiceRequest:
    return ExportMetricsServiceRequest.FromString(engine.collect())


def shown(engine: Engine) -> dict[str, Any]:
    families = text_string_to_metric_families(engine.metrics.expose(OPEN_METRICS)[0].decode())
    return {family.name: family.samples for family in families}


@pytest.mark.parametrize("preference", ["cumulative", "delta"])
@pytest.mark.usefixtures("hasty_threads")
def test_sums_are_exact_whatever_the_threads_and_the_exports_between(preference: str) -> None:
    engine = lean_engine(preference)
    requests = [collected(engine)]
    denials_bound = engine.metrics.series.counter(c.DENIALS, {"source": "tv", "reason": "stale"})
    acks_bound = engine.metrics.histogram(c.ACK_DURATION, {"source": "tv"})

    def work() -> None:
        for _ in range(1_000):
            engine.metrics.add(c.DENIALS, 1, {"source": "tv", "reason": "stale"})
            engine.metrics.record(c.ACK_DURATION, 0.25, {"source": "tv"})
            denials_bound.add()
            acks_bound.record(0.25)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        requests.append(collected(engine))
    for thread in threads:
        thread.join()
    requests.append(collected(engine))

    told = requests if preference == "delta" else requests[-1:]
    denials = [p for r in told for p in named(r, c.DENIALS.name).sum.data_points]
    acks = [p for r in told for p in points(r) if any(a.value.string_value == "tv" for a in p.attributes)]
    assert sum(p.as_double for p in denials) == 8_000
    assert sum(p.count for p in acks if hasattr(p, "bucket_counts")) == 8_000
    assert sum(p.sum for p in acks if hasattr(p, "bucket_counts")) == 2_000
    assert sum(s.value for s in shown(engine)[c.ACK_DURATION.family_name] if s.name.endswith("_count")) == 8_000


def test_what_is_not_yet_counted_stays_little_where_nobody_collects(engine: Engine) -> None:
    denials = engine.metrics.series.counter(c.DENIALS, {"source": "tv", "reason": "stale"})
    acks = engine.metrics.histogram(c.ACK_DURATION, {"source": "tv"})

    for _ in range(1_000):
        denials.add()
        acks.record(0.25)
        assert len(denials.given) < 64
        assert len(engine.metrics._histograms.notes) < 256


def test_times_are_those_of_the_record_and_not_of_the_count(engine: Engine) -> None:
    before = time.time_ns()
    with inside(7):
        engine.metrics.record(c.ACK_DURATION, 0.25, {"source": "tv"})
    after = time.time_ns()

    (point,) = named(collected(engine), c.ACK_DURATION.name).histogram.data_points

    assert before <= point.start_time_unix_nano <= after
    assert before <= point.exemplars[0].time_unix_nano <= after
    assert point.time_unix_nano > after


def test_the_exposition_and_the_export_tell_the_same(engine: Engine) -> None:
    engine.metrics.record(c.ACK_DURATION, 0.25, {"source": "tv"})
    engine.collect()
    engine.metrics.record(c.ACK_DURATION, 4, {"source": "tv"})

    text = [s for s in shown(engine)[c.ACK_DURATION.family_name] if "le" not in s.labels]

    point = named(collected(engine), c.ACK_DURATION.name).histogram.data_points[0]
    assert (
        {s.name.rpartition("_")[2]: s.value for s in text}
        == {"count": point.count, "sum": point.sum}
        == {
            "count": 2,
            "sum": 4.25,
        }
    )
    assert (point.min, point.max) == (0.25, 4)


def test_delta_exports_leave_the_exposition_cumulative() -> None:
    engine = lean_engine("delta")
    for _ in range(3):
        with inside(7):
            engine.metrics.record(c.ACK_DURATION, 0.25, {"source": "tv"})
        engine.collect()

    samples = shown(engine)[c.ACK_DURATION.family_name]

    assert [s.value for s in samples if s.name.endswith("_count")] == [3]
    assert [s.exemplar.labels["trace_id"] for s in samples if s.exemplar] == [f"{7:032x}"]


def test_an_exemplar_that_is_late_for_its_export_is_in_no_other_but_in_the_exposition() -> None:
    engine = lean_engine("delta")
    engine.holder.open(7)
    with inside(7):
        engine.metrics.record(c.ACK_DURATION, 0.25, {"source": "tv"})
    engine.collect()
    engine.holder.keep(7)
    engine.metrics.record(c.ACK_DURATION, 0.25, {"source": "tv"})

    assert not named(collected(engine), c.ACK_DURATION.name).histogram.data_points[0].exemplars
    assert [s for s in shown(engine)[c.ACK_DURATION.family_name] if s.exemplar]


def test_an_earlier_record_that_is_kept_later_does_not_displace_a_later_one(engine: Engine) -> None:
    engine.holder.open(1)
    for trace_id in (1, 2):
        with inside(trace_id):
            engine.metrics.record(c.ACK_DURATION, 0.25, {"source": "tv"})
    engine.holder.keep(1)

    exemplar = named(collected(engine), c.ACK_DURATION.name).histogram.data_points[0].exemplars[0]

    assert int.from_bytes(exemplar.trace_id) == 2


@pytest.mark.parametrize("value", [True, nan, -1, "1", None, 10**400])
def test_a_known_label_set_does_not_let_a_wrong_value_through(engine: Engine, value: Any) -> None:
    for good in (1, value):
        engine.metrics.add(c.DUPLICATE_ALERTS, good, {"source": "tv"})
        engine.metrics.record(c.ACK_DURATION, good, {"source": "tv"})

    request = collected(engine)

    assert {p.as_double for p in named(request, c.DUPLICATE_ALERTS.name).sum.data_points} == {0, 1}
    assert [p.count for p in named(request, c.ACK_DURATION.name).histogram.data_points] == [1]
    assert engine.drops.snapshot() == {("metrics", "invalid_value"): 2}


def test_an_answer_that_may_change_is_not_remembered(engine: Engine) -> None:
    address = {"client_ip": "198.51.100.1", "allowed": "true"}
    engine.metrics.add(c.RATE_LIMIT_REQUESTS, 1, address)
    engine.metrics.add(c.RATE_LIMIT_REQUESTS, 1, {**address, "allowed": "false"})
    engine.metrics.add(c.RATE_LIMIT_REQUESTS, 1, address)

    values = engine.metrics.series.collect(c.RATE_LIMIT_REQUESTS)

    assert values == {("other", "true"): 1, ("198.51.100.1", "false"): 1, ("198.51.100.1", "true"): 1}


def test_a_flood_of_label_values_is_not_remembered(engine: Engine) -> None:
    stale = engine.metrics.series.counters(c.WEBHOOK_STALE_REJECTED, ["symbol"], {"source": "tv"})
    for n in range(3_000):
        engine.metrics.record(c.ORDER_SIZE_USD, 1, {"exchange": "paper", "symbol": f"S{n}/USDT", "side": "buy"})
        engine.metrics.add(c.WEBHOOK_STALE_REJECTED, 1, {"source": "tv", "symbol": f"S{n}/USDT"})
        stale[f"S{n}/USDT"].add()

    sizes = [len(memo) for memo in engine.metrics.series.rules._memos if memo]
    assert len(sizes) == 3
    assert all(c.EXTRA_SYMBOLS <= size <= c.EXTRA_SYMBOLS + 1024 for size in sizes)


LABELLED = [i for i in c.INSTRUMENTS if i.labels and not isinstance(i, c.Gauge)]


@pytest.mark.parametrize("instrument", LABELLED, ids=lambda i: i.name)
def test_labels_in_any_order_are_the_same_series(engine: Engine, instrument: c.Instrument) -> None:
    labels = {label.name: (label.known(CONFIG) or ("BTC/USDT",))[0] for label in instrument.labels}
    record = engine.metrics.record if isinstance(instrument, c.Histogram) else engine.metrics.add

    for given in (labels, dict(reversed(labels.items()))) * 2:
        record(instrument, 1, given)

    metric = named(collected(engine), instrument.name)
    counts = [p.count for p in metric.histogram.data_points] + [p.as_double for p in metric.sum.data_points]
    assert max(counts) == 4


def test_a_span_that_raises_costs_its_exemplar_only(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("telemetry.lean.histograms.sampled_ids", broken)

    with inside(7):
        engine.metrics.record(c.ACK_DURATION, 1, {"source": "tv"})

    assert named(collected(engine), c.ACK_DURATION.name).histogram.data_points[0].count == 1
    assert engine.drops.snapshot() == {("metrics", "internal_error"): 1}


def test_the_largest_declared_configuration_overflows_nothing(engine: Engine) -> None:
    for n in range(200):
        engine.metrics.add(c.RATE_LIMIT_REJECTIONS, 1, {"client_ip": f"198.51.100.{n}"})

    values = engine.metrics.series.collect(c.RATE_LIMIT_REJECTIONS)

    assert len(values) == c.EXTRA_ADDRESSES + 1
    assert values["other",] == 200 - c.EXTRA_ADDRESSES


def test_both_formats_can_be_parsed(engine: Engine) -> None:
    with inside(3):
        engine.metrics.record(c.ACK_DURATION, 0.25, {"source": "tv"})

    text = {family.name for family in parse_text(engine.metrics.expose("")[0].decode())}

    assert c.ACK_DURATION.prometheus_name in text
    assert c.ACK_DURATION.family_name in shown(engine)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_waits_for_no_lock_of_its_parent(engine: Engine) -> None:
    engine.metrics.record(c.ORDER_SIZE_USD, 1, {"exchange": "paper", "symbol": "X/USDT", "side": "buy"})
    series: Series = engine.metrics.series
    rules = series.rules
    places = rules._slots[c.Bounded.SYMBOL]._places  # type: ignore[attr-defined]
    owners = [series, rules, series._drops, places, engine.metrics._histograms]
    for lock in [*(owner._lock for owner in owners), engine.metrics._collecting, engine.metrics._building]:
        lock.acquire()

    child = os.fork()
    if child == 0:
        # Instead of hanging for ever where a lock is still held.
        signal.alarm(10)
        found = 0
        try:
            engine.metrics.record(c.ORDER_SIZE_USD, nan, {"exchange": "paper", "symbol": "X/USDT", "side": "buy"})
            engine.metrics.record(c.ORDER_SIZE_USD, 1, {"exchange": "paper", "symbol": "Y/USDT", "side": "buy"})
            engine.metrics.provider.get_meter("x").create_counter("calls")
            found = len(named(collected(engine), c.ORDER_SIZE_USD.name).histogram.data_points)
        finally:
            os._exit(found)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
