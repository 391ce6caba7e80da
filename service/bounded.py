"""Awaiting something within a time, with a timer only where something is waited for.

Most of what is bounded is there at once (`within`): a body came with its head, a limit has a slot free. Of what is
waited for, much may take the same time and hardly any takes it (`SameTime`). A timer for each would cost more than what
it bounds.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Coroutine, Generator
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


class SameTime:
    """Bounds whatever may take so many `seconds`, with one timer for all that is under way: the oldest is due first.

    Belongs to one event loop.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._under_way: dict[_UnderWay, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, work: Awaitable[T]) -> T:
        """What `work` returns or raises; TimeoutError where it took too long, in which case it was cancelled."""
        task = asyncio.current_task()
        assert task is not None, "it is awaited by a task"
        loop = asyncio.get_running_loop()
        mine = _UnderWay(task, loop.time() + self._seconds)
        self._under_way[mine] = None
        if self._timer is None:
            self._timer = loop.call_at(mine.due, self._end_late)
        try:
            return await work
        except asyncio.CancelledError as error:
            if mine.late and task.cancelling() <= mine.cancelling + 1:  # by us and nobody else
                raise TimeoutError from error
            raise
        finally:
            if mine.late:
                task.uncancel()
            else:
                del self._under_way[mine]

    def _end_late(self) -> None:
        """End what is due, and wait for the next."""
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for one in list(self._under_way):
            if one.due > now:
                self._timer = loop.call_at(one.due, self._end_late)
                return
            del self._under_way[one]
            one.late = True
            one.task.cancel()


class _UnderWay:
    """What a task is at; `cancelling` is how many had asked before for its cancellation."""

    __slots__ = ("cancelling", "due", "late", "task")

    def __init__(self, task: asyncio.Task[Any], due: float) -> None:
        self.task = task
        self.due = due
        self.cancelling = task.cancelling()
        self.late = False
