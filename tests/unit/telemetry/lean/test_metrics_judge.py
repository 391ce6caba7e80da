"""The stock SDK judges the lean metrics: the same operations, the same decoded OTLP, field by field."""

from __future__ import annotations

import re
from decimal import Decimal
from math import inf, nan, nextafter
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from telemetry import conventions as c
from tests.unit.telemetry.lean.metric_pair import Pair, inside, metrics, named, points


@pytest.fixture(params=["cumulative", "delta", "lowmemory"])
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pair:
    return Pair(request.param, monkeypatch)


def equal(pair: Pair) -> None:
    sdk, lean = pair.collected()
    assert lean == sdk


def test_the_first_export_is_the_presets_alone(pair: Pair) -> None:
    sdk, lean = pair.collected()

    assert lean == sdk
    assert len(list(metrics(sdk))) > 30


def test_the_bytes_are_those_of_the_sdks_encoder(pair: Pair) -> None:
    with inside(3):
        pair.record(c.ACK_DURATION, 0.01, {"source": "tv"})

    body = pair.engines[1].collect()

    assert ExportMetricsServiceRequest.FromString(body).SerializeToString() == body


@pytest.mark.parametrize("edge", c.BUCKETS_SHORT)
def test_a_value_on_an_edge_is_below_it(pair: Pair, edge: float) -> None:
    for value in (edge, nextafter(edge, 0), nextafter(edge, inf)):
        pair.record(c.EVENT_LOOP_LAG, value, {})

    sdk, lean = pair.collected()

    assert lean == sdk
    at = c.BUCKETS_SHORT.index(edge)
    assert named(lean, c.EVENT_LOOP_LAG.name).histogram.data_points[0].bucket_counts[at : at + 2] == [2, 1]


def test_metrics_stand_in_the_order_in_which_they_were_first_seen(pair: Pair) -> None:
    pair.record(c.FILL_LATENCY, 1, {"exchange": "paper", "order_type": "limit"})
    equal(pair)
    pair.record(c.ACK_DURATION, 1, {"source": "tv"})
    pair.set(c.JOURNAL_FREE, 5, {})
    equal(pair)
    pair.record(c.ACK_DURATION, 1, {"source": "signed"})
    pair.record(c.ACK_DURATION, 1, {"source": "tv"})
    equal(pair)


def test_presets_are_told_as_zero(pair: Pair) -> None:
    pair.preset(c.WEBHOOK_STALE_REJECTED, source=["signed", "tv", "nobody"], symbol=["ETH/USDT", "unknown"])

    equal(pair)
    pair.add(c.WEBHOOK_STALE_REJECTED, 2, {"symbol": "ETH/USDT", "source": "tv"})
    equal(pair)


def test_what_is_observed_may_come_and_go_and_raise(pair: Pair) -> None:
    shown: list[Any] = [
        [(1, {"exchange": "paper"})],
        ZeroDivisionError(),
        [(2.5, {"exchange": "krakén"}), (nan, {"exchange": "paper"})],
        [],
        [(4, {"exchange": "paper"}), (5, {"exchange": "krakén"}), (6, {"exchange": "nobody"})],
    ]

    def read() -> Any:
        if isinstance(shown[0], Exception):
            raise shown[0]
        return shown[0]

    pair.observe(c.RECONCILIATION_FINDINGS, read)
    pair.observe(c.EXCHANGE_CLOCK_SKEW, read)
    while shown:
        equal(pair)
        shown.pop(0)


def test_exemplars_of_kept_dropped_undecided_and_unsampled_traces(pair: Pair) -> None:
    for trace_id in range(100, 110):
        pair.open(trace_id)
        pair.close(trace_id)
    for trace_id in (1, 2, 3):
        pair.open(trace_id)
        with inside(trace_id):
            pair.record(c.ACK_DURATION, 0.003 * trace_id, {"source": "tv"})
            pair.record(c.ACK_DURATION, 0.5, {"source": "tv"})
    with inside(4, sampled=False):
        pair.record(c.ACK_DURATION, 0.5, {"source": "tv"})
    pair.keep(1)
    pair.close(2)
    sdk, lean = pair.collected()

    assert lean == sdk
    exemplars = [e for point in points(lean) for e in getattr(point, "exemplars", ())]
    assert {int.from_bytes(e.trace_id) for e in exemplars} == {1}
    pair.keep(3)
    equal(pair)
    with inside(1):
        pair.record(c.ACK_DURATION, 0.5, {"source": "tv"})
    equal(pair)


def test_both_start_where_the_sdk_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair("delta", monkeypatch)
    equal(pair)
    pair.record(c.ACK_DURATION, 0.5, {"source": "tv"})
    equal(pair)
    equal(pair)
    pair.record(c.ACK_DURATION, 0.5, {"source": "signed"})

    sdk, lean = pair.collected()

    assert lean == sdk
    # The third of four collections is where this window of the histogram, and each counter's, began.
    assert {p.start_time_unix_nano for p in named(lean, c.ACK_DURATION.name).histogram.data_points} == {3}
    assert {p.start_time_unix_nano for p in named(lean, c.DENIALS.name).sum.data_points} == {3}


@pytest.mark.parametrize("preference", ["nonsense", " DELTA "])
def test_the_preference_is_read_as_the_sdk_reads_it(preference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(preference, monkeypatch)
    pair.record(c.ACK_DURATION, 0.5, {"source": "tv"})

    equal(pair)
    equal(pair)


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_the_exposition_has_the_sdks_lines(pair: Pair, accept: str) -> None:
    for trace_id, seconds in ((1, 0.003), (2, 0.004), (3, 9.5)):
        with inside(trace_id):
            pair.record(c.ACK_DURATION, seconds, {"source": "tv"})
            pair.record(c.ORDER_SIZE_USD, 1e5 * seconds, {"side": "buy", "symbol": 'A"\\\nB', "exchange": "krakén"})
    pair.add(c.FEES_USD, Decimal("0.1"), {"exchange": "paper"})
    pair.set(c.JOURNAL_FREE, 1e17, {})
    pair.add(c.DUPLICATE_ALERTS, -1, {"source": "tv"})
    equal(pair)

    sdk, lean = (sorted(lines(engine.metrics.expose(accept)[0])) for engine in pair.engines)

    assert lean == sdk
    assert any("trace_id" in line for line in lean) is bool(accept)


def lines(document: bytes) -> list[str]:
    """The lines without the times of exemplars."""
    return [re.sub(r"(# {.*} \S+) \S+$", r"\1", line) for line in document.decode().splitlines()]
