"""Log records as OTLP.

Field numbers: opentelemetry/proto/logs/v1/logs.proto. The decoded message equals what
`opentelemetry-exporter-otlp-proto-common` makes of the SDK's record.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING

from telemetry.common import LOG_ATTRIBUTE_LENGTH, LOG_ATTRIBUTES, severity
from telemetry.lean.limits import Bound, bounded
from telemetry.lean.pairs import clean_pairs
from telemetry.lean.wire import any_value, delimited, field_bytes, field_text, field_varint

if TYPE_CHECKING:
    from telemetry.facade import LogEntry

# 1 and 11: when it happened and when it was seen, both the same here.
_TIMES = Struct("<BQBQ").pack
_TIME, _OBSERVED = 0x09, 0x59
# 8: flags, 9 and 10: trace id and span id, with their tags and lengths.
_WHERE = Struct("<BI2s16s2s8s").pack
_FLAGS_TAG = 0x45
_ATTRIBUTE = b"\x32"

_BOUND = Bound(LOG_ATTRIBUTES, LOG_ATTRIBUTE_LENGTH)


def encode_log(entry: LogEntry, where: tuple[int, int, int] | None) -> bytes:
    """A LogRecord message with its length before it and no tag.

    `where` is the current span's trace id, span id and flags, None outside any.
    """
    time_ns, severity_number, severity_text, message, given = entry
    attributes, dropped = bounded(given, _BOUND)
    head = _TIMES(_TIME, time_ns, _OBSERVED, time_ns) + _said(severity_number, severity_text, message)
    if dropped:
        head += field_varint(7, dropped)
    if where is not None:
        trace_id, span_id, flags = where
        head += _WHERE(
            _FLAGS_TAG, flags, b"\x4a\x10", trace_id.to_bytes(16, "big"), b"\x52\x08", span_id.to_bytes(8, "big")
        )
    return delimited(_ATTRIBUTE.join(clean_pairs.encode(attributes, head)))


@lru_cache(maxsize=256)
def _said(level: int, text: str, message: str) -> bytes:
    """Severity and body; what the service says of an order are a few sentences."""
    return field_varint(2, severity(level).value) + field_text(3, text) + field_bytes(5, any_value(message))
