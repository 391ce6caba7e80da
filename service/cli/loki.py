"""Asks Loki for an order's log lines.

Source: https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time. In its answer
structured metadata stands among a stream's labels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx
import msgspec

from service.cli.log_lines import LogLine, Wanted
from service.errors import FillpathError

MOST_LINES = 5_000
"""What Loki gives at once, unless it is configured otherwise (`max_entries_limit_per_query`)."""

_TIMEOUT_S = 30.0
_NS = 1_000_000_000
_BEFORE_NS = 60 * _NS
_KEPT_NS = 30 * 24 * 3600 * _NS
"""How far back it is asked for an order whose age is not known; Loki refuses to look much further at once."""

_FIELDS = frozenset({"logger", "trace_id", "span_id", "severity_text"})
_NOT_OF_THE_LINE = ("service_", "scope_", "telemetry_sdk_", "deployment_environment")
_LOKIS_OWN = frozenset({"severity_number", "observed_timestamp", "detected_level", "flags", "dropped_attributes_count"})


class Answer(NamedTuple):
    """`cut`: there may be more than Loki gave."""

    lines: list[LogLine]
    cut: bool


def ask(url: str, wanted: Wanted, *, now_ns: int | None = None) -> Answer:
    """The order's lines; raises FillpathError where Loki does not answer, or not as Loki does."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    since_ns = now_ns - _KEPT_NS if wanted.since_ns is None else wanted.since_ns - _BEFORE_NS
    query: Mapping[str, str | int] = {
        "query": wanted.log_ql,
        "start": max(since_ns, now_ns - _KEPT_NS),
        "end": now_ns + _BEFORE_NS,
        "limit": MOST_LINES,
        "direction": "forward",
    }
    streams = _streams(_get(url, query))
    lines = [line for stream in streams for line in _lines(stream)]
    return Answer([line for line in lines if wanted.includes(line)], cut=len(lines) >= MOST_LINES)


def _get(url: str, query: Mapping[str, str | int]) -> httpx.Response:
    shown = _without_user(url)
    try:
        with httpx.Client(trust_env=False, timeout=_TIMEOUT_S) as client:
            response = client.get(f"{url.rstrip('/')}/loki/api/v1/query_range", params=query)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise FillpathError(f"{shown} is not an address; expected one like http://127.0.0.1:3100") from None
    except httpx.TransportError as error:
        cause = str(error) or type(error).__name__
        raise FillpathError(
            f"Loki does not answer at {shown} ({cause}); start it, or name another in telemetry.loki_url, "
            "FILLPATH_LOKI_URL or --loki"
        ) from None
    if response.status_code != httpx.codes.OK:
        said = " ".join(response.text[:300].split())
        raise FillpathError(f"Loki at {shown} refused the question ({response.status_code}): {said}")
    return response


def _streams(response: httpx.Response) -> list[Mapping[str, Any]]:
    try:
        document = msgspec.json.decode(response.content, type=dict[str, Any])
        return list(document["data"]["result"])
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError):
        raise FillpathError(
            f"{_without_user(str(response.url.copy_with(query=None)))} answered with something that Loki never sends; "
            "see whether another program listens there"
        ) from None


def _lines(stream: Mapping[str, Any]) -> Iterator[LogLine]:
    labels: Mapping[str, str] = stream["stream"]
    attributes = {key: value for key, value in labels.items() if _is_of_the_line(key)}
    for entry in stream["values"]:
        yield LogLine(
            time_ns=int(entry[0]),
            level=labels.get("severity_text", "").lower(),
            logger=labels.get("logger", ""),
            message=entry[1],
            trace_id=labels.get("trace_id", ""),
            span_id=labels.get("span_id", ""),
            attributes=attributes,
        )


def _is_of_the_line(label: str) -> bool:
    return label not in _FIELDS | _LOKIS_OWN and not label.startswith(_NOT_OF_THE_LINE)


def _without_user(url: str) -> str:
    """Without `user:password@`, which an address may carry."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
