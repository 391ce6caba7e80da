"""Metrics as OTLP protobuf, written by hand: the same fields in the same order as the SDK's encoder writes them.

Source: opentelemetry/proto/metrics/v1/metrics.proto and collector/metrics/v1/metrics_service.proto. Field numbers and
wire types stand as tag bytes (number * 8 + type) beside the field's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from struct import Struct
from typing import TYPE_CHECKING

from telemetry import conventions as c
from telemetry.lean.wire import delimited, field_bytes, field_text, field_varint, key_value, varint

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from telemetry.labels import Key
    from telemetry.lean.histograms import Exemplars, Tally
    from telemetry.lean.temporality import Temporality

_GAUGE, _SUM, _HISTOGRAM = 5, 7, 9

# time_unix_nano fixed64 = 3, as_double = 4.
_number = Struct("<BQBd")
# The same after start_time_unix_nano fixed64 = 2.
_number_since = Struct("<BQBQBd")
# start_time_unix_nano = 2, time_unix_nano = 3, count fixed64 = 4, sum double = 5.
_distribution = Struct("<BQBQBQBd")
# min double = 11, max double = 12.
_range = Struct("<BdBd")
# time_unix_nano = 2, as_double = 3, the tag and length of span_id bytes = 4.
_exemplar = Struct("<BQBdH")
_NUMBER_ATTRIBUTES = 7
_HISTOGRAM_ATTRIBUTES = 9
_POINT = b"\x0a"


def attributes(field: int, names: Iterable[str], key: Key) -> bytes:
    """Labels as the repeated KeyValue field `field`."""
    return b"".join(field_bytes(field, key_value(name, value)) for name, value in zip(names, key, strict=True))


class NumberPoints:
    """Encodes the points of one counter or gauge: what never changes of each series is encoded once."""

    def __init__(self, instrument: c.Instrument) -> None:
        self._names = instrument.label_names
        self._gauge = isinstance(instrument, c.Gauge)
        self._frames: dict[Key, tuple[bytes, bytes]] = {}

    def point(self, key: Key, value: float, start_ns: int, now_ns: int) -> bytes:
        """One data_points field of a Gauge or Sum; a gauge has no start."""
        frame = self._frames.get(key)
        if frame is None:
            frame = self._frames[key] = self._frame(key)
        head, tail = frame
        if self._gauge:
            return head + _number.pack(0x19, now_ns, 0x21, value) + tail
        return head + _number_since.pack(0x11, start_ns, 0x19, now_ns, 0x21, value) + tail

    def _frame(self, key: Key) -> tuple[bytes, bytes]:
        tail = attributes(_NUMBER_ATTRIBUTES, self._names, key)
        numbers = _number if self._gauge else _number_since
        return _POINT + varint(numbers.size + len(tail)), tail


class DistributionPoints:
    """Encodes the points of one histogram."""

    def __init__(self, instrument: c.Histogram) -> None:
        self._names = instrument.label_names
        edges = len(instrument.buckets)
        self._counts = Struct(f"<{edges + 1}Q")
        # bucket_counts packed fixed64 = 6; explicit_bounds packed double = 7.
        self._counts_head = b"\x32" + varint(self._counts.size)
        self._bounds = field_bytes(7, Struct(f"<{edges}d").pack(*instrument.buckets))
        self._tails: dict[Key, bytes] = {}

    def point(self, key: Key, tally: Tally, start_ns: int, now_ns: int) -> bytes:
        """One data_points field of a Histogram."""
        tail = self._tails.get(key)
        if tail is None:
            tail = self._tails[key] = attributes(_HISTOGRAM_ATTRIBUTES, self._names, key)
        parts = [
            _distribution.pack(0x11, start_ns, 0x19, now_ns, 0x21, sum(tally.counts), 0x29, tally.total),
            self._counts_head,
            self._counts.pack(*tally.counts),
            self._bounds,
            _exemplars(tally.exemplars),
            tail,
            _range.pack(0x59, tally.smallest, 0x61, tally.largest),
        ]
        return _POINT + delimited(b"".join(parts))


def _exemplars(exemplars: Exemplars) -> bytes:
    """The field exemplars = 8, by bucket; a point has all labels, so that filtered_attributes is always empty."""
    return b"".join(
        field_bytes(
            8,
            _exemplar.pack(0x11, time_ns, 0x19, value, 0x0822)
            + span_id.to_bytes(8, "big")
            + b"\x2a\x10"
            + trace_id.to_bytes(16, "big"),
        )
        for _, (time_ns, value, trace_id, span_id) in sorted(exemplars.items())
    )


class MetricFrame:
    """One Metric message around its points."""

    def __init__(self, instrument: c.Instrument, temporality: Temporality) -> None:
        self._head = (
            field_text(1, instrument.name)
            + field_text(2, instrument.description)
            + field_text(3, instrument.unit.value)
        )
        self._field, self._after = _GAUGE, b""
        if not isinstance(instrument, c.Gauge):
            self._field, self._after = _SUM, field_varint(2, temporality)
        if isinstance(instrument, c.Histogram):
            self._field = _HISTOGRAM
        if isinstance(instrument, c.Counter):
            self._after += field_varint(3, 1)  # is_monotonic

    def metric(self, points: Iterable[bytes]) -> bytes:
        """One metrics field of a ScopeMetrics."""
        return field_bytes(2, self._head + field_bytes(self._field, b"".join(points) + self._after))


class ResourceFrame:
    """One ResourceMetrics message, for one resource and one scope, around its metrics."""

    def __init__(self, resource: Resource, scope: str, version: str) -> None:
        self._scope = field_bytes(1, field_text(1, scope) + field_text(2, version))
        self.describe(resource)

    def describe(self, resource: Resource) -> None:
        """From now on it is this resource's metrics."""
        self._resource = field_bytes(1, _resource(resource.attributes))
        self._schema = field_text(3, resource.schema_url)

    def request(self, metrics: Iterable[bytes]) -> bytes:
        """An ExportMetricsServiceRequest with this resource only; such requests may be joined end to end."""
        scope_metrics = self._scope + b"".join(metrics)
        return field_bytes(1, self._resource + field_bytes(2, scope_metrics) + self._schema)


def _resource(attributes: Mapping[str, object]) -> bytes:
    return b"".join(field_bytes(1, key_value(key, value)) for key, value in attributes.items())
