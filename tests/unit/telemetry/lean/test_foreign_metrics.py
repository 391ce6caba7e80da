"""Metrics through OpenTelemetry's API: ours by name go to our store, the rest to the SDK, all to one export."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from telemetry import conventions as c
from tests.unit.telemetry.lean.metric_pair import Engine, inside, lean_engine, named, points


@pytest.fixture
def engine() -> Engine:
    return lean_engine("cumulative")


def collected(engine: Engine) -> ExportMetricsServiceRequest:
    return ExportMetricsServiceRequest.FromString(engine.collect())


def samples(engine: Engine, family: str) -> list[Any]:
    text = engine.metrics.expose("application/openmetrics-text")[0].decode()
    return next((f.samples for f in text_string_to_metric_families(text) if f.name == family), [])


def value(engine: Engine, instrument: c.Instrument, *key: str) -> float | None:
    return engine.metrics.series.collect(instrument).get(key)


def test_nothing_of_the_sdk_is_made_until_somebody_asks_for_an_instrument_that_is_not_ours(engine: Engine) -> None:
    meter = engine.metrics.provider.get_meter("anything")
    meter.create_counter(c.DENIALS.name)
    engine.collect()

    assert engine.metrics._foreign is None
    assert len(collected(engine).resource_metrics) == 1


def test_our_instruments_count_in_our_store(engine: Engine) -> None:
    meter = engine.metrics.provider.get_meter("fillpath", "1")
    meter.create_counter("Execution.Denials").add(2, {"source": "tv", "reason": "stale"})
    meter.create_up_down_counter(c.ACTIVE_REQUESTS.name).add(-3)
    meter.create_gauge(c.ORDERS_OPEN.name).set(7, {"exchange": "paper"})
    meter.create_observable_gauge(c.JOURNAL_BACKLOG.name, [lambda _options: [Observation(5)]])
    meter.create_counter(c.DENIALS.name).add(1, {"source": "tv", "reason": 1})

    assert value(engine, c.DENIALS, "tv", "stale") == 2
    assert value(engine, c.ACTIVE_REQUESTS) == -3
    assert value(engine, c.ORDERS_OPEN, "paper") == 7
    assert value(engine, c.JOURNAL_BACKLOG) == 5
    assert engine.drops.snapshot() == {("metrics", "invalid_labels"): 1}


def test_an_observable_gauge_may_be_a_generator(engine: Engine) -> None:
    def depths() -> Any:
        options = yield
        for depth in (4, 9):
            assert isinstance(options, CallbackOptions)
            options = yield [Observation(depth)]

    engine.metrics.provider.get_meter("x").create_observable_gauge(c.JOURNAL_BACKLOG.name, [depths()])

    assert [value(engine, c.JOURNAL_BACKLOG), value(engine, c.JOURNAL_BACKLOG)] == [4, 9]


def test_our_histogram_takes_its_exemplar_from_the_context_that_it_is_given(engine: Engine) -> None:
    histogram = engine.metrics.provider.get_meter("x").create_histogram(c.ACK_DURATION.name)
    span = NonRecordingSpan(SpanContext(9, 4, is_remote=False, trace_flags=TraceFlags(1)))
    with inside(7):
        histogram.record(0.1, {"source": "tv"}, set_span_in_context(span))
        histogram.record(9.0, {"source": "tv"})

    exemplars = named(collected(engine), c.ACK_DURATION.name).histogram.data_points[0].exemplars

    assert [int.from_bytes(e.trace_id) for e in exemplars] == [9, 7]


@pytest.mark.parametrize(
    ("create", "name"),
    [
        ("create_histogram", c.DENIALS.name),
        ("create_counter", c.ACK_DURATION.name),
        ("create_counter", c.ACTIVE_REQUESTS.name),
        ("create_up_down_counter", c.DENIALS.name),
        ("create_gauge", c.DENIALS.name),
        ("create_observable_gauge", c.DENIALS.name),
        ("create_observable_counter", c.DENIALS.name),
        ("create_observable_up_down_counter", c.ACTIVE_REQUESTS.name),
    ],
)
def test_a_name_of_ours_as_another_kind_records_nothing_and_says_so(
    engine: Engine, create: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        getattr(engine.metrics.provider.get_meter("x"), create)(name)

    assert "records nothing" in caplog.text
    assert engine.metrics._foreign is None


def record_foreign(engine: Engine) -> None:
    meter = engine.metrics.provider.get_meter("http", "2", "https://schema", {"k": "v"})
    meter.create_counter("http.requests", "{request}", "Requests").add(2, {"code": 200, "ok": True})
    meter.create_up_down_counter("http.active").add(-1)
    meter.create_gauge("queue.size", "By").set(2.5)
    meter.create_histogram("http.duration", "s", explicit_bucket_boundaries_advisory=[1.0, 2.0]).record(1.5, {"a": "b"})
    meter.create_observable_counter("cpu.time", [lambda _options: [Observation(3.5, {"cpu": 0})]], "s")
    meter.create_observable_up_down_counter("pool.used", [lambda _options: [Observation(4)]])
    meter.create_observable_gauge("heat", [lambda _options: [Observation(36.6)]], "Cel")


def test_the_points_of_others_are_in_the_same_export(engine: Engine) -> None:
    record_foreign(engine)
    engine.metrics.add(c.DUPLICATE_ALERTS, 1, {"source": "tv"})

    request = collected(engine)

    ours, theirs = request.resource_metrics
    assert ours.resource == theirs.resource
    assert ours.scope_metrics[0].scope.name == "fillpath"
    assert theirs.scope_metrics[0].scope.name == "http"
    assert [m.name for m in theirs.scope_metrics[0].metrics] == [
        "http.requests", "http.active", "queue.size", "http.duration", "cpu.time", "pool.used", "heat",
    ]  # fmt: skip
    assert named(request, "http.duration").histogram.data_points[0].bucket_counts == [0, 1, 0]


@pytest.mark.parametrize(
    ("preference", "added", "observed"), [("cumulative", 2, 2), ("delta", 1, 1), ("lowmemory", 1, 2)]
)
def test_the_preference_holds_for_others_too(preference: str, added: int, observed: int) -> None:
    engine = lean_engine(preference)
    record_foreign(engine)

    request = collected(engine)

    assert named(request, "http.requests").sum.aggregation_temporality == added
    assert named(request, "http.duration").histogram.aggregation_temporality == added
    assert named(request, "cpu.time").sum.aggregation_temporality == observed
    assert named(request, "http.active").sum.aggregation_temporality == 2


def test_the_points_of_others_are_shown_under_their_prometheus_names(engine: Engine) -> None:
    record_foreign(engine)
    engine.collect()

    assert [(s.name, s.labels, s.value) for s in samples(engine, "http_requests")] == [
        ("http_requests_total", {"code": "200", "ok": "true"}, 2)
    ]
    assert [s.value for s in samples(engine, "http_active")] == [-1]
    assert [s.value for s in samples(engine, "queue_size_bytes")] == [2.5]
    assert [s.value for s in samples(engine, "heat_celsius")] == [36.6]
    assert [s.value for s in samples(engine, "cpu_time_seconds")] == [3.5]
    buckets = [(s.labels["le"], s.value) for s in samples(engine, "http_duration_seconds") if "le" in s.labels]
    assert buckets == [("1.0", 0), ("2.0", 1), ("+Inf", 1)]


def test_two_scopes_with_one_name_make_one_family(engine: Engine) -> None:
    for scope in ("a", "b"):
        counter = engine.metrics.provider.get_meter(scope).create_counter("calls")
        counter.add(1, {"scope": scope})
        counter.add(1)
    engine.metrics.provider.get_meter("c").create_gauge("calls").set(5)

    text = engine.metrics.expose("")[0].decode()

    assert text.count("# TYPE calls_total counter") == 1
    assert sorted(line for line in text.splitlines() if line.startswith("calls")) == [
        "calls_total 1.0",
        'calls_total{scope="a"} 1.0',
        'calls_total{scope="b"} 1.0',
    ]


def test_exemplars_of_others_name_only_kept_traces(engine: Engine) -> None:
    meter = engine.metrics.provider.get_meter("http")
    engine.holder.open(7)
    with inside(7):
        meter.create_counter("calls").add(1)
        meter.create_histogram("durations").record(1)

    before = [e for p in points(collected(engine)) for e in p.exemplars]
    engine.holder.keep(7)
    after = [int.from_bytes(e.trace_id) for p in points(collected(engine)) for e in p.exemplars]

    assert before == []
    assert after == [7, 7]


def test_what_others_break_costs_ours_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    record_foreign(engine)
    monkeypatch.setattr(engine.metrics._foreign._exported, "get_metrics_data", lambda: 1 / 0)
    monkeypatch.setattr(engine.metrics._foreign._exposed, "get_metrics_data", lambda: 1 / 0)

    assert len(collected(engine).resource_metrics) == 1
    assert samples(engine, c.DENIALS.family_name)
    assert engine.drops.snapshot()["metrics", "internal_error"] == 2
