"""Series bound once: they are those that the keywords name, and stay what their labels show as."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum

import pytest

from telemetry import conventions as c
from telemetry.config import TelemetryConfig
from telemetry.facade import Telemetry
from telemetry.off import OffTelemetry

Value = Callable[..., float | None]


class Status(StrEnum):
    OK = "ok"


def test_a_bound_series_is_the_one_that_its_labels_name(telemetry: Telemetry, value: Value) -> None:
    fees = telemetry.counter(c.FEES_USD, exchange="paper")
    acks = telemetry.histogram(c.ACK_DURATION, source="tv")

    for _ in range(100):
        fees.add(Decimal("0.5"))
        telemetry.add(c.FEES_USD, 1, exchange="paper")
        acks.record(0.25)
        telemetry.record(c.ACK_DURATION, Decimal("0.25"), source="tv")

    assert value("execution_fees_usd_total", exchange="paper") == 150
    assert value("execution_ack_duration_seconds_count", source="tv") == 200
    assert value("execution_ack_duration_seconds_sum", source="tv") == 50


def test_labels_that_vary_are_given_in_the_order_in_which_they_were_named(telemetry: Telemetry, value: Value) -> None:
    calls = telemetry.counters(c.EXCHANGE_API_CALLS, "status", "endpoint", exchange="paper")
    durations = telemetry.histograms(c.EXCHANGE_API_DURATION, "endpoint", exchange="paper")

    for _ in range(2):
        calls["ok", "look_up"].add()
        durations["look_up"].record(1)
    calls["refused", "look_up"].add(3)

    assert value("execution_exchange_api_calls_total", exchange="paper", endpoint="look_up", status="ok") == 2
    assert value("execution_exchange_api_calls_total", exchange="paper", endpoint="look_up", status="refused") == 3
    assert value("execution_exchange_api_duration_seconds_count", exchange="paper", endpoint="look_up") == 2


def test_an_enumerations_value_finds_the_series_of_its_text(telemetry: Telemetry, value: Value) -> None:
    calls = telemetry.counters(c.EXCHANGE_API_CALLS, "status", "endpoint", exchange="paper")

    for _ in range(2):
        calls[Status.OK, "look_up"].add()
        calls["ok", "look_up"].add()

    assert value("execution_exchange_api_calls_total", exchange="paper", endpoint="look_up", status="ok") == 4
    assert b"Status" not in telemetry.metrics("text/plain")[0]


def test_a_bound_histogram_begins_with_its_first_record(telemetry: Telemetry, value: Value) -> None:
    acks = telemetry.histograms(c.ACK_DURATION, "source")
    bound = acks["tv"]
    assert value("execution_ack_duration_seconds_count", source="tv") is None

    bound.record(0.1)

    assert value("execution_ack_duration_seconds_count", source="tv") == 1


def test_an_address_asked_for_at_each_record_counts_under_its_name_once_it_has_a_place(
    telemetry: Telemetry, value: Value
) -> None:
    requests = telemetry.counters(c.RATE_LIMIT_REQUESTS, "client_ip", "allowed")
    address = "203.0.113.9"

    for allowed in ("true", "true", "false", "true"):
        requests[address, allowed].add()

    assert value("execution_rate_limit_requests_total", client_ip="other", allowed="true") == 2
    assert value("execution_rate_limit_requests_total", client_ip=address, allowed="true") == 1
    assert value("execution_rate_limit_requests_total", client_ip=address, allowed="false") == 1


@pytest.mark.parametrize("values", ["nobody", "", ("tv", "more"), ()])
def test_records_of_wrong_labels_are_counted_as_dropped(
    telemetry: Telemetry, value: Value, values: str | tuple[str, ...]
) -> None:
    telemetry.counters(c.DUPLICATE_ALERTS, "source")[values].add()
    telemetry.histograms(c.ACK_DURATION, "source")[values].record(0.1)
    telemetry.counter(c.DUPLICATE_ALERTS, wrong="tv").add()

    assert value("execution_telemetry_dropped_total", signal="metrics", reason="invalid_labels") == 3


@pytest.mark.parametrize("wrong", [-1, float("nan"), "1", True])
def test_a_wrong_number_is_counted_as_dropped(telemetry: Telemetry, value: Value, wrong: float) -> None:
    telemetry.counter(c.DUPLICATE_ALERTS, source="tv").add(wrong)
    telemetry.histogram(c.ACK_DURATION, source="tv").record(wrong)

    assert value("execution_duplicate_alerts_total", source="tv") == 0
    assert value("execution_ack_duration_seconds_count", source="tv") is None
    assert value("execution_telemetry_dropped_total", signal="metrics", reason="invalid_value") == 2


def test_what_was_dropped_can_be_told_by_a_bound_series(telemetry: Telemetry, value: Value) -> None:
    telemetry.counters(c.TELEMETRY_DROPPED, "reason", signal="metrics")["no_usd_conversion"].add(2)

    assert value("execution_telemetry_dropped_total", signal="metrics", reason="no_usd_conversion") == 2


def test_the_engine_that_is_off_binds_series_of_which_nothing_is_kept(config: TelemetryConfig) -> None:
    engine = OffTelemetry(config)

    engine.counter(c.FEES_USD, exchange="paper").add(Decimal(1))
    engine.counters(c.DENIALS, "source", "reason")["tv", "stale"].add()
    engine.histogram(c.ACK_DURATION, source="tv").record(1)
    engine.histograms(c.ACK_DURATION, "source")["tv"].record(1)

    assert engine.metrics("")[0].startswith(b"# ")
