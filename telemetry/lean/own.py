"""Spans of the facade: attributes stay as they were given until they are encoded, once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any

from telemetry.attributes import converted
from telemetry.lean.limits import bounded, put_all
from telemetry.lean.pairs import clean_pairs, own_pairs
from telemetry.lean.span import EventRecord, LeanSpan

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.util.types import AnyValue, Attributes

log = logging.getLogger(__name__)


NOTHING: dict[str, Any] = {}
"""What a span has been given at first; shared, and so never changed."""


class OwnSpan(LeanSpan):
    """A span whose attributes come through the facade; `given` is None once the OpenTelemetry API touched them.

    Whoever makes one sets `given` to NOTHING: a constructor for this alone would cost as much as the span's.
    """

    __slots__ = ("given",)

    given: dict[str, Any] | None

    def give(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the facade; a key that is set again moves to the end, as in the SDK."""
        if self.end_time is not None:
            log.warning("Setting attribute on ended span.")
            return
        given = self.given
        if given is None or len(given) + len(attributes) > self.owner.limits.span.most:
            self.settle()
            super().set_attributes(converted(attributes))
        elif given:
            distinct = len(given) + len(attributes)
            given.update(attributes)
            if len(given) != distinct:
                for key in attributes:
                    given[key] = given.pop(key)
        else:
            self.given = dict(attributes)

    def tell(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Add an event with attributes of the facade."""
        bound = self.owner.limits.event
        if len(attributes) > bound.most:
            kept, lost = bounded(converted(attributes), bound)
            self.note(EventRecord(name, time_ns(), kept, lost))
        else:
            self.note(EventRecord(name, time_ns(), dict(attributes), own=True))

    def settle(self) -> None:
        """Turn what was given into what the API would have kept."""
        given, self.given = self.given, None
        if given:
            self.attribute_map, lost = put_all({}, self.owner.limits.span, converted(given))
            self.lost_attributes += lost

    def set_attribute(self, key: str, value: AnyValue) -> None:
        self.settle()
        super().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        self.settle()
        super().set_attributes(attributes)

    def encoded_attributes(self, head: bytes) -> list[bytes]:
        if self.given is not None:
            pairs = own_pairs.encode(self.given, head)
            if len(pairs) > len(self.given):
                return pairs
            self.settle()
        return clean_pairs.encode(self.attribute_map, head)

    def as_readable(self) -> ReadableSpan:
        self.settle()
        return super().as_readable()

    @property
    def attributes(self) -> Attributes:
        self.settle()
        return super().attributes
