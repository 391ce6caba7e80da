"""The in-process `/metrics` and the collector's Prometheus exporter show the same."""

from __future__ import annotations

import pytest

from telemetry import conventions as c
from tests.acceptance.stack.exposition import OPEN_METRICS, TEXT, Exposition, Key, read
from tests.acceptance.stack.fillpath import Fillpath
from tests.acceptance.stack.lab import Lab
from tests.acceptance.stack.traffic import vary
from tests.acceptance.stack.waiting import eventually

_OF_THE_MOMENT = {c.JOURNAL_FREE.prometheus_name, c.TELEMETRY_QUEUE_ITEMS.prometheus_name}
"""Go up and down by themselves: equal only where both are read at the same instant. Their labels are compared."""


@pytest.fixture(scope="module", autouse=True)
def _traffic(service: Fillpath) -> None:
    vary(service)


@pytest.mark.parametrize("accept", [TEXT, OPEN_METRICS], ids=["text", "openmetrics"])
def test_names_labels_buckets_and_values_are_the_same_both_ways(lab: Lab, service: Fillpath, accept: str) -> None:
    def differences() -> list[str] | None:
        """None where they agree. What goes on growing was collected between two looks at the service itself."""
        before = read(service.metrics_url, accept)
        collected = eventually(lambda: _newer(lab.collected(service, accept), before), within=30)
        after = read(service.metrics_url, accept)
        found = [*_only(before, collected), *_apart(before, collected, after)]
        return found or None

    # A series born, or a value that fell, between two looks is no difference: then they are looked at once more.
    last: list[str] | None = []
    for _ in range(4):
        last = differences()
        if last is None:
            return
    raise AssertionError("\n".join(last or ()))


def _newer(shown: Exposition, than: Exposition) -> Exposition | None:
    return shown if shown.heartbeat > than.heartbeat else None


def _only(mine: Exposition, collected: Exposition) -> list[str]:
    return [f"only in one of them: {key}" for key in mine.values.keys() ^ collected.values.keys()]


def _apart(before: Exposition, collected: Exposition, after: Exposition) -> list[str]:
    keys: set[Key] = before.values.keys() & collected.values.keys() & after.values.keys()
    return [
        f"{key}: {before.values[key]} and {after.values[key]} in the service, {collected.values[key]} collected"
        for key in keys
        if key[0] not in _OF_THE_MOMENT and not _between(before.values[key], collected.values[key], after.values[key])
    ]


def _between(low: float, value: float, high: float) -> bool:
    low, high = min(low, high), max(low, high)
    # The way through OTLP and Prometheus' text is exact but for the last digits of a sum.
    slack = 1e-9 * max(1.0, abs(value))
    return low - slack <= value <= high + slack
