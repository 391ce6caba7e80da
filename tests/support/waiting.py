"""Waiting for a condition with a bound, never for luck."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(condition: Callable[[], Awaitable[T]], *, within: float = 15.0, every: float = 0.01) -> T:
    """The first true answer; AssertionError with the last one when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        answer = await condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within} s: {answer!r}"
        await asyncio.sleep(every)
