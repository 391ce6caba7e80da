"""Bounds of what one span or record may carry, and attributes within them, cleaned as the SDK cleans them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from sys import maxsize
from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanLimits

log = logging.getLogger(__name__)

# What needs no cleaning, whatever its value.
_SCALARS = frozenset({bool, int, float, bytes, type(None)})


class Bound:
    """How many attributes, and how many characters of text in each; None for no limit."""

    __slots__ = ("count", "length", "longest", "most")

    def __init__(self, count: int | None, length: int | None) -> None:
        self.count = count
        self.length = length
        self.most = maxsize if count is None else count
        self.longest = maxsize if length is None else length


class Limits:
    """The SDK's limits as they are needed here; `events` and `links` None for no limit."""

    __slots__ = ("event", "events", "link", "links", "span")

    def __init__(self, limits: SpanLimits) -> None:
        self.span = Bound(limits.max_span_attributes, limits.max_span_attribute_length)
        self.event = Bound(limits.max_event_attributes, limits.max_attribute_length)
        self.link = Bound(limits.max_link_attributes, limits.max_attribute_length)
        self.events = limits.max_events
        self.links = limits.max_links


def bounded(attributes: Mapping[str, Any] | None, bound: Bound) -> tuple[dict[str, Any], int]:
    """A copy within `bound`, and how many were dropped for it."""
    if not attributes:
        return {}, 0
    return put_all({}, bound, attributes)


def put(into: dict[str, Any], bound: Bound, key: str, value: Any) -> tuple[dict[str, Any], int]:
    """`into` with this attribute as its last one, and how many were dropped for it."""
    if _is_plain(key, value, bound) and (key in into or len(into) < bound.most):
        into.pop(key, None)
        into[key] = value
        return into, 0
    return _cleaned(into, bound, lambda full: full.__setitem__(key, value))


def put_all(into: dict[str, Any], bound: Bound, attributes: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """`into` with these attributes as its last ones, and how many were dropped for them."""
    try:
        plain = len(into) + len(attributes) <= bound.most and _plain(attributes, bound)
        if plain and not into and type(attributes) is dict:
            return attributes.copy(), 0
    except Exception:  # noqa: BLE001 - no mapping, or one that raises; it is logged below
        plain = False
    if plain:
        for key, value in attributes.items():
            into.pop(key, None)
            into[key] = value
        return into, 0
    # What the SDK's span calls: one look at all of them before the first is set.
    return _cleaned(into, bound, lambda full: full._set_items(attributes))  # noqa: SLF001


def _plain(attributes: Mapping[str, Any], bound: Bound) -> bool:
    longest = bound.longest
    for key, value in attributes.items():
        # `_is_plain`, written out: a call for each attribute costs more than to look at it.
        if type(key) is not str or not key:
            return False
        if not (len(value) <= longest if type(value) is str else type(value) in _SCALARS):
            return False
    return True


def _is_plain(key: object, value: object, bound: Bound) -> bool:
    if type(key) is not str or not key:
        return False
    return type(value) in _SCALARS or (type(value) is str and len(value) <= bound.longest)


def _cleaned(
    into: dict[str, Any], bound: Bound, action: Callable[[BoundedAttributes], None]
) -> tuple[dict[str, Any], int]:
    """By the SDK's own class: it truncates, converts, evicts and warns."""
    full = BoundedAttributes(bound.count, immutable=False, max_value_len=bound.length)
    full._dict = into  # noqa: SLF001 - it would clean once more what it is given in any other way
    try:
        action(full)
    except Exception as error:  # noqa: BLE001 - a foreign value may do anything; the span goes on without it
        log.warning("attributes could not be read and are left out: %s", type(error).__name__)
    return full._dict, full.dropped  # noqa: SLF001 - as above


def dropping(limit: int | None, items: list[Any]) -> int:
    """Cut `items` to its last `limit` ones; how many went."""
    if limit is None or len(items) <= limit:
        return 0
    over = len(items) - limit
    del items[:over]
    return over
