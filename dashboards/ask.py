"""Asks the servers behind the dashboards what a panel asks them: Prometheus, Jaeger, Loki."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, NamedTuple, Self

import httpx
import msgspec

from dashboards.queries import Kind, Query, Times

_TIMEOUT_S = 30.0
_REFUSED, _NOT_FOUND = 400, 404
_MOST = 20
"""Traces of a search, as Grafana asks for; lines of a log query."""


class AskError(Exception):
    """The server refuses the query; says why."""


class NoAnswerError(Exception):
    """Nothing answers there as the server should."""


class Series(NamedTuple):
    """Labels, and pairs of Unix time and value; an instant answer has one pair."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def last(self) -> float:
        """The last value that is a number; NaN where there is none."""
        return next((value for _, value in reversed(self.points) if not math.isnan(value)), math.nan)


class Span(NamedTuple):
    """One span of a trace; values of attributes are text."""

    name: str
    attributes: Mapping[str, str]


class Trace(NamedTuple):
    trace_id: str
    spans: Sequence[Span]


class _Server:
    """One server; use it as a context manager."""

    name: ClassVar[str]

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(trust_env=False, timeout=_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def _answer(self, method: str, path: str, fields: Mapping[str, str | float]) -> tuple[int, dict[str, Any]]:
        """The status and the JSON object that comes with it."""
        sent: dict[str, Any] = {"data": dict(fields)} if method == "POST" else {"params": dict(fields)}
        try:
            response = self._http.request(method, self.url + path, **sent)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswerError(
                f"{self.name} does not answer at {self.url} ({error}); start it, or name another"
            ) from None
        try:
            return response.status_code, msgspec.json.decode(response.content, type=dict[str, Any])
        except msgspec.DecodeError:
            if response.status_code == _REFUSED:  # Loki says why in plain text
                raise AskError(f"{self.name} refuses {dict(fields)}: {response.text[:300]}") from None
            raise NoAnswerError(f"{self.url} answers, but not as {self.name} does; name another address") from None


class Prometheus(_Server):
    name = "Prometheus"

    def ask(self, query: Query, times: Times, now: float) -> list[Series]:
        """The answer of a panel's query over the time that ends at `now` (Unix seconds)."""
        match query.kind:
            case Kind.RANGE:
                return self.range(query.text, *times.ends(now), times.step)
            case Kind.INSTANT:
                return self.instant(query.text, now)
            case Kind.LABEL_VALUES:
                start = now - times.shown
                values = self.label_values(query.text, query.label, start, now)
                return [Series({query.label: value}, [(now, 1.0)]) for value in values]
            case other:
                raise ValueError(f"{query.place}: {other} is no query of Prometheus")

    def range(self, text: str, start: float, end: float, step: float) -> list[Series]:
        data = self._post("/api/v1/query_range", {"query": text, "start": start, "end": end, "step": step})
        return [Series(one["metric"], [(at, float(value)) for at, value in one["values"]]) for one in data["result"]]

    def instant(self, text: str, now: float) -> list[Series]:
        data = self._post("/api/v1/query", {"query": text, "time": now})
        return [Series(one["metric"], [(one["value"][0], float(one["value"][1]))]) for one in data["result"]]

    def label_values(self, metric: str, label: str, start: float, end: float) -> list[str]:
        series = self._post("/api/v1/series", {"match[]": metric, "start": start, "end": end})
        return sorted({one[label] for one in series if label in one})

    def _post(self, path: str, fields: Mapping[str, str | float]) -> Any:
        _, answer = self._answer("POST", path, fields)
        if answer.get("status") != "success":
            raise AskError(f"Prometheus refuses {fields.get('query', fields)}: {answer.get('error')}")
        return answer["data"]


class Jaeger(_Server):
    """Asked as Grafana's data source does."""

    name = "Jaeger"

    def search(self, search: Mapping[str, str], start: float, end: float) -> list[Trace]:
        """Traces that began in that time; `search` is that of a Query."""
        times = {"start": f"{start * 1e6:.0f}", "end": f"{end * 1e6:.0f}", "lookback": "custom"}
        found = self._get("/api/traces", {**search, **times, "limit": str(_MOST)})
        return [_trace(one) for one in found or ()]

    def trace(self, trace_id: str) -> Trace | None:
        found = self._get(f"/api/traces/{trace_id}", {})
        return _trace(found[0]) if found else None

    def _get(self, path: str, fields: Mapping[str, str | float]) -> Any:
        status, answer = self._answer("GET", path, {key: value for key, value in fields.items() if value != ""})
        if status == _NOT_FOUND:
            return None
        if answer.get("errors") or "data" not in answer:
            raise AskError(f"Jaeger refuses {path} {dict(fields)}: {answer.get('errors') or status}")
        return answer["data"]


class Loki(_Server):
    name = "Loki"

    def lines(self, text: str, start: float, end: float) -> list[str]:
        """Log lines of that time."""
        fields = {"query": text, "start": f"{start * 1e9:.0f}", "end": f"{end * 1e9:.0f}", "limit": str(_MOST)}
        status, answer = self._answer("GET", "/loki/api/v1/query_range", fields)
        if answer.get("status") != "success":
            raise AskError(f"Loki refuses {text}: {answer.get('message') or status}")
        return [line for stream in answer["data"]["result"] for _, line in stream["values"]]


def _trace(found: Mapping[str, Any]) -> Trace:
    spans = [
        Span(span["operationName"], {tag["key"]: str(tag["value"]) for tag in span["tags"]}) for span in found["spans"]
    ]
    return Trace(str(found["traceID"]), spans)
