"""Asks Prometheus: series as they are now, and exemplars."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx


class Exemplar(NamedTuple):
    """One exemplar and the labels of the series it belongs to; `ts` Unix seconds."""

    series: Mapping[str, str]
    trace_id: str
    span_id: str
    value: float
    ts: float


class Prometheus:
    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def series(self, query: str) -> dict[frozenset[tuple[str, str]], float]:
        """The answer to an instant query: labels (the name among them) and value."""
        result = self._get("/api/v1/query", query=query)["result"]
        return {frozenset(one["metric"].items()): float(one["value"][1]) for one in result}

    def value(self, query: str) -> float | None:
        """The only value of an instant query; None where there is none."""
        values = list(self.series(query).values())
        assert len(values) < 2, f"{query} has {len(values)} values"
        return values[0] if values else None

    def exemplars(self, query: str, *, back_s: float = 3600.0) -> list[Exemplar]:
        """All of the last `back_s` seconds."""
        now = time.time()
        result = self._get("/api/v1/query_exemplars", query=query, start=str(now - back_s), end=str(now + 60))
        return [
            Exemplar(
                one["seriesLabels"],
                each["labels"]["trace_id"],
                each["labels"]["span_id"],
                float(each["value"]),
                float(each["timestamp"]),
            )
            for one in result
            for each in one["exemplars"]
        ]

    def rules(self) -> set[str]:
        """The names of the alert rules that are loaded."""
        groups = self._get("/api/v1/rules", type="alert")["groups"]
        return {rule["name"] for group in groups for rule in group["rules"]}

    def _get(self, path: str, **query: str) -> Any:
        response = self._http.get(path, params=query)
        document = response.json()
        assert document["status"] == "success", document
        return document["data"]
