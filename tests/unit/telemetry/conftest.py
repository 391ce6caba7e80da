"""A telemetry engine of its own for each test, and plain views of what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from telemetry.facade import Telemetry
from telemetry.lean import LeanTelemetry
from telemetry.sdk import SdkTelemetry
from telemetry.setup import TelemetryConfig
from tests.support.receivers import Receiver

EngineClass = type[SdkTelemetry] | type[LeanTelemetry]
OPEN_METRICS = "application/openmetrics-text"


@pytest.fixture
def config() -> TelemetryConfig:
    return TelemetryConfig(
        service_version="1.2.3",
        instance_id="one",
        environment="test",
        sources=("tv", "signed"),
        exchanges=("paper",),
        accounts=("main",),
        symbols=("BTC/USDT",),
        sender_addresses=("52.89.214.238",),
    )


class Ticks:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Ticks:
    return Ticks()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


@pytest.fixture(params=[SdkTelemetry, LeanTelemetry])
def engine_class(request: pytest.FixtureRequest) -> EngineClass:
    """Each engine in turn: what is true of one is true of the other."""
    return request.param


@pytest.fixture
def telemetry(config: TelemetryConfig, clock: Ticks, engine_class: EngineClass) -> Iterator[Telemetry]:
    engine = engine_class(config, {}, clock)
    yield engine
    engine.close(5)


@pytest.fixture
def value(telemetry: Telemetry) -> Callable[..., float | None]:
    """The value of one series in the exposition; None when there is none."""

    def read(name: str, **labels: str) -> float | None:
        text = telemetry.metrics(OPEN_METRICS)[0].decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return None

    return read


@pytest.fixture
def spans(telemetry: Telemetry) -> Callable[[str], dict[str, Any]]:
    """The spans of a trace by name."""

    def read(trace_id: str) -> dict[str, Any]:
        document = json.loads(telemetry.trace(trace_id))
        return {span["name"]: span for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]}

    return read
