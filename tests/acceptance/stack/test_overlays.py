"""The collector's overlays: each accepted by the collector, several together all delivering, nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scripts.lib.stack.programs import Missing, find
from scripts.lib.stack.versions import OTELCOL
from tests.support.collectors import Backend, Collector, requests
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / "otel-collector/base.yaml"
OVERLAYS = {path.stem: path for path in sorted((ROOT / "otel-collector/overlays").glob("*.yaml"))}
ADDRESSES = {
    "otlp": ("FILLPATH_BACKEND_ENDPOINT",),
    "tempo-mimir": ("FILLPATH_TEMPO_OTLP", "FILLPATH_MIMIR_OTLP"),
    "datadog": ("FILLPATH_DATADOG_OTLP",),
}
"""What an overlay cannot do without."""
DELIVERED_WITHIN_S = 60.0


@pytest.fixture(scope="session")
def otelcol() -> Path:
    found = find(OTELCOL, os.environ)
    assert not isinstance(found, Missing), f"otelcol: {found.reason}; ./scripts/stack up builds it"
    return found.path


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    backend = Backend()
    async with backend.serving():
        yield backend


def configs(*overlays: str) -> list[str]:
    return [f"--config={path}" for path in (BASE, *(OVERLAYS[name] for name in overlays))]


def validated(otelcol: Path, overlay: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [otelcol, "validate", *configs(overlay)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_collector_accepts_the_overlay(otelcol: Path, name: str) -> None:
    addresses = dict.fromkeys(ADDRESSES.get(name, ()), "http://127.0.0.1:9")
    done = validated(otelcol, name, **addresses)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ADDRESSES)
def test_without_the_backends_address_the_collector_does_not_start_and_says_whose(otelcol: Path, name: str) -> None:
    done = validated(otelcol, name)
    assert done.returncode != 0
    assert "endpoint must be specified" in done.stderr
    assert "exporters::otlp_http/" in done.stderr


async def test_overlays_loaded_together_all_deliver_with_their_headers_and_redacted(
    otelcol: Path, backend: Backend, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    collector = Collector(
        otelcol,
        tmp_path / "collector",
        configs("archive", "datadog", "honeycomb", "loki", "newrelic", "otlp", "tempo-mimir"),
        FILLPATH_ARCHIVE=str(archive),
        FILLPATH_DATADOG_OTLP=backend.url("datadog"),
        FILLPATH_HONEYCOMB_ENDPOINT=backend.url("honeycomb"),
        FILLPATH_HONEYCOMB_API_KEY="a-honeycomb-key",
        FILLPATH_LOKI_OTLP=backend.url("loki"),
        FILLPATH_NEWRELIC_ENDPOINT=backend.url("newrelic"),
        FILLPATH_NEWRELIC_LICENSE_KEY="a-newrelic-key",
        FILLPATH_BACKEND_ENDPOINT=backend.url("backend"),
        FILLPATH_BACKEND_HEADERS=json.dumps({"authorization": "Bearer abc", "x-tenant": "12"}),
        FILLPATH_TEMPO_OTLP=backend.url("tempo"),
        FILLPATH_MIMIR_OTLP=backend.url("mimir"),
        FILLPATH_JAEGER_OTLP=backend.url("jaeger"),
    )
    three = ("traces", "metrics", "logs")
    expected = {(name, signal) for name in ("backend", "datadog", "honeycomb", "newrelic") for signal in three}
    expected |= {("tempo", "traces"), ("mimir", "metrics"), ("loki", "logs"), ("jaeger", "traces")}
    async with collector.running():
        for signal, request in requests("mark-together", api_secret="must-not-leave").items():
            await collector.send(signal, request)

        async def delivered() -> bool:
            files = {path.stem for path in archive.glob("*.jsonl") if "mark-together" in path.read_text("utf-8")}
            return set(backend.received) == expected and files == set(three)

        await until(delivered, within=DELIVERED_WITHIN_S)
    assert all("mark-together" in backend.text(*where) for where in expected)
    written = [path.read_text("utf-8") for path in archive.iterdir()]
    assert not any("must-not-leave" in text for text in (*written, *(backend.text(*where) for where in expected)))

    def header(name: str, signal: str, key: str) -> str | None:
        return backend.received[name, signal][0].headers.get(key)

    for signal in three:
        assert header("backend", signal, "authorization") == "Bearer abc"
        assert header("backend", signal, "x-tenant") == "12"
        assert header("honeycomb", signal, "x-honeycomb-team") == "a-honeycomb-key"
        assert header("newrelic", signal, "api-key") == "a-newrelic-key"
    assert header("honeycomb", "metrics", "x-honeycomb-dataset") == "fillpath-metrics"
    assert header("honeycomb", "traces", "x-honeycomb-dataset") is None
    assert header("tempo", "traces", "x-scope-orgid") == header("mimir", "metrics", "x-scope-orgid") == "anonymous"
    assert "a-honeycomb-key" not in collector.log


SECOND = """
receivers:
  otlp:
    protocols:
      http:
        endpoint: ${env:FILLPATH_OTLP_HTTP}
        include_metadata: true
