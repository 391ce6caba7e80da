"""Two worlds for the tests of the rules: a service with healthy traffic, and one without any."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.lib.alerts.cases.series import START, Values, World, every, flat, gone, histogram, steady
from telemetry import conventions as c

IDENTITY = 'job="fillpath",instance="one"'
"""What the collector adds to each series of the service."""

_BY_NAME = {instrument.prometheus_name: instrument for instrument in c.INSTRUMENTS}


def of(instrument: c.Instrument, **labels: str) -> str:
    """The selector of one series of the service."""
    own = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f"{instrument.prometheus_name}{{{IDENTITY}{own}}}"


def labelled(**labels: str) -> str:
    """The labels of a histogram of the service."""
    return ",".join((IDENTITY, *(f'{name}="{value}"' for name, value in labels.items())))


def requests(source: str, symbol: str = "unknown", side: str = "unknown") -> str:
    return of(c.WEBHOOK_REQUESTS, source=source, symbol=symbol, side=side)


def denials(source: str, reason: str) -> str:
    return of(c.DENIALS, source=source, reason=reason)


def outcomes(outcome: str, on_time: str = "true", exchange: str = "okx-main") -> str:
    return of(c.ORDER_OUTCOMES, exchange=exchange, outcome=outcome, on_time=on_time)


def api_calls(status: str, endpoint: str = "create_order", exchange: str = "okx-main") -> str:
    return of(c.EXCHANGE_API_CALLS, exchange=exchange, endpoint=endpoint, status=status)


COLLECTOR = 'job="collector",instance="collector:8888"'
UP_SERVICE = 'up{job="service",instance="service:8081"}'
UP_COLLECTOR = f"up{{{COLLECTOR}}}"
UP_EXPORTER = 'up{job="collector",instance="collector:8889"}'
UPTIME = f"otelcol_process_uptime{{{COLLECTOR}}}"
REFUSED_SPANS = f'otelcol_receiver_refused_spans{{{COLLECTOR},receiver="otlp",transport="http"}}'
ENQUEUE_FAILED = f'otelcol_exporter_enqueue_failed_spans{{{COLLECTOR},exporter="otlp_http/jaeger"}}'


def _counters() -> Iterator[tuple[str, Values]]:
    yield requests("default", "BTC/USDT", "buy"), steady(2)
    for source in ("default", "unknown"):
        yield of(c.WEBHOOK_SIGNATURE_FAILURES, source=source), every(40)
        yield denials(source, "malformed"), every(40)
        yield denials(source, "low_confidence"), every(20) if source == "default" else flat()
        yield denials(source, "stale"), every(60) if source == "default" else flat()
        yield denials(source, "address"), every(80)
        yield denials(source, "rate_limited"), every(4)
        yield denials(source, "operator_token"), flat()
        for reason in ("key_reused", "invalid_field"):
            yield of(c.WEBHOOK_VALIDATION_FAILURES, source=source, reason=reason), every(80)
        yield of(c.ALERT_ACKS, source=source, on_time="true"), steady(2) if source == "default" else flat()
        yield of(c.ALERT_ACKS, source=source, on_time="false"), flat()
    yield outcomes("accepted"), steady(1)
    yield outcomes("rejected"), every(20)
    for outcome in ("denied", "absent", "expired", "unknown"):
        yield outcomes(outcome), flat()
        yield outcomes(outcome, "false"), flat()
    yield of(c.VALIDATION_ERRORS, validation_type="range", field="price"), every(4)
    yield of(c.NAN_REPLACEMENTS, field="confidence"), every(10)
    yield api_calls("ok"), steady(4)
    yield api_calls("refused"), every(2)
    yield api_calls("error"), every(20)
    yield api_calls("in_doubt"), flat()
    yield of(c.EXCHANGE_RATE_LIMITS, exchange="okx-main"), every(40)
    yield of(c.CIRCUIT_BREAKER_REJECTIONS, exchange="okx-main"), flat()
    yield of(c.ORDER_RECONCILIATIONS, exchange="okx-main", outcome="found"), every(20)
    yield of(c.ORDER_RECONCILIATIONS, exchange="okx-main", outcome="absent"), flat()
    for reason in ("max_age", "price_drift"):
        yield of(c.ORDERS_EXPIRED_UNSENT, exchange="okx-main", reason=reason), flat()
    yield of(c.TELEMETRY_DROPPED, signal="traces", reason="sampling"), steady(5)
    yield of(c.TELEMETRY_DROPPED, signal="metrics", reason="no_usd_conversion"), steady(1)
    yield of(c.TELEMETRY_DROPPED, signal="traces", reason="queue_full"), flat()


def _gauges() -> Iterator[tuple[str, Values]]:
    yield of(c.ACTIVE_REQUESTS), flat(3)
    for exchange in ("paper", "okx-main"):
        yield of(c.EXCHANGE_CONNECTIONS, exchange=exchange), flat(1)
    yield of(c.CIRCUIT_BREAKER_STATE, exchange="okx-main"), flat(0)
    yield of(c.ORDERS_IN_DOUBT_OLDEST, exchange="okx-main"), flat(2)
    yield of(c.RECONCILIATION_FINDINGS, exchange="okx-main", kind="foreign"), flat(7)
    yield of(c.RECONCILIATION_FINDINGS, exchange="okx-main", kind="missing_at_exchange"), flat(0)
    yield of(c.JOURNAL_OLDEST_PENDING), flat(1)
    yield of(c.JOURNAL_WRITABLE), flat(1)
    yield of(c.JOURNAL_FREE), flat(50 * 2**30)
    yield of(c.EXCHANGE_CLOCK_SKEW, exchange="okx-main"), flat(0.05)
    yield of(c.KILL_SWITCH_ENGAGED, account="*"), flat(0)
    yield of(c.KILL_SWITCH_ENGAGED, account="swing"), flat(0)
    # promtool's clock starts at 0.
    yield of(c.HEARTBEAT_TIMESTAMP), steady(15)
    yield UP_SERVICE, flat(1)
    yield UP_COLLECTOR, flat(1)
    yield UP_EXPORTER, flat(1)
    yield UPTIME, steady(15)


def _histograms() -> Iterator[tuple[str, Values]]:
    accepted = labelled(source="default", status="accepted")
    yield from histogram(c.WEBHOOK_PROCESSING_DURATION, accepted, {0.005: steady(2)}).items()
    market = labelled(exchange="okx-main", order_type="market")
    yield from histogram(c.ORDER_DURATION, market, {0.25: steady(1)}).items()
    yield from histogram(c.PIPELINE_LATENCY, labelled(), {0.25: steady(1)}).items()


def healthy() -> World:
    """Traffic as it should be, with the few failures that belong to it."""
    return dict([*_counters(), *_gauges(), *_histograms()])


def idle() -> World:
    """The service is there and nobody calls: counters at 0 where their labels are known, nothing else."""
    counters = {selector: flat() for selector, _ in _counters() if is_there_from_the_start(selector)}
    return counters | dict(_gauges()) | {of(c.ACTIVE_REQUESTS): flat()}


def begun(world: World) -> World:
    """The same world, of a service whose first scrape finds the fault done: its series are born with it."""
    return {selector: gone(values, 0, START) for selector, values in world.items()}


def is_there_from_the_start(selector: str) -> bool:
    """Whether the series is reported before anything happens to it; others are born with their first event."""
    name = selector.partition("{")[0]
    instrument = _BY_NAME.get(name)
    if instrument is None:
        return not (name.endswith("_bucket") or name.startswith(("otelcol_receiver", "otelcol_exporter")))
    return all(label.bounded is None for label in instrument.labels)
