"""How the parts of a program run beside each other: one after another, as tasks of one loop, or as threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Literal

Way = Literal["in turn", "tasks", "threads"]
WAYS: tuple[Way, ...] = ("in turn", "in turn", "tasks", "threads")

Part = Callable[[], Coroutine[Any, Any, None]]
"""A coroutine function that waits for nothing but its turn (`asyncio.sleep(0)`)."""


def run(way: Way, part: Part) -> None:
    """Run it to its end, in a copy of the context."""
    if way == "tasks":
        copy_context().run(lambda: asyncio.run(part()))
    else:
        copy_context().run(_to_the_end, part)


async def all_of(way: Way, parts: Sequence[Part]) -> None:
    """Run every part to its end; beside each other they see the caller's context and change copies of it."""
    if way == "tasks":
        await asyncio.gather(*(part() for part in parts))
    elif way == "threads" and len(parts) > 1:
        with ThreadPoolExecutor(len(parts)) as pool:
            for done in [pool.submit(copy_context().run, _to_the_end, part) for part in parts]:
                done.result()
    else:
        for part in parts:
            await part()


def _to_the_end(part: Part) -> None:
    coroutine = part()
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        return
