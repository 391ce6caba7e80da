"""The conventions hold the contract: names, kinds, labels, buckets, and room for every series."""

from __future__ import annotations

import re

import pytest

from service.core.alerts import FIELDS
from service.core.orders import FINAL, OrderType, Side, SizingMethod
from service.core.outcomes import RejectReason
from service.core.refusals import DenialReason, ExpiryReason
from telemetry import conventions as c
from telemetry.config import TelemetryConfig

# Kind, Prometheus name, labels; c counter, u up-down counter, g gauge, h histogram.
CONTRACT = """
c webhook_requests_total source symbol side
h webhook_processing_duration_seconds source status
c webhook_validation_failures_total source reason
c webhook_signature_failures_total source
c webhook_confidence_filtered_total source symbol
c webhook_stale_rejected_total source symbol
u active_requests
c orders_total exchange symbol side order_type status
h order_duration_seconds exchange order_type
c order_failures_total exchange symbol reason
h order_size_usd exchange symbol side
h position_size_pct method
c rate_limit_requests_total client_ip allowed
c rate_limit_rejections_total client_ip
g circuit_breaker_state exchange
c circuit_breaker_transitions_total exchange from_state to_state
c circuit_breaker_rejections_total exchange
c ip_whitelist_checks_total client_ip allowed
c ip_whitelist_rejections_total client_ip
c audit_events_total event_type client_ip result
c validation_errors_total validation_type field
c normalization_operations_total operation_type
c nan_replacements_total field
h pipeline_latency_seconds
g exchange_connections exchange
c exchange_api_calls_total exchange endpoint status
h exchange_api_duration_seconds exchange endpoint
c exchange_errors_total exchange error_type
c exchange_rate_limits_total exchange
c order_outcomes_total exchange outcome on_time
c alert_acks_total source on_time
c order_attempts_total exchange outcome
g orders_in_doubt exchange
g orders_in_doubt_oldest_seconds exchange
c order_reconciliations_total exchange outcome
g reconciliation_findings exchange kind
c orders_expired_unsent_total exchange reason
g orders_open exchange
c duplicate_alerts_total source
c denials_total source reason
h ack_duration_seconds source
h fill_latency_seconds exchange order_type
h slippage_adverse_bps exchange side
h slippage_favourable_bps exchange side
c fees_usd_total exchange
c rebates_usd_total exchange
h journal_commit_duration_seconds
h journal_batch_size
g journal_backlog
g journal_oldest_pending_seconds
g journal_writable
g journal_free_bytes
g kill_switch_engaged account
g exchange_clock_skew_seconds exchange
h event_loop_lag_seconds
c telemetry_dropped_total signal reason
g telemetry_queue_items signal
g heartbeat_timestamp_seconds
g build_info version
"""
KINDS = {"c": c.Counter, "u": c.UpDownCounter, "g": c.Gauge, "h": c.Histogram}

DECLARED = TelemetryConfig(
    service_version="1",
    instance_id="one",
    sources=tuple(f"source-{n}" for n in range(8)),
    exchanges=tuple(f"exchange-{n}" for n in range(4)),
    accounts=tuple(f"account-{n}" for n in range(8)),
    symbols=tuple(f"S{n}/USDT" for n in range(20)),
    sender_addresses=tuple(f"10.0.0.{n}" for n in range(16)),
)
"""The largest configuration that the declared cardinality limits are made for."""


def test_every_metric_of_the_contract_is_declared_and_no_other() -> None:
    declared = [(type(i), i.prometheus_name, i.label_names) for i in c.INSTRUMENTS]

    rows = (line.split() for line in CONTRACT.strip().splitlines())

    assert declared == [(KINDS[kind], f"execution_{name}", tuple(labels)) for kind, name, *labels in rows]


@pytest.mark.parametrize("instrument", c.INSTRUMENTS, ids=lambda i: i.name)
def test_a_constant_is_named_after_its_metric(instrument: c.Instrument) -> None:
    name = re.sub(r"(_seconds|_bytes)?(_total)?$", "", instrument.prometheus_name.removeprefix("execution_"))

    assert getattr(c, name.upper()) is instrument
    assert instrument.name.startswith("execution.")
    assert "total" not in instrument.name


@pytest.mark.parametrize("instrument", c.INSTRUMENTS, ids=lambda i: i.name)
def test_every_series_fits_below_the_declared_limit(instrument: c.Instrument) -> None:
    assert instrument.series(DECLARED) < instrument.cardinality_limit


