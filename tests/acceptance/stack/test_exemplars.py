"""From a bucket of a histogram to a trace: each bucket's last exemplar stays, and its trace is in Jaeger."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from telemetry import conventions as c
from tests.acceptance.stack.exposition import OPEN_METRICS, Exemplar, Exposition, Key, read
from tests.acceptance.stack.fillpath import BUY, Fillpath
from tests.acceptance.stack.jaeger import Trace
from tests.acceptance.stack.lab import METRIC_WITHIN_S, Lab
from tests.acceptance.stack.traffic import Sent, vary
from tests.acceptance.stack.waiting import eventually

IN_A_TRACE = (
    c.WEBHOOK_PROCESSING_DURATION,
    c.ACK_DURATION,
    c.ORDER_DURATION,
    c.ORDER_SIZE_USD,
    c.POSITION_SIZE_PCT,
    c.PIPELINE_LATENCY,
    c.FILL_LATENCY,
)
"""Histograms that are recorded within the trace of an order or request, every time."""


@pytest.fixture(scope="module")
def sent(lab: Lab, service: Fillpath) -> Sent:
    """Traffic of every kind, exported to the end."""
    done = vary(service)
    lab.after_pushes(service)
    return done


@pytest.fixture(scope="module")
def shown(lab: Lab, service: Fillpath, sent: Sent) -> Exposition:
    """What the collector shows once nothing comes in any more."""
    return lab.after_pushes(service)


@pytest.mark.parametrize("instrument", IN_A_TRACE, ids=lambda instrument: instrument.name)
def test_every_bucket_with_a_record_has_an_exemplar_of_its_own_range(
    shown: Exposition, instrument: c.Histogram
) -> None:
    buckets = [key for key in shown.values if key[0] == f"{instrument.prometheus_name}_bucket"]
    assert buckets
    for key in buckets:
        inside, low, high = _records(shown, key, instrument)
        exemplar = shown.exemplars.get(key)
        assert (exemplar is not None) == (inside > 0), key
        assert exemplar is None or low < exemplar.value <= high, key


def test_the_exemplar_of_a_bucket_is_the_last_record_in_it(lab: Lab, service: Fillpath, shown: Exposition) -> None:
    last = [service.filled() for _ in range(5)][-1]

    exemplars = lab.after_pushes(service).exemplars

    latencies = {e.trace_id for key, e in exemplars.items() if key[0] == "execution_fill_latency_seconds_bucket"}
    assert last["trace_id"] in latencies


def test_exemplars_stay_while_nothing_happens(lab: Lab, service: Fillpath, shown: Exposition) -> None:
    before = _of(lab.after_pushes(service).exemplars)
    later = _of(lab.after_pushes(service, pushes=2).exemplars)

    assert before
    assert later == before


def test_the_service_itself_shows_the_same_exemplars_as_the_collector(
    lab: Lab, service: Fillpath, shown: Exposition
) -> None:
    def differences() -> Mapping[Key, tuple[Exemplar | None, Exemplar | None]]:
        own = _of(read(service.metrics_url, OPEN_METRICS).exemplars)
        collected = _of(lab.after_pushes(service).exemplars)
        return {k: (own.get(k), collected.get(k)) for k in own | collected if own.get(k) != collected.get(k)}

    eventually(lambda: not differences(), within=40)


def test_every_exemplar_of_the_collector_names_a_trace_that_jaeger_has(
    lab: Lab, service: Fillpath, shown: Exposition
) -> None:
    exemplars = lab.after_pushes(service).exemplars.values()

    assert exemplars
    eventually(lambda: all(_has(lab, exemplar) for exemplar in exemplars), within=20)


def test_prometheus_gives_the_exemplar_of_an_order_and_its_span_is_in_the_orders_trace(
    lab: Lab, service: Fillpath, shown: Exposition
) -> None:
    order = service.filled(BUY)
    query = f'execution_fill_latency_seconds_bucket{{instance="{service.instance}"}}'

    found = eventually(
        lambda: [e for e in lab.prometheus.exemplars(query) if e.trace_id == order["trace_id"]],
        within=METRIC_WITHIN_S,
    )

    trace = lab.jaeger.whole(order["trace_id"], "order.execute")
    assert found[0].span_id in {span.span_id for span in trace.spans}
    assert found[0].series["exchange"] == "paper"
    assert trace.root.attributes[c.ATTR_ORDER_ID] == order["order_id"]


@pytest.mark.parametrize("instrument", IN_A_TRACE, ids=lambda instrument: instrument.name)
def test_prometheus_has_exemplars_of_each_histogram_and_their_traces_are_in_jaeger(
    lab: Lab, service: Fillpath, shown: Exposition, instrument: c.Histogram
) -> None:
    query = f'{instrument.prometheus_name}_bucket{{instance="{service.instance}"}}'

    found = eventually(lambda: lab.prometheus.exemplars(query), within=METRIC_WITHIN_S)

    traces: dict[str, Trace | None] = {e.trace_id: lab.jaeger.trace(e.trace_id) for e in found}
    assert [trace_id for trace_id, trace in traces.items() if trace is None] == []


def _records(shown: Exposition, key: Key, instrument: c.Histogram) -> tuple[float, float, float]:
    """How many records lie in a bucket, and its edges."""
    high = float(dict(key[1])["le"])
    below = [edge for edge in instrument.buckets if edge < high]
    low = max(below, default=float("-inf"))
    labels = frozenset(pair for pair in key[1] if pair[0] != "le")
    less = shown.values[key[0], labels | {("le", repr(low))}] if below else 0.0
    return shown.values[key] - less, low, high


def _of(exemplars: Mapping[Key, Exemplar]) -> dict[Key, Exemplar]:
    """Those of histograms to which an idle service adds nothing."""
    names = {f"{instrument.prometheus_name}_bucket" for instrument in IN_A_TRACE}
    return {key: exemplar for key, exemplar in exemplars.items() if key[0] in names}


def _has(lab: Lab, exemplar: Exemplar) -> bool:
    trace = lab.jaeger.trace(exemplar.trace_id)
    return trace is not None and exemplar.span_id in {span.span_id for span in trace.spans}
