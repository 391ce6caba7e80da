"""Waiting for what another process will show, with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(read: Callable[[], T], *, within: float = 60.0, every: float = 0.1) -> T:
    """The first true answer; AssertionError with the last one when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        answer = read()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within:g} s: {answer!r}"
        time.sleep(every)
