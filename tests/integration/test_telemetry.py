"""What a running service tells about itself: the contract's metrics and spans, and never a secret."""

from __future__ import annotations

import asyncio
import io
import logging
from pathlib import Path

import pytest

from telemetry import conventions as c
from telemetry.logs import configure_logging
from tests.support.service import HMAC, OPERATOR, SECRET, TOKEN, Client, running
from tests.support.waiting import until

BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}
PAPER = 'exchange="paper"'


async def test_every_series_of_mixed_traffic_is_in_the_contract(client: Client) -> None:
    await client.send(BUY, wait=5)
    await client.send(BUY, webhook_id="msg_twice")
    await client.send(BUY, webhook_id="msg_twice")
    await client.send(BUY | {"confidence": "0.1"})
    await client.send(BUY | {"quantity": "1000"}, wait=5)
    await client.public.post("/webhook/nobody", json=BUY)
    await client.operator.get("/orders", headers={"Authorization": "Bearer wrong"})

    declared = {instrument.prometheus_name: set(instrument.label_names) for instrument in c.INSTRUMENTS}
    metrics = await client.metrics()
    for series in metrics:
        name, _, labels = series.partition("{")
        if not name.startswith("execution_"):
            continue
        base = next(
            (name.removesuffix(s) for s in ("_bucket", "_sum", "_count") if name.removesuffix(s) in declared), name
        )
        keys = {label.partition("=")[0] for label in labels.removesuffix("}").split('",') if label} - {"le"}
        assert keys == declared[base], series
    dropped = [s for s in metrics if "telemetry_dropped" in s and "invalid" in s and metrics[s]]
    assert dropped == []


async def test_counters_of_closed_labels_report_zero_from_the_start(client: Client) -> None:
    metrics = await client.metrics()

    for reason in ("stale", "halted", "signature", "rate_limited"):
        assert metrics[f'execution_denials_total{{reason="{reason}",source="default"}}'] == 0
    assert metrics[f'execution_order_outcomes_total{{{PAPER},on_time="false",outcome="unknown"}}'] == 0
    assert metrics[f"execution_circuit_breaker_state{{{PAPER}}}"] == 0
    assert metrics['execution_kill_switch_engaged{account="*"}'] == 0


async def test_a_filled_order_is_counted_once_everywhere(client: Client) -> None:
    await client.send(BUY, wait=5)
    metrics = await client.metrics()

    assert metrics['execution_webhook_requests_total{side="buy",source="default",symbol="BTC/USDT"}'] == 1
    # On a machine that stalls an acknowledgement may come late, but it is counted once.
    acks = [
        metrics[f'execution_alert_acks_total{{on_time="{on_time}",source="default"}}'] for on_time in ("true", "false")
    ]
    assert sum(acks) == 1
    orders = f'execution_orders_total{{{PAPER},order_type="market",side="buy",status="FILLED",symbol="BTC/USDT"}}'
    assert metrics[orders] == 1
    assert metrics[f'execution_order_outcomes_total{{{PAPER},on_time="true",outcome="accepted"}}'] == 1
    assert metrics[f'execution_order_attempts_total{{{PAPER},outcome="accepted"}}'] == 1
    assert metrics[f'execution_fill_latency_seconds_count{{{PAPER},order_type="market"}}'] == 1
    assert metrics[f'execution_order_size_usd_count{{{PAPER},side="buy",symbol="BTC/USDT"}}'] == 1
    assert metrics['execution_position_size_pct_count{method="explicit"}'] == 1
    assert metrics[f"execution_fees_usd_total{{{PAPER}}}"] == pytest.approx(0.6, rel=0.05)
    assert metrics["execution_active_requests"] == 0


@pytest.mark.parametrize(
    ("change", "reason"), [({"confidence": "0.1"}, "low_confidence"), ({"timestamp": 1_000_000_000}, "stale")]
)
async def test_a_refused_alert_is_counted_once_with_its_reason(client: Client, change: dict, reason: str) -> None:
    await client.send(BUY | change)
    metrics = await client.metrics()

    assert metrics[f'execution_denials_total{{reason="{reason}",source="default"}}'] == 1
    assert metrics[f'execution_webhook_validation_failures_total{{reason="{reason}",source="default"}}'] == 1
    assert metrics['execution_alert_acks_total{on_time="true",source="default"}'] == 0
    assert sum(value for series, value in metrics.items() if series.startswith("execution_denials_total")) == 1


