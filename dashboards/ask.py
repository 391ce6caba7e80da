"""Asks Prometheus what a panel asks it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx
import msgspec

from dashboards.queries import Kind, Query, Times

_TIMEOUT_S = 30.0


class AskError(Exception):
    """Prometheus refuses the query; says why."""


class NoAnswerError(Exception):
    """Nothing answers there as Prometheus does."""


class Series(NamedTuple):
    """Labels, and pairs of Unix time and value; an instant answer has one pair."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]

    @property
    def last(self) -> float:
        """The last value that is a number; NaN where there is none."""
        return next((value for _, value in reversed(self.points) if not math.isnan(value)), math.nan)


class Prometheus:
    """One server; use it as a context manager."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(trust_env=False, timeout=_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def ask(self, query: Query, times: Times, now: float) -> list[Series]:
        """The answer of a panel's query over the time that ends at `now` (Unix seconds)."""
        match query.kind:
            case Kind.RANGE:
                end = now - now % times.step
                return self.range(query.text, end - times.shown, end, times.step)
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
        try:
            response = self._http.post(self.url + path, data=dict(fields))
            answer = msgspec.json.decode(response.content, type=dict[str, Any])
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswerError(
                f"Prometheus does not answer at {self.url} ({error}); start it, or name another"
            ) from None
        except msgspec.DecodeError:
            raise NoAnswerError(f"{self.url} answers, but not as Prometheus does; name another address") from None
        if answer.get("status") != "success":
            raise AskError(f"Prometheus refuses {fields.get('query', fields)}: {answer.get('error')}")
        return answer["data"]
