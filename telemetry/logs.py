"""Structured logs: one JSON object a line on standard error, and the same records by OTLP where there is an endpoint.

Every record carries the current trace and span id. Secrets are masked by key name and known prefixes. A failing log
call is counted, never raised, and never printed with its arguments.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from threading import local
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import msgspec

from telemetry import conventions as c
from telemetry.attributes import LONGEST, error_type, plain
from telemetry.facade import LogEntry
from telemetry.redaction import MASK, is_secret, redact, redact_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.facade import Telemetry

QUIET = ("httpx", "httpcore", "uvicorn", "urllib3", "asyncio")
"""Loggers that print URLs or lines nobody asked for at INFO; they speak from WARNING on."""

_NEVER_EXPORTED = ("opentelemetry", "urllib3", "requests", "charset_normalizer")
_MESSAGE = 4096
_STACK = 8192
_BARE = logging.makeLogRecord({}).__dict__
_STANDARD = frozenset(_BARE) | {"message", "asctime", "taskName", "color_message"}
_SCALARS = (bool, int, float)

_KEPT = "_fillpath_redacted"

_formatter = logging.Formatter()
_encode = msgspec.json.Encoder(enc_hook=str).encode


class JsonFormatter(logging.Formatter):
    """Keys: ts, level, logger, message, trace_id, span_id, the service's, the caller's, error; absent ones left out."""

    def __init__(self, telemetry: Telemetry, service: Mapping[str, str]) -> None:
        super().__init__()
        self._telemetry = telemetry
        self._service = dict(service)

    def format(self, record: logging.LogRecord) -> str:
        redacted = _redacted(record)
        context = self._telemetry.current()
        ids = {} if context is None else {"trace_id": context.trace_id, "span_id": context.span_id}
        document: dict[str, object] = {
            "ts": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted.message,
            **ids,
            **self._service,
        }
        for key, value in redacted.extra.items():
            # What a caller adds never replaces what the record is.
            document.setdefault(key, value)
        if record.exc_info and record.exc_info[1] is not None:
            document["error"] = _error(record.exc_info[1], record)
        return _encode(document).decode()


def _time(seconds: float) -> str:
    """Unix time as ISO 8601 in UTC, to the millisecond."""
    whole, thousandths = divmod(int(seconds * 1000), 1000)
    return f"{_second(whole)}.{thousandths:03d}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class _Careful(logging.Handler):
    """A failure is counted; the standard library would print the record's arguments, secrets included."""

    _telemetry: Telemetry

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        del record
        self._telemetry.add(c.TELEMETRY_DROPPED, signal="logs", reason="internal_error")


class JsonHandler(_Careful, logging.StreamHandler[TextIO]):
    """Writes to a stream; a stream that fails costs the line, nothing else."""

    def __init__(self, telemetry: Telemetry, service: Mapping[str, str], stream: TextIO) -> None:
        super().__init__(stream)
        self._telemetry = telemetry
        self.setFormatter(JsonFormatter(telemetry, service))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record) + self.terminator)
            self.stream.flush()
        except Exception:  # noqa: BLE001 - a log call never raises into the caller; it is counted
            self.handleError(record)


class OtlpHandler(_Careful):
    """Hands records to telemetry; those of the exporters' own libraries stay on standard error only."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__()
        self._telemetry = telemetry
        self._inside = local()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".", 1)[0] in _NEVER_EXPORTED or getattr(self._inside, "busy", False):
            return
        self._inside.busy = True
        try:
            self._telemetry.log(_entry(record))
        except Exception:  # noqa: BLE001 - a log call never raises into the caller; it is counted
            self.handleError(record)
        finally:
            self._inside.busy = False


def configure_logging(
    telemetry: Telemetry,
    *,
    level: str | int = "INFO",
    service: Mapping[str, str] | None = None,
    stream: TextIO | None = None,
) -> None:
    """Make the root logger write JSON lines to `stream` (standard error) and to telemetry; replaces its handlers.

    `service` holds fields that every line carries, such as `service.name` and `service.version`.
    """
    root = logging.getLogger()
    root.handlers[:] = [JsonHandler(telemetry, service or {}, stream or sys.stderr)]
    if telemetry.exports_logs:
        root.handlers.append(OtlpHandler(telemetry))
    _leave_out_what_nobody_reads()
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _leave_out_what_nobody_reads() -> None:
    """File and line, thread and process: none of them is in a line of ours, and finding them takes half of a call's
    time. As the standard library's documentation says ("Optimization" in its logging how-to).
    """
    logging._srcfile = None  # noqa: SLF001 - the documented way
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class _Redacted(NamedTuple):
    """What a record says, without secrets."""

    message: str
    extra: dict[str, object]


def _redacted(record: logging.LogRecord) -> _Redacted:
    """Made once for all handlers, and kept at the record."""
    found: _Redacted | None = record.__dict__.get(_KEPT)
    if found is None:
        message = redact_text(record.getMessage()[: 4 * _MESSAGE])[:_MESSAGE]
        # What a bare record has comes first; what callers add comes after it.
        extra = {
            key: MASK if is_secret(key) else redact_text(value) if type(value) is str else redact(value)
            for key, value in islice(record.__dict__.items(), len(_BARE), None)
            if key not in _STANDARD and not key.startswith("_")
        }
        found = record.__dict__[_KEPT] = _Redacted(message, extra)
    return found


def _error(error: BaseException, record: logging.LogRecord) -> dict[str, str]:
    stack = _formatter.formatException(record.exc_info) if record.exc_info else ""
    return {
        "type": error_type(error),
        "message": redact_text(str(error))[:_MESSAGE],
        "stack": redact_text(stack)[-_STACK:],
    }


def _entry(record: logging.LogRecord) -> LogEntry:
    attributes: dict[str, Any] = {"logger": record.name}
    message, extra = _redacted(record)
    for key, value in extra.items():
        if value is None:
            continue  # OTLP has a null, stores and people read it as the word
        if isinstance(value, str):
            attributes[key] = value[:LONGEST]
        else:
            attributes[key] = plain(key, value) if isinstance(value, _SCALARS) else _json(value)
    if record.exc_info and record.exc_info[1] is not None:
        error = _error(record.exc_info[1], record)
        attributes |= {
            c.ATTR_EXCEPTION_TYPE: error["type"],
            c.ATTR_EXCEPTION_MESSAGE: error["message"],
            "exception.stacktrace": error["stack"],
        }
    return LogEntry(int(record.created * 1e9), record.levelno, record.levelname, message, attributes)


def _json(value: object) -> str:
    return _encode(value).decode()[:_MESSAGE]
