"""The contract's metrics as Prometheus has them, through the collector."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from telemetry import conventions as c
from tests.acceptance.stack.fillpath import BUY, Fillpath
from tests.acceptance.stack.lab import METRIC_WITHIN_S, Lab
from tests.acceptance.stack.traffic import FAILURES, Sent, vary
from tests.acceptance.stack.waiting import eventually

JOB = "fillpath"

GROUPS: dict[str, Iterable[c.Instrument]] = {
    "webhooks": (
        c.WEBHOOK_REQUESTS,
        c.WEBHOOK_PROCESSING_DURATION,
        c.WEBHOOK_VALIDATION_FAILURES,
        c.WEBHOOK_SIGNATURE_FAILURES,
        c.WEBHOOK_CONFIDENCE_FILTERED,
        c.WEBHOOK_STALE_REJECTED,
        c.ACTIVE_REQUESTS,
    ),
    "orders": (c.ORDERS, c.ORDER_DURATION, c.ORDER_FAILURES, c.ORDER_SIZE_USD, c.POSITION_SIZE_PCT),
    "security": (
        c.RATE_LIMIT_REQUESTS,
        c.RATE_LIMIT_REJECTIONS,
        c.CIRCUIT_BREAKER_STATE,
        c.CIRCUIT_BREAKER_TRANSITIONS,
        c.CIRCUIT_BREAKER_REJECTIONS,
        c.IP_WHITELIST_CHECKS,
        c.IP_WHITELIST_REJECTIONS,
        c.AUDIT_EVENTS,
    ),
    "validation": (c.VALIDATION_ERRORS, c.NORMALIZATION_OPERATIONS, c.NAN_REPLACEMENTS, c.PIPELINE_LATENCY),
    "exchange": (
        c.EXCHANGE_CONNECTIONS,
        c.EXCHANGE_API_CALLS,
        c.EXCHANGE_API_DURATION,
        c.EXCHANGE_ERRORS,
        c.EXCHANGE_RATE_LIMITS,
    ),
    "promises: orders": (
        c.ORDER_OUTCOMES,
        c.ALERT_ACKS,
        c.ORDER_ATTEMPTS,
        c.ORDERS_IN_DOUBT,
        c.ORDERS_IN_DOUBT_OLDEST,
        c.ORDER_RECONCILIATIONS,
        c.RECONCILIATION_FINDINGS,
        c.ORDERS_EXPIRED_UNSENT,
        c.ORDERS_OPEN,
        c.DUPLICATE_ALERTS,
        c.DENIALS,
        c.ACK_DURATION,
        c.FILL_LATENCY,
        c.SLIPPAGE_ADVERSE_BPS,
        c.SLIPPAGE_FAVOURABLE_BPS,
        c.FEES_USD,
        c.REBATES_USD,
    ),
    "promises: service": (
        c.JOURNAL_COMMIT_DURATION,
        c.JOURNAL_BATCH_SIZE,
        c.JOURNAL_BACKLOG,
        c.JOURNAL_OLDEST_PENDING,
        c.JOURNAL_WRITABLE,
        c.JOURNAL_FREE,
        c.KILL_SWITCH_ENGAGED,
        c.EXCHANGE_CLOCK_SKEW,
        c.EVENT_LOOP_LAG,
        c.TELEMETRY_DROPPED,
        c.TELEMETRY_QUEUE_ITEMS,
        c.HEARTBEAT_TIMESTAMP,
        c.BUILD_INFO,
    ),
}


@pytest.fixture(scope="module")
def sent(lab: Lab, service: Fillpath) -> Sent:
    """Traffic of every kind, all of it counted in Prometheus."""
    done = vary(service)
    lab.until_scraped(service)
    return done


def test_every_metric_of_the_contract_belongs_to_a_group() -> None:
    named = [instrument.name for group in GROUPS.values() for instrument in group]

    assert sorted(named) == sorted(instrument.name for instrument in c.INSTRUMENTS)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.usefixtures("sent")
def test_each_metric_of_a_group_is_in_prometheus_with_exactly_its_labels(
    lab: Lab, service: Fillpath, group: str
) -> None:
    missing = []
    for instrument in GROUPS[group]:
        name = instrument.prometheus_name + ("_bucket" if isinstance(instrument, c.Histogram) else "")
        own = {"le"} if isinstance(instrument, c.Histogram) else set()
        series = lab.prometheus.series(f'{name}{{instance="{service.instance}"}}')
        if not series:
            missing.append(name)
        for labels in map(dict, series):
            assert labels.keys() == {"__name__", "job", "instance", *own, *instrument.label_names}, labels
            assert labels["job"] == JOB

    assert missing == []


@pytest.mark.parametrize("instrument", [i for i in c.INSTRUMENTS if isinstance(i, c.Histogram)], ids=lambda i: i.name)
@pytest.mark.usefixtures("sent")
def test_the_buckets_in_prometheus_are_the_contracts(lab: Lab, service: Fillpath, instrument: c.Histogram) -> None:
    series = lab.prometheus.series(f'{instrument.prometheus_name}_bucket{{instance="{service.instance}"}}')

    edges = {float(dict(labels)["le"]) for labels in series}
    assert edges == {*instrument.buckets, float("inf")}


def test_prometheus_counts_each_order_and_refusal_as_often_as_it_happened(
    lab: Lab, service: Fillpath, sent: Sent
) -> None:
    def count(name: str, **labels: str) -> float | None:
        wanted = ",".join(f'{key}="{value}"' for key, value in {**labels, "instance": service.instance}.items())
        return lab.prometheus.value(f"sum({name}{{{wanted}}})")

    assert count("execution_orders_total", status="FILLED") == len(sent.filled)
    assert count("execution_orders_total", status="DENIED") == 1
    assert count("execution_orders_total", status="CANCELED") == len(sent.canceled)
    assert count("execution_orders_total", status="FILLED", symbol="ETH/USDT") == 1
    assert count("execution_order_outcomes_total", outcome="accepted") == len(sent.filled) + len(sent.canceled)
    assert count("execution_fill_latency_seconds_count") == len(sent.filled)
    assert count("execution_duplicate_alerts_total", source="default") == 1
    assert count("execution_nan_replacements_total", field="confidence") == 1
    for reason in ("key_reused", "stale", "low_confidence", "invalid_field", "unknown_field", "unknown_symbol"):
        assert count("execution_denials_total", reason=reason, source="default") == 1, reason
    assert count("execution_denials_total", reason="address", source="elsewhere") == 1
    assert count("execution_denials_total", reason="signature", source="hex") == FAILURES
    assert count("execution_denials_total", reason="operator_token") == 1
    repeated, denied = 1, 1
    assert count("execution_alert_acks_total") == len(sent.filled) + len(sent.canceled) + repeated + denied
    assert count("execution_telemetry_dropped_total", reason="invalid_labels") == 0
    assert count("execution_telemetry_dropped_total", reason="export_failed") == 0


def test_an_order_is_counted_in_prometheus_within_an_export_and_two_scrapes(lab: Lab, service: Fillpath) -> None:
    query = f'sum(execution_orders_total{{instance="{service.instance}",status="FILLED"}})'
    before = eventually(lambda: lab.prometheus.value(query))
    answer = service.send(BUY)
    filled_at = time.monotonic()
    assert answer.json()["status"] == "FILLED", answer.text

    eventually(lambda: lab.prometheus.value(query) == before + 1, within=60)

    assert time.monotonic() - filled_at <= METRIC_WITHIN_S
