"""The collector's log file: OTLP/JSON, one export a line, with the files that its rotation put aside.

Sources: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding and the collector's `file` exporter, which
renames NAME.EXT to NAME-TIME-REASON.EXT beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from service.cli.log_lines import LogLine, Wanted, attribute_name
from service.errors import FillpathError

_LOGGER = "logger"


class Read(NamedTuple):
    """`damaged`: how many lines that may have been wanted could not be understood."""

    lines: list[LogLine]
    damaged: int


def read(path: Path, wanted: Wanted) -> Read:
    """What `path` and its rotated files hold of the order; raises FillpathError where they cannot be read."""
    # Escaped as in the file; only lines that hold one of them are decoded.
    words = [json.dumps(word, ensure_ascii=False)[1:-1].encode() for word in wanted.words]
    found: list[LogLine] = []
    damaged = 0
    with ExitStack() as stack:
        for file in _open_all(path, stack):
            for text in file:
                if not any(word in text for word in words):
                    continue
                try:
                    found += filter(wanted.includes, _lines(text))
                # A line that was cut by a crash, or is being written right now.
                except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, ValueError, AttributeError):
                    damaged += 1
    return Read(found, damaged)


def _open_all(path: Path, stack: ExitStack) -> list[BinaryIO]:
    """The current file first: if it is put aside meanwhile, it is still open here, and not read twice."""
    files: dict[tuple[int, int], BinaryIO] = {}
    try:
        for one in (path, *sorted(path.parent.glob(f"{escape(path.stem)}-*{escape(path.suffix)}"))):
            try:
                file = stack.enter_context(one.open("rb"))
            except FileNotFoundError:
                continue  # put aside or deleted since it was listed
            status = os.fstat(file.fileno())
            files.setdefault((status.st_dev, status.st_ino), file)
    except OSError as error:
        raise FillpathError(
            f"the log file {path} cannot be read ({error.strerror}); give yourself the right to, or name another"
        ) from None
    if not files:
        raise FillpathError(
            f"there is no log file {path}; start the collector that writes it, or name the right one in "
            "telemetry.log_file, FILLPATH_LOG_FILE or --file"
        )
    return list(files.values())


def _lines(text: bytes) -> Iterator[LogLine]:
    document = msgspec.json.decode(text, type=dict[str, Any])
    for resource in document.get("resourceLogs", ()):
        for scope in resource.get("scopeLogs", ()):
            yield from map(_line, scope.get("logRecords", ()))


def _line(record: Mapping[str, Any]) -> LogLine:
    attributes = {attribute_name(item["key"]): _text(item.get("value", {})) for item in record.get("attributes", ())}
    return LogLine(
        time_ns=int(record.get("timeUnixNano") or record.get("observedTimeUnixNano") or 0),
        level=record.get("severityText", "").lower(),
        logger=attributes.pop(_LOGGER, ""),
        message=_text(record.get("body", {})),
        trace_id=record.get("traceId", ""),
        span_id=record.get("spanId", ""),
        attributes=attributes,
    )


def _text(value: Mapping[str, Any]) -> str:
    plain = next(iter(value.values()), "")
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()