async def test_an_order_denied_after_the_journal_is_a_failure_and_a_denial_once(client: Client) -> None:
    answer = (await client.send(BUY | {"quantity": "1000"}, wait=5)).json()
    metrics = await client.metrics()

    assert answer["status"] == "DENIED"
    assert metrics['execution_denials_total{reason="insufficient_balance",source="default"}'] == 1
    failure = f'execution_order_failures_total{{{PAPER},reason="insufficient_balance",symbol="BTC/USDT"}}'
    assert metrics[failure] == 1
    assert metrics[f'execution_order_outcomes_total{{{PAPER},on_time="true",outcome="denied"}}'] == 1


async def test_no_secret_leaves_by_log_metric_span_answer_journal_or_repr(client: Client) -> None:
    stream = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    configure_logging(client.service.telemetry, level="DEBUG", stream=stream)
    try:
        sent = await client.send(BUY, wait=5)
        token = await client.public.post("/webhook/tradingview", json=BUY | {"token": TOKEN, "secret": "s3cr3t-value"})
        await client.public.post("/webhook/tradingview", json=BUY | {"token": TOKEN + "x"})
        await client.public.post("/webhook/hex", json=BUY, headers={"X-Signature": HMAC})
        metrics = (await client.operator.get("/metrics")).text
        spans = str(await client.spans(sent.json()["order_id"]))
    finally:
        logging.getLogger().handlers[:] = before[0]
        logging.getLogger().setLevel(before[1])
    journal = b"".join(path.read_bytes() for path in client.service.loaded.data_dir.glob("journal.sqlite*"))

    seen = stream.getvalue() + metrics + spans + sent.text + token.text + repr(vars(client.service))
    seen += repr(client.service.sources) + journal.decode("latin-1")
    assert "FILLED" in stream.getvalue()
    for secret in (SECRET, SECRET.removeprefix("whsec_"), TOKEN, HMAC, OPERATOR):
        assert secret not in seen


async def test_a_dead_collector_changes_nothing_for_an_order_and_drops_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "500")
    async with running(tmp_path, telemetry={"otlp_endpoint": "http://127.0.0.1:1"}) as client:
        for _ in range(5):
            assert (await client.send(BUY, wait=5)).json()["status"] == "FILLED"

        async def dropped() -> float:
            metrics = await client.metrics()
            return metrics['execution_telemetry_dropped_total{reason="export_failed",signal="metrics"}']

        assert await until(dropped, within=20, every=0.2)


async def test_an_incoming_traceparent_is_a_link_unless_the_source_is_trusted(tmp_path: Path) -> None:
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    # Flag 00: the caller did not sample. That must not switch an order off.
    header = {"traceparent": f"00-{trace_id}-{span_id}-00"}
    async with running(tmp_path / "linked") as client:
        answer = (await client.send(BUY, wait=5, headers=header)).json()
        root = next(s for s in await client.spans(answer["order_id"]) if s["name"].startswith("POST"))
    assert answer["trace_id"] != trace_id
    assert root["links"] == [{"traceId": trace_id, "spanId": span_id}]

    async with running(tmp_path / "trusted", sources={"default": {"trust_trace": True}}) as client:
        answer = (await client.send(BUY, wait=5, headers=header)).json()
        root = next(s for s in await client.spans(answer["order_id"]) if s["name"].startswith("POST"))
    assert answer["trace_id"] == trace_id
    assert root["parentSpanId"] == span_id


async def test_unauthenticated_refusals_are_sampled_and_the_rest_counted(client: Client) -> None:
    refused = 'execution_telemetry_dropped_total{reason="sampling",signal="traces"}'

    async def dropped() -> float:
        await asyncio.gather(*(client.public.post("/webhook/default", json=BUY) for _ in range(50)))
        return (await client.metrics())[refused]

    # Ten traces a second are kept; however slow the machine, some second gets more than ten.
    assert await until(dropped)


async def test_every_span_of_an_order_from_normalize_on_says_which_order(client: Client) -> None:
    answer = (await client.send(BUY, wait=5)).json()

    for span in await client.spans(answer["order_id"]):
        keys = {attribute["key"] for attribute in span["attributes"]}
        if span["name"].startswith(("order.", "exchange.", "journal.")) and span["name"] != c.SPAN_ORDER_VALIDATE:
            expected = {c.ATTR_ORDER_ID, c.ATTR_EXCHANGE_ID, c.ATTR_ACCOUNT_ID, c.ATTR_ORDER_SYMBOL, c.ATTR_ORDER_SIDE}
            assert expected <= keys, span["name"]
        assert span["name"] in c.SPANS
        assert keys <= c.ATTRIBUTES.keys(), keys - c.ATTRIBUTES.keys()
