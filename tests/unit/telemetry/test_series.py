"""Counters and gauges: zero from the start, bounded labels, and never an exception."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry import conventions as c
from telemetry.bounds import AddressSlots, SymbolSlots
from telemetry.config import TelemetryConfig
from telemetry.facade import Telemetry
from telemetry.series import Drops, Series, as_number

CONFIG = TelemetryConfig(service_version="1", instance_id="one", sources=("tv",), exchanges=("paper",))

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(max_size=5), st.binary(max_size=3)
)


@given(
    instrument=st.sampled_from(c.INSTRUMENTS),
    value=anything,
    labels=st.dictionaries(st.sampled_from(["source", "symbol", "side", "reason", "exchange"]), anything, max_size=4),
)
@settings(max_examples=150, deadline=None)
def test_recording_never_raises_and_every_record_counts_or_is_counted(
    instrument: c.Instrument, value: object, labels: dict[str, str]
) -> None:
    drops = Drops()

    accepted = Series(CONFIG, drops).accept(instrument, value, labels)

    assert (accepted is None) == (sum(drops.snapshot().values()) == 1)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (Decimal("0.1"), 0.1),
        (-2.5, -2.5),
        (Decimal("1e999999999"), None),
        (10**400, None),
        (Decimal("sNaN"), None),
        (nan, None),
        (inf, None),
        (1e300, None),
        (True, None),
        ("1", None),
        (None, None),
    ],
)
def test_only_finite_numbers_of_reasonable_size_are_numbers(value: object, number: float | None) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize("amount", [-1, nan, "x", Decimal("-0.01")])
def test_a_counter_only_grows(telemetry: Telemetry, amount: float, value: Callable[..., float | None]) -> None:
    telemetry.add(c.DUPLICATE_ALERTS, amount, source="tv")

    assert value("execution_duplicate_alerts_total", source="tv") == 0
    assert value("execution_telemetry_dropped_total", signal="metrics", reason="invalid_value") == 1


@pytest.mark.parametrize(
    "labels",
    [{}, {"source": "nobody"}, {"source": "tv", "more": "x"}, {"wrong": "tv"}, {"source": 1}],
)
def test_wrong_labels_are_counted_not_recorded(
    telemetry: Telemetry, labels: dict[str, str], value: Callable[..., float | None]
) -> None:
    telemetry.add(c.DUPLICATE_ALERTS, **labels)
    telemetry.record(c.ACK_DURATION, 0.1, **labels)

    assert value("execution_telemetry_dropped_total", signal="metrics", reason="invalid_labels") == 2


def test_counters_and_gauges_with_known_labels_report_zero_from_the_start(config: TelemetryConfig) -> None:
    series = Series(config, Drops())

    for instrument in c.INSTRUMENTS:
        known = [label.known(config) for label in instrument.labels]
        if isinstance(instrument, c.Histogram) or None in known:
            continue
        values = series.collect(instrument)
        zero = not isinstance(instrument, c.Gauge) or instrument.zero_at_start
        expected = instrument.series(config) if zero or instrument is c.BUILD_INFO else 0
        assert len(values) == expected, instrument.name


def test_values_add_up_and_gauges_stand(telemetry: Telemetry, value: Callable[..., float | None]) -> None:
    for _ in range(3):
        telemetry.add(c.FEES_USD, Decimal("0.5"), exchange="paper")
        telemetry.set(c.ORDERS_OPEN, 7, exchange="paper")
        telemetry.add(c.ACTIVE_REQUESTS, 2)
        telemetry.add(c.ACTIVE_REQUESTS, -1)

    assert value("execution_fees_usd_total", exchange="paper") == 1.5
    assert value("execution_orders_open", exchange="paper") == 7
    assert value("execution_active_requests") == 3


def test_a_preset_reports_zero_for_every_combination(telemetry: Telemetry, value: Callable[..., float | None]) -> None:
    telemetry.preset(c.WEBHOOK_CONFIDENCE_FILTERED, source=["tv"], symbol=["BTC/USDT", "unknown"])

    assert value("execution_webhook_confidence_filtered_total", source="tv", symbol="BTC/USDT") == 0
    assert value("execution_webhook_confidence_filtered_total", source="tv", symbol="unknown") == 0


def test_an_observed_gauge_is_read_at_each_collection(telemetry: Telemetry, value: Callable[..., float | None]) -> None:
    depths = iter([4.0, 9.0])
    telemetry.observe(c.JOURNAL_BACKLOG, lambda: [(next(depths), {})])

    assert [value("execution_journal_backlog"), value("execution_journal_backlog")] == [4, 9]


def test_a_read_that_raises_is_counted_and_its_last_value_stands(
    telemetry: Telemetry, value: Callable[..., float | None]
) -> None:
    values = iter([4.0])
    telemetry.observe(c.JOURNAL_BACKLOG, lambda: [(next(values), {})])
    value("execution_journal_backlog")

    assert value("execution_journal_backlog") == 4
    assert value("execution_telemetry_dropped_total", signal="metrics", reason="read_failed") >= 1


def test_symbols_take_places_that_are_never_given_back() -> None:
    slots = SymbolSlots(("BTC/USDT",), extra=2)

    shown = [slots.show(f"S{n}/USDT", may_take=True) for n in (1, 2, 3, 1)]

    assert shown == ["S1/USDT", "S2/USDT", "other", "S1/USDT"]
    assert slots.show("BTC/USDT", may_take=True) == "BTC/USDT"
    assert slots.show("", may_take=True) == "unknown"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("192.168.7.9", "192.168.0.0/16"),
        ("unknown", "unknown"),
        ("not an address", "unknown"),
        ("10.0.0.2", "other"),
    ],
)
def test_addresses_are_shown_bounded(address: str, shown: str) -> None:
    slots = AddressSlots(("10.0.0.1", "192.168.0.0/16"), extra=1)
    slots.show("2001:db8:1:2::1", may_take=True)

    assert slots.show(address, may_take=True) == shown


def test_an_allowed_address_takes_no_place(telemetry: Telemetry, value: Callable[..., float | None]) -> None:
    telemetry.add(c.RATE_LIMIT_REQUESTS, client_ip="198.51.100.1", allowed="true")
    telemetry.add(c.RATE_LIMIT_REQUESTS, client_ip="198.51.100.2", allowed="false")
    telemetry.add(c.RATE_LIMIT_REQUESTS, client_ip="198.51.100.2", allowed="true")

    assert value("execution_rate_limit_requests_total", client_ip="other", allowed="true") == 1
    assert value("execution_rate_limit_requests_total", client_ip="198.51.100.2", allowed="true") == 1


def test_an_address_counts_under_its_name_from_the_moment_it_has_a_place() -> None:
    series = Series(CONFIG, Drops())
    allowed, refused = ({"client_ip": "203.0.113.9", "allowed": word} for word in ("true", "false"))

    for labels in (allowed, allowed, refused, allowed, refused, allowed):
        series.add(c.RATE_LIMIT_REQUESTS, 1, labels)

    counted = {key: number for key, number in series.collect(c.RATE_LIMIT_REQUESTS).items() if number}
    assert counted == {("other", "true"): 2, ("203.0.113.9", "true"): 2, ("203.0.113.9", "false"): 2}


@given(st.lists(st.text(max_size=4), max_size=80))
@settings(max_examples=50, deadline=None)
def test_no_input_makes_more_symbols_than_declared(symbols: list[str]) -> None:
    series = Series(CONFIG, Drops())

    for symbol in symbols:
        series.add(c.WEBHOOK_STALE_REJECTED, 1, {"source": "tv", "symbol": symbol})

    assert len(series.collect(c.WEBHOOK_STALE_REJECTED)) <= c.SYMBOL.count(CONFIG)
