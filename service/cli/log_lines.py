"""Log lines as any store gives them, and which of them are about an order; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

_ID_KEYS = ("order_id", "client_order_id", "exchange_order_id", "reference")
"""Attributes of a log line that name an order; `order_id` is on every line that is about one."""

_S = 1_000_000_000


class LogLine(msgspec.Struct, frozen=True):
    """One record; `time_ns` Unix nanoseconds, keys of `attributes` with `_` for `.`, values text."""

    time_ns: int
    level: str
    logger: str
    message: str
    trace_id: str
    span_id: str
    attributes: dict[str, str]

    @property
    def time(self) -> str:
        """RFC 3339 in UTC, to the microsecond."""
        whole = datetime.fromtimestamp(self.time_ns // _S, UTC).replace(tzinfo=None)
        return f"{whole.isoformat()}.{self.time_ns % _S // 1_000:06}Z"


class Wanted(NamedTuple):
    """Which lines: those that name the order by one of `ids`, and those of its trace; none is older than `since_ns`.

    Without `trace_id` the order itself is not known, only what somebody calls it.
    """

    ids: frozenset[str]
    trace_id: str | None = None
    since_ns: int | None = None

    def includes(self, line: LogLine) -> bool:
        """A line that names another order is the other's, in a trace that the sender shares among them too."""
        named = line.attributes.get("order_id")
        if named is not None and self.trace_id is not None:
            return named in self.ids
        if self.trace_id is not None and line.trace_id == self.trace_id:
            return True
        return any(line.attributes.get(key) in self.ids for key in _ID_KEYS)

    @property
    def words(self) -> frozenset[str]:
        """One of these stands in the text of every line that is wanted."""
        return self.ids if self.trace_id is None else self.ids | {self.trace_id}

    @property
    def log_ql(self) -> str:
        """The query for Loki; its OTLP endpoint makes structured metadata of attributes and of the trace's id.

        Every stream is asked: `service_name` is the user's to choose.
        """
        pairs = [(key, value) for value in sorted(self.ids) for key in _ID_KEYS]
        if self.trace_id is not None:
            pairs.append(("trace_id", self.trace_id))
        return '{service_name=~".+"} | ' + " or ".join(f"{key}={_quoted(value)}" for key, value in pairs)


def in_order(lines: Iterable[LogLine]) -> list[LogLine]:
    """By time, each once: an exporter that got no answer sends the same records again."""
    once = {(line.time_ns, line.message, line.span_id, tuple(sorted(line.attributes.items()))): line for line in lines}
    return sorted(once.values(), key=lambda line: line.time_ns)


def attribute_name(key: str) -> str:
    """As Loki names it, so that both stores give the same."""
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in key)


def as_document(line: LogLine) -> Mapping[str, object]:
    """For `--json`."""
    document = msgspec.structs.asdict(line)
    del document["time_ns"]
    return {"time": line.time, **document}


def _quoted(text: str) -> str:
    # A Go string, which LogQL takes: the same escapes as JSON's, but none for what is beyond ASCII.
    return json.dumps(text, ensure_ascii=False)
