"""What `/metrics` shows: well-formed, named as the contract says, with exemplars of kept traces."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from telemetry import conventions as c
from telemetry.config import TelemetryConfig
from telemetry.exposition import wants_open_metrics
from telemetry.facade import Telemetry

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
SERVER = c.server_span_name("tv")


def record_everything(telemetry: Telemetry, config: TelemetryConfig) -> None:
    for instrument in c.INSTRUMENTS:
        labels = {label.name: (label.known(config) or ("BTC/USDT",))[0] for label in instrument.labels}
        if isinstance(instrument, c.Histogram):
            telemetry.record(instrument, Decimal("0.02"), **labels)
        elif isinstance(instrument, c.Gauge):
            telemetry.set(instrument, 1, **labels)
        else:
            assert isinstance(instrument, c.Counter | c.UpDownCounter)
            telemetry.add(instrument, 1, **labels)


@pytest.mark.parametrize(("accept", "parse"), [("", parse_text), (OPEN_METRICS, parse_open_metrics)])
def test_every_metric_is_shown_under_the_contracts_name(
    telemetry: Telemetry, config: TelemetryConfig, accept: str, parse: Callable[[str], Any]
) -> None:
    record_everything(telemetry, config)

    body, _ = telemetry.metrics(accept)

    names = {sample.name for family in parse(body.decode()) for sample in family.samples}
    expected = {"target_info"}
    for instrument in c.INSTRUMENTS:
        suffixes = ("_bucket", "_count", "_sum") if isinstance(instrument, c.Histogram) else ("",)
        expected |= {instrument.prometheus_name + suffix for suffix in suffixes}
    assert names == expected


def test_every_label_is_shown_and_none_beside_them(telemetry: Telemetry, config: TelemetryConfig) -> None:
    record_everything(telemetry, config)
    expected = {i.family_name: set(i.label_names) for i in c.INSTRUMENTS}

    for family in parse_open_metrics(telemetry.metrics(OPEN_METRICS)[0].decode()):
        for sample in family.samples:
            if family.name != "target":
                assert set(sample.labels) - {"le"} == expected[family.name]


def test_buckets_in_both_formats_are_the_declared_edges(telemetry: Telemetry) -> None:
    telemetry.record(c.ORDER_SIZE_USD, 70_000, exchange="paper", symbol="BTC/USDT", side="buy")

    for accept, parse in (("", parse_text), (OPEN_METRICS, parse_open_metrics)):
        families = parse(telemetry.metrics(accept)[0].decode())
        family = next(f for f in families if f.name == c.ORDER_SIZE_USD.prometheus_name)
        edges = [float(sample.labels["le"]) for sample in family.samples if sample.name.endswith("_bucket")]
        assert edges == [*c.BUCKETS_USD, float("inf")]


def test_the_resource_is_target_info(telemetry: Telemetry, value: Callable[..., float | None]) -> None:
    labels = {
        "service_name": "fillpath",
        "service_version": "1.2.3",
        "service_instance_id": "one",
        "deployment_environment_name": "test",
    }

    assert value("target_info", **labels) == 1
    assert value("execution_build_info", version="1.2.3") == 1


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3", True),
        ("Application/OpenMetrics-Text", True),
        ("application/openmetrics-text;q=0", False),
        ("text/plain", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_the_format_is_what_the_scraper_asks_for(*, accept: str, wanted: bool) -> None:
    assert wants_open_metrics(accept) is wanted


def exemplars(telemetry: Telemetry) -> dict[float, str]:
    """Trace ids by bucket edge of the acknowledgement's histogram."""
    families = parse_open_metrics(telemetry.metrics(OPEN_METRICS)[0].decode())
    return {
        float(sample.labels["le"]): sample.exemplar.labels["trace_id"]
        for family in families
        for sample in family.samples
        if sample.name == "execution_ack_duration_seconds_bucket" and sample.exemplar
    }


def acknowledge(telemetry: Telemetry, seconds: float, *, keep: bool) -> str:
    with telemetry.request(SERVER, {}, traceparent=None, trust=False) as request:
        telemetry.record(c.ACK_DURATION, seconds, source="tv")
        if keep:
            request.keep()
    return request.context.trace_id


def use_up_the_rate(telemetry: Telemetry) -> None:
    for _ in range(10):
        acknowledge(telemetry, 2.0, keep=False)


def test_an_exemplar_survives_collections(telemetry: Telemetry) -> None:
    trace_id = acknowledge(telemetry, 0.003, keep=True)

    assert [exemplars(telemetry), exemplars(telemetry)] == [{0.005: trace_id}] * 2


def test_each_bucket_keeps_its_last_exemplar(telemetry: Telemetry) -> None:
    acknowledge(telemetry, 0.003, keep=True)
    low = acknowledge(telemetry, 0.004, keep=True)
    high = acknowledge(telemetry, 9.0, keep=True)

    assert exemplars(telemetry) == {0.005: low, float("inf"): high}


def test_a_dropped_trace_is_no_exemplar_and_displaces_none(telemetry: Telemetry) -> None:
    use_up_the_rate(telemetry)
    kept = acknowledge(telemetry, 0.003, keep=True)

    acknowledge(telemetry, 0.003, keep=False)

    assert exemplars(telemetry)[0.005] == kept


def test_an_undecided_trace_is_no_exemplar_yet(telemetry: Telemetry) -> None:
    with telemetry.request(SERVER, {}, traceparent=None, trust=False) as request:
        telemetry.record(c.ACK_DURATION, 0.003, source="tv")
        before = exemplars(telemetry)
        request.keep()

    assert before == {}
    assert exemplars(telemetry) == {0.005: request.context.trace_id}


def test_a_record_outside_any_span_has_no_exemplar(telemetry: Telemetry) -> None:
    telemetry.record(c.ACK_DURATION, 0.003, source="tv")

    assert exemplars(telemetry) == {}


def test_label_values_are_escaped(telemetry: Telemetry, value: Callable[..., float | None]) -> None:
    telemetry.add(c.WEBHOOK_STALE_REJECTED, source="tv", symbol='A"\\\nB')

    assert value("execution_webhook_stale_rejected_total", source="tv", symbol='A"\\\nB') == 1


def test_no_flood_of_symbols_reaches_the_overflow_series(telemetry: Telemetry) -> None:
    for n in range(300):
        telemetry.record(c.ORDER_SIZE_USD, 100, exchange="paper", symbol=f"S{n}/USDT", side="buy")

    text = telemetry.metrics("")[0].decode()

    assert text.count("execution_order_size_usd_count{") == c.EXTRA_SYMBOLS + 1
    assert 'execution_order_size_usd_count{exchange="paper",symbol="other",side="buy"} 270' in text
    assert "otel_metric_overflow" not in text
