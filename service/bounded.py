"""Awaiting something within a time, with a timer only where something is waited for.

Most of what is bounded is there at once: a body came with its head, a limit has a slot free. A timer for each of them
would cost more than what it bounds.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float | None, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises; TimeoutError where it takes longer than so many seconds (None: as long as it
    takes), in which case it was cancelled.
    """
    try:
        first = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    async with asyncio.timeout(seconds):
        return await _go_on(work, first)


@types.coroutine
def _go_on(work: Coroutine[Any, Any, T], awaited: Any) -> Generator[Any, Any, T]:
    """Wait for what `work` waits for first, then let it run on."""
    result: T
    while True:
        try:
            yield awaited
        except BaseException as error:  # noqa: BLE001 - it is thrown into `work`, whose business it is
            try:
                awaited = work.throw(error)
            except StopIteration as done:
                result = done.value
                return result
        else:
            result = yield from work.__await__()
            return result
