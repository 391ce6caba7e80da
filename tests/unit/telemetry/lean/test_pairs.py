"""Encoded attributes are remembered, within a bound, and never taken for one another."""

from __future__ import annotations

from typing import Any

import pytest

from telemetry.lean.pairs import Pairs


def test_repeated_attributes_are_remembered_within_a_bound() -> None:
    pairs = Pairs(size=100)

    for n in range(1000):
        pairs.encode({"k": f"value {n}", "n": n, "long": "x" * n, "b": True}, b"")
        assert len(pairs) <= 100


@pytest.mark.parametrize("value", ["text", True, 7])
def test_a_repeated_attribute_is_encoded_once(value: Any) -> None:
    pairs = Pairs()

    assert pairs.encode({"k": value}, b"")[1] is pairs.encode({"k": value}, b"")[1]


def test_equal_values_of_different_types_are_told_apart() -> None:
    pairs = Pairs()

    values: list[Any] = [1, True, 1.0, "1", (1,), (True,), 0.0, -0.0]
    encoded = [pairs.encode({"k": value}, b"")[1] for value in values * 2]

    assert len(set(encoded)) == len(values)
    assert encoded[: len(values)] == encoded[len(values) :]
