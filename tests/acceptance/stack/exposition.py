"""Raw Prometheus text and OpenMetrics, parsed so that two sources can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import httpx
from prometheus_client.openmetrics import parser as open_metrics
from prometheus_client.parser import text_string_to_metric_families

TEXT = "text/plain;version=0.0.4"
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"
_OF_THE_SCRAPE = frozenset({"job", "instance"})

Key = tuple[str, frozenset[tuple[str, str]]]
"""A sample's name and labels; `le` as Python writes the number, because text and OpenMetrics write it differently."""


class Exemplar(NamedTuple):
    trace_id: str
    span_id: str
    value: float


class Exposition(NamedTuple):
    """`execution_*` samples, without the labels that a scrape or the collector adds."""

    values: Mapping[Key, float]
    exemplars: Mapping[Key, Exemplar]

    @property
    def heartbeat(self) -> float:
        """When the service was asked, more or less: it grows with every second. 0 where it is not there yet.

        The collector takes an export up metric by metric; this one is among the last.
        """
        return self.values.get(("execution_heartbeat_timestamp_seconds", frozenset()), 0.0)


def read(url: str, accept: str, instance: str | None = None) -> Exposition:
    """What `url` shows now; with `instance` only that of one service, where the collector shows several."""
    response = httpx.get(url, headers={"Accept": accept}, timeout=30, trust_env=False)
    response.raise_for_status()
    wanted, sent = (one.partition(";")[0] for one in (accept, response.headers["content-type"]))
    assert sent == wanted, f"asked for {wanted}, got {sent}"
    parse = open_metrics.text_string_to_metric_families if wanted in OPEN_METRICS else text_string_to_metric_families
    values: dict[Key, float] = {}
    exemplars: dict[Key, Exemplar] = {}
    for family in parse(response.text):
        for sample in family.samples:
            labels = dict(sample.labels)
            mine = instance is None or labels.get("instance") == instance
            if sample.name.startswith("execution_") and mine:
                key = (sample.name, _comparable(labels.items()))
                assert key not in values, f"twice: {key}"
                values[key] = sample.value
                if sample.exemplar:
                    ids = sample.exemplar.labels
                    exemplars[key] = Exemplar(ids["trace_id"], ids["span_id"], sample.exemplar.value)
    return Exposition(values, exemplars)


def _comparable(labels: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (name, repr(float(value)) if name == "le" else value) for name, value in labels if name not in _OF_THE_SCRAPE
    )
