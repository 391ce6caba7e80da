"""Counter and histogram through OpenTelemetry's own API: the stock SDK against the lean MeterProvider."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry import trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.trace import TracerProvider

from scripts.lib.bench.order_cost import undisturbed
from telemetry import conventions as c
from telemetry.common import resource_of
from telemetry.config import TelemetryConfig
from telemetry.holding import Holder
from telemetry.lean.metrics import LeanMetrics
from telemetry.series import Drops

_CALLS = 5_000
_COUNTED = {"exchange": "paper", "symbol": "BTC/USDT", "side": "buy", "order_type": "market", "status": "FILLED"}
_RECORDED = {"exchange": "paper", "symbol": "BTC/USDT", "side": "buy"}


def api_costs(config: TelemetryConfig, *, rounds: int) -> Iterator[tuple[str, dict[str, float]]]:
    """CPU microseconds a call by engine, the best of so many rounds."""
    providers = {"lean": _lean(config), "sdk": _stock()}
    yield "counter, 5 attributes, OpenTelemetry API", _best(providers, _count, rounds)
    yield "histogram, 3 attributes, in a span, OpenTelemetry API", _best(providers, _record, rounds)


def _best(providers: dict[str, MeterProvider], work: Callable[[MeterProvider], float], rounds: int) -> dict[str, float]:
    with TracerProvider().get_tracer("bench").start_as_current_span("order.execute"):
        rows = [{name: work(provider) for name, provider in providers.items()} for _ in range(rounds)]
    return {name: min(row[name] for row in rows) for name in providers}


def _count(provider: MeterProvider) -> float:
    counter = provider.get_meter("fillpath").create_counter(c.ORDERS.name, c.ORDERS.unit, c.ORDERS.description)
    return _timed(lambda _: counter.add(1, _COUNTED))


def _record(provider: MeterProvider) -> float:
    declared = c.ORDER_SIZE_USD
    histogram = provider.get_meter("fillpath").create_histogram(declared.name, declared.unit, declared.description)
    assert trace.get_current_span().is_recording(), "an exemplar is sampled in a span only"
    return _timed(lambda number: histogram.record(number * 10.0, _RECORDED))


def _timed(call: Callable[[int], Any]) -> float:
    with undisturbed():
        begun = time.process_time()
        for number in range(_CALLS):
            call(number)
        return (time.process_time() - begun) / _CALLS * 1e6


def _stock() -> MeterProvider:
    view = View(
        instrument_name=c.ORDER_SIZE_USD.name, aggregation=ExplicitBucketHistogramAggregation(c.ORDER_SIZE_USD.buckets)
    )
    return SdkMeterProvider(metric_readers=[InMemoryMetricReader()], views=[view], shutdown_on_exit=False)


def _lean(config: TelemetryConfig) -> MeterProvider:
    drops = Drops()
    holder: Holder[Any] = Holder(lambda _: None, drops)
    return LeanMetrics(config, resource_of(config), drops, holder, None, {}).provider