processors:
  attributes:
    actions:
      - {key: came.with, from_context: metadata.authorization, action: upsert}
exporters:
  file/traces: {path: "${env:RECEIVED}/traces.jsonl"}
  file/metrics: {path: "${env:RECEIVED}/metrics.jsonl"}
  file/logs: {path: "${env:RECEIVED}/logs.jsonl"}
extensions:
  health_check: {endpoint: "${env:FILLPATH_COLLECTOR_HEALTH}"}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], processors: [attributes], exporters: [file/traces]}
    metrics: {receivers: [otlp], processors: [attributes], exporters: [file/metrics]}
    logs: {receivers: [otlp], processors: [attributes], exporters: [file/logs]}
"""
"""Writes what comes in to files, each item with the header it came with."""


async def test_the_generic_overlay_delivers_to_a_second_collector_with_its_headers(
    otelcol: Path, tmp_path: Path
) -> None:
    received = tmp_path / "received"
    received.mkdir()
    config = tmp_path / "second.yaml"
    config.write_text(SECOND, "utf-8")
    second = Collector(otelcol, tmp_path / "second", [f"--config={config}"], RECEIVED=str(received))
    first = Collector(
        otelcol,
        tmp_path / "first",
        configs("otlp"),
        FILLPATH_BACKEND_ENDPOINT=second.endpoint,
        FILLPATH_BACKEND_HEADERS='{"authorization": "Basic ZmlsbHBhdGg6c2VjcmV0"}',
    )
    async with second.running(), first.running():
        for signal, request in requests("mark-second").items():
            await first.send(signal, request)

        async def complete() -> bool:
            texts = [path.read_text("utf-8") for path in received.glob("*.jsonl")]
            whole = [text for text in texts if "mark-second" in text and "Basic ZmlsbHBhdGg6c2VjcmV0" in text]
            return len(whole) == len(("traces", "metrics", "logs"))

        await until(complete, within=DELIVERED_WITHIN_S)


async def test_what_was_acknowledged_while_the_backend_was_away_arrives_after_a_kill_of_the_collector(
    otelcol: Path, backend: Backend, tmp_path: Path
) -> None:
    collector = Collector(
        otelcol, tmp_path / "collector", configs("otlp"), FILLPATH_BACKEND_ENDPOINT=backend.url("backend")
    )
    marks = [f"mark-away-{number:02}." for number in range(20)]
    backend.away = True
    async with collector.running() as process:
        for mark in marks:
            for signal, request in requests(mark).items():
                await collector.send(signal, request)
        process.kill()
        await process.wait()
    assert not backend.received
    backend.away = False
    async with collector.running():

        async def arrived() -> bool:
            texts = [backend.text("backend", signal) for signal in ("traces", "metrics", "logs")]
            return all(mark in text for mark in marks for text in texts)

        await until(arrived, within=DELIVERED_WITHIN_S)


async def test_tail_sampling_keeps_what_will_be_asked_about_and_the_share_of_the_rest(
    otelcol: Path, backend: Backend, tmp_path: Path
) -> None:
    collector = Collector(
        otelcol,
        tmp_path / "collector",
        [*configs("tail-sampling"), "--set=processors.tail_sampling.decision_wait=1s"],
        FILLPATH_SAMPLING_PERCENT="0",
        FILLPATH_JAEGER_OTLP=backend.url("jaeger"),
    )
    kept = {
        "rejected": {"order__status": "REJECTED"},
        "doubtful": {"exchange__outcome": "in_doubt"},
        "refused": {"denial__reason": "signature"},
    }
    async with collector.running():
        # First, so that they are decided before the others.
        for number in range(20):
            await collector.send("traces", requests(f"ordinary-{number}", order__status="FILLED")["traces"])
        for mark, attributes in kept.items():
            await collector.send("traces", requests(mark, **attributes)["traces"])

        async def decided() -> bool:
            return all(mark in backend.text("jaeger", "traces") for mark in kept)

        await until(decided, within=DELIVERED_WITHIN_S)
    # Its end decides what was left.
    assert "ordinary" not in backend.text("jaeger", "traces")
