"""Log records as OTLP.

Field numbers: opentelemetry/proto/logs/v1/logs.proto. The decoded message equals what
`opentelemetry-exporter-otlp-proto-common` makes of the SDK's record.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from telemetry.common import LOG_ATTRIBUTE_LENGTH, LOG_ATTRIBUTES, severity
from telemetry.lean.limits import Bound, bounded
from telemetry.lean.pairs import clean_pairs
from telemetry.lean.wire import any_value, delimited, field_bytes, field_text, field_varint

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from telemetry.facade import LogEntry

# 1 and 11: when it happened and when it was seen, both the same here.
_TIMES = Struct("<BQBQ").pack
_TIME, _OBSERVED = 0x09, 0x59
_FLAGS = Struct("<BI").pack
_FLAGS_TAG = 0x45
_ATTRIBUTE = b"\x32"

_BOUND = Bound(LOG_ATTRIBUTES, LOG_ATTRIBUTE_LENGTH)


def encode_log(entry: LogEntry, context: SpanContext | None) -> bytes:
    """A LogRecord message with its length before it and no tag; `context` is the current span's, None outside any."""
    attributes, dropped = bounded(entry.attributes, _BOUND)
    head = (
        _TIMES(_TIME, entry.time_ns, _OBSERVED, entry.time_ns)
        + field_varint(2, severity(entry.severity).value)
        + field_text(3, entry.severity_text)
        + field_bytes(5, any_value(entry.message))
        + field_varint(7, dropped)
    )
    if context is not None:
        head += _FLAGS(_FLAGS_TAG, context.trace_flags)
        head += field_bytes(9, context.trace_id.to_bytes(16, "big")) + field_bytes(
            10, context.span_id.to_bytes(8, "big")
        )
    return delimited(_ATTRIBUTE.join(clean_pairs.encode(attributes, head)))
