"""What the environment may change of an engine, and what the engine that is off still does."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from telemetry import conventions as c
from telemetry import environment
from telemetry.config import TelemetryConfig
from telemetry.facade import LogEntry, RebuiltSpan, SpanContext, Telemetry
from telemetry.off import OffTelemetry

CALLER = SpanContext("a" * 32, "b" * 16)


def test_no_sampler_of_the_environment_drops_an_order(
    config: TelemetryConfig, engine_class: Callable[..., Telemetry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    engine = engine_class(config, {})

    with engine.span("x") as span:
        pass

    assert b'"x"' in engine.trace(span.context.trace_id)
    engine.close(5)


def test_the_resource_takes_the_environments_words(
    config: TelemetryConfig, engine_class: Callable[..., Telemetry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=blue,deployment.environment.name=lab")
    engine = engine_class(config, {})

    text = engine.metrics("")[0].decode()

    assert 'service_name="mine"' in text
    assert 'team="blue"' in text
    assert 'deployment_environment_name="lab"' in text
    engine.close(5)


def test_a_wrong_endpoint_is_refused_without_showing_it(
    config: TelemetryConfig, engine_class: Callable[..., Telemetry]
) -> None:
    with pytest.raises(ValueError, match="expected http://host:4318") as refused:
        engine_class(config, {"OTEL_EXPORTER_OTLP_ENDPOINT": "user:hunter2@collector"})

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("text", "number"), [("250", 250), ("1e3", 1000), ("0", 7), ("-1", 7), ("x", 7), ("inf", 7)])
def test_numbers_of_the_environment_are_checked(text: str, number: int) -> None:
    assert environment.number("N", 7, {"N": text}) == number
    assert environment.number("N", 7, {}) == 7


def test_the_engine_that_is_off_still_makes_ids(config: TelemetryConfig) -> None:
    engine = OffTelemetry(config)

    with engine.request("x", {}, traceparent=None, trust=False) as request:
        request.keep()
        with engine.span("child") as span:
            span.fail("x")
            assert engine.current() == span.context

    assert span.context.trace_id == request.context.trace_id
    assert span.context.span_id != request.context.span_id
    assert engine.current() is None


def test_the_engine_that_is_off_takes_everything_and_shows_why_there_is_nothing(config: TelemetryConfig) -> None:
    engine = OffTelemetry(config)
    engine.add(c.DENIALS, source="tv", reason="stale")
    engine.record(c.ACK_DURATION, 1, source="tv")
    engine.set(c.ORDERS_OPEN, 1, exchange="paper")
    engine.log(LogEntry(1, 20, "INFO", "x", {}))

    body, content_type = engine.metrics("application/openmetrics-text")

    assert body.startswith(b"# ")
    assert content_type.startswith("text/plain")
    engine.close(0)


def test_the_engine_that_is_off_shows_what_the_journal_knows(config: TelemetryConfig) -> None:
    rebuilt = [RebuiltSpan("earlier", CALLER, None, 1, 2, {})]

    document = json.loads(OffTelemetry(config).trace(CALLER.trace_id, rebuilt))

    assert document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "earlier"


def test_the_engine_that_is_off_belongs_to_a_trusted_trace(config: TelemetryConfig) -> None:
    header = f"00-{CALLER.trace_id}-{CALLER.span_id}-01"

    with OffTelemetry(config).request("x", {}, traceparent=header, trust=True) as request:
        assert request.context.trace_id == CALLER.trace_id