@pytest.mark.parametrize("instrument", [i for i in c.INSTRUMENTS if isinstance(i, c.Histogram)], ids=lambda i: i.name)
def test_bucket_edges_are_floats_that_grow_and_stay_below_a_million(instrument: c.Histogram) -> None:
    edges = instrument.buckets

    assert all(isinstance(edge, float) for edge in edges)
    assert sorted(set(edges)) == list(edges)
    assert edges[-1] < 1e6


@pytest.mark.parametrize(
    ("edges", "contract"),
    [
        (c.BUCKETS_REQUEST, ".001 .0025 .005 .01 .025 .05 .1 .25 .5 1 2.5"),
        (c.BUCKETS_EXCHANGE, ".01 .05 .1 .25 .5 1 2.5 5 10 30 60 300"),
        (c.BUCKETS_FILL_LATENCY, ".01 .05 .1 .25 .5 1 2.5 5 10 30 60 300 3600 86400"),
        (c.BUCKETS_SHORT, ".0005 .001 .0025 .005 .01 .025 .05 .1 .25 1"),
        (c.BUCKETS_USD, "10 50 100 500 1000 5000 10000 50000 100000 500000"),
        (c.BUCKETS_PERCENT, ".1 .5 1 2 5 10 25 50 100"),
        (c.BUCKETS_BATCH, "1 2 4 8 16 32 64 128 256 512"),
        (c.BUCKETS_BPS, ".5 1 2.5 5 10 25 50 100 250 500"),
    ],
)
def test_buckets_are_the_contracts(edges: tuple[float, ...], contract: str) -> None:
    assert list(edges) == [float(edge) for edge in contract.split()]


@pytest.mark.parametrize(
    ("values", "core"),
    [
        (c.DENIAL_REASONS, DenialReason),
        (c.EXPIRY_REASONS, ExpiryReason),
        (c.REJECT_REASONS, RejectReason),
        (c.FINAL_STATUS.values, FINAL),
        (c.SIDE.values, Side),
        (c.ORDER_TYPE.values, OrderType),
    ],
)
def test_label_values_are_those_of_the_core(values: tuple[str, ...], core: object) -> None:
    assert set(values) == {str(member) for member in core}  # type: ignore[attr-defined]
    assert len(values) == len(set(values))


def test_a_side_that_nobody_knows_yet_has_its_value() -> None:
    assert set(c.SIDE_IF_KNOWN.values) == {*Side, c.UNKNOWN}
    assert c.SIDE_IF_KNOWN.name == c.SIDE.name


def test_sizing_methods_are_those_of_the_core_a_quote_amount_counting_as_explicit() -> None:
    assert set(c.SIZING_METHOD.values) == set(SizingMethod) - {SizingMethod.QUOTE_AMOUNT, SizingMethod.TARGET}


def test_reasons_after_the_journal_are_denial_reasons() -> None:
    assert set(c.DENIALS_AFTER_JOURNAL) <= set(c.DENIAL_REASONS)


def test_every_failure_of_an_order_has_its_reason() -> None:
    expected = {*c.DENIALS_AFTER_JOURNAL, *ExpiryReason, *RejectReason, "absent"}

    assert set(c.FAILURE_REASON.values) == {str(reason) for reason in expected}


@pytest.mark.parametrize("endpoint", c.ENDPOINTS)
def test_every_endpoint_has_its_span(endpoint: str) -> None:
    assert c.exchange_span_name(endpoint) in c.SPANS


def test_every_span_and_attribute_constant_is_described() -> None:
    constants = vars(c)

    assert {v for k, v in constants.items() if k.startswith("SPAN_")} < set(c.SPANS)
    assert {v for k, v in constants.items() if k.startswith("ATTR_")} == set(c.ATTRIBUTES)
    assert {v for k, v in constants.items() if k.startswith("EVENT_") and isinstance(v, str)} == set(c.EVENTS)


@pytest.mark.parametrize("constant", [k for k in vars(c) if k.startswith("SPAN_")])
def test_a_span_constant_is_named_after_its_span(constant: str) -> None:
    assert constant == "SPAN_" + getattr(c, constant).replace(".", "_").upper()


def test_the_server_span_is_named_after_the_route_whatever_the_source() -> None:
    assert c.server_span_name("tv") == c.server_span_name("other") == "POST /webhook/{source}"


def test_fields_are_those_of_an_alert() -> None:
    assert set(FIELDS) == set(c.ALERT_FIELDS)
