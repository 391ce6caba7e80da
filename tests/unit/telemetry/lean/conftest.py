"""A pair of tracing engines whose clocks stand still."""

from __future__ import annotations

import pytest

from tests.unit.telemetry.lean.span_pair import NOW, Pair


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("opentelemetry.sdk.trace", "telemetry.lean.span", "telemetry.lean.tracer"):
        monkeypatch.setattr(f"{module}.time_ns", lambda: NOW)


@pytest.fixture
def pair(still_clock: None) -> Pair:
    return Pair()
