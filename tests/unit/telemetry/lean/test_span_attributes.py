"""Attributes of every kind and limits come out as the SDK's."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum, IntEnum, StrEnum
from math import inf, nan
from types import MappingProxyType
from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import Link

from tests.unit.telemetry.lean.span_pair import HUGE, LOCAL, REMOTE, UNSAMPLED, Pair, first


@pytest.fixture(autouse=True)
def no_logs() -> Iterator[None]:
    """Both engines log what they leave out, and a lone surrogate in a log breaks the test runner's own reports."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class Colour(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Odd(str, Enum):  # noqa: UP042 - it prints differently from a StrEnum
    X = "x"


class Opaque:
    pass


VALUES = {
    "text": "x",
    "empty": "",
    "unicode": "äß€😀",
    "huge": HUGE,
    "true": True,
    "false": False,
    "zero": 0,
    "int": 7,
    "big": 2**63 - 1,
    "small": -(2**63),
    "negative": -1,
    "too big": 2**63,
    "float": 1.5,
    "minus zero": -0.0,
    "inf": inf,
    "nan": nan,
    "bytes": b"\x00\xff",
    "none": None,
    "strings": ["a", "b"],
    "numbers": (1, 2, 3),
    "mixed": [1, "a", None, True, 1.0],
    "no items": [],
    "nested": {"a": {"b": [1, {"c": b"x"}]}, "": 1, 5: "five"},
    "proxy": MappingProxyType({"k": "v"}),
    "enum": Colour.RED,
    "odd enum": Odd.X,
    "number": Number.ONE,
    "opaque": Opaque(),
    "exception": ValueError("x"),
    "set": {1},
    "surrogate": "a\ud800b",
    "lists with surrogate": ["a\ud800b"],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_every_value_is_encoded_as_the_sdk_encodes_it(pair: Pair, value: Any) -> None:
    # Objects without a text of their own show their address: both get the same object.
    def operate(tracer: Any) -> None:
        span = tracer.start_span("x", attributes={"at start": value})
        span.set_attribute("later", value)
        span.set_attributes({"a": value, "b": value})
        span.add_event("event", {"a": value})
        span.add_link(LOCAL, {"a": value})
        span.end()

    pair.run(operate)


KEYS = {
    "text": "k",
    "empty": "",
    "none": None,
    "number": 5,
    "bytes": b"x",
    "tuple": ("a",),
    "enum": Colour.RED,
    "unicode": "ä",
    "surrogate": "a\ud800",
    "opaque": Opaque(),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_every_key_is_treated_as_the_sdk_treats_it(pair: Pair, key: Any) -> None:
    def operate(tracer: Any) -> None:
        span = tracer.start_span("x", attributes={key: 1, "other": 2})
        span.set_attribute(key, 1)
        span.set_attributes({key: 2})
        span.add_event("event", {key: 1})
        span.end()

    pair.run(operate)


def test_a_key_that_is_set_again_moves_to_the_end(pair: Pair) -> None:
    def operate(tracer: Any) -> None:
        span = tracer.start_span("x", attributes=OrderedDict(a=1, b=2, c=3))
        span.set_attribute("a", 4)
        span.set_attributes({"b": 5, "d": 6})
        span.end()

    assert [pair.key for pair in first(pair.run(operate)).attributes] == ["c", "a", "b", "d"]


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("limit", [0, 1, 2, 3, None])
def test_limits_drop_and_count_as_the_sdk_does(limit: int | None) -> None:
    unset = SpanLimits.UNSET if limit is None else limit
    pair = Pair(limits=SpanLimits(*[unset] * 6, max_attribute_length=unset, max_span_attribute_length=unset))

    def operate(tracer: Any) -> None:
        attributes = {"a": "long text", "b": ["long text", "y"], "c": {"d": "long text"}}
        links = [Link(LOCAL, attributes), Link(REMOTE), Link(UNSAMPLED), Link(LOCAL)]
        span = tracer.start_span("x", attributes=attributes, links=links)
        for n in range(4):
            span.add_event(f"event {n}", attributes)
            span.add_link(LOCAL, attributes)
            span.set_attribute("a", "again")
            span.set_attributes({"a": "once more", f"k{n}": n, "c": 1})
        span.end()

    pair.run(operate)


@pytest.mark.usefixtures("still_clock")
def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2")
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")

    exported = Pair().run(lambda tracer: tracer.start_span("x", attributes={"a": "long", "b": 1, "c": 2}).end())

    assert first(exported).dropped_attributes_count == 1


def test_what_cannot_be_read_is_left_out_and_nothing_is_raised(pair: Pair) -> None:
    endless: list[Any] = []
    endless.append(endless)
    span = pair.lean.get_tracer("x").start_span("x", attributes={"a": endless})
    span.set_attribute("b", endless)
    span.set_attributes(["no mapping"])
    span.add_event("e", 5)
    span.set_attribute("c", 1)
    span.end()

    assert dict(pair.lean_spans[0].attributes) == {"c": 1}
