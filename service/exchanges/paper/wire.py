"""The way to the exchange and back: a request that was sent arrives, whatever its sender does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Message(Generic[T]):
    """One request under way: `answer` is None until `work` was done; `reply` wakes the sender, if it still waits."""

    __slots__ = ("answer", "lost", "reply", "timer", "work")

    def __init__(self, work: Callable[[], T], lost: T, reply: asyncio.Future[T]) -> None:
        self.work = work
        self.lost = lost
        self.reply = reply
        self.answer: T | None = None
        self.timer: asyncio.TimerHandle | None = None

    def deliver(self, answer: T) -> None:
        if not self.reply.done():
            self.reply.set_result(answer)


class Wire(Generic[T]):
    """Half of `latency` (seconds) passes before a request's work is done, half before its answer is back."""

    def __init__(self, latency: float) -> None:
        self._half = latency / 2
        self._under_way: set[_Message[T]] = set()

    async def send(self, work: Callable[[], T], lost: T) -> T:
        """The answer of `work`, which must not raise; `lost` if the wire closes before it began.

        Cancelling the task that waits here stops neither the request nor its work.
        """
        loop = asyncio.get_running_loop()
        message = _Message(work, lost, loop.create_future())
        self._under_way.add(message)
        message.timer = loop.call_later(self._half, self._arrive, message)
        answer: T = await message.reply
        return answer

    def _arrive(self, message: _Message[T]) -> None:
        message.answer = message.work()
        message.timer = asyncio.get_running_loop().call_later(self._half, self._return, message)

    def _return(self, message: _Message[T]) -> None:
        self._under_way.discard(message)
        message.deliver(message.lost if message.answer is None else message.answer)

    def close(self) -> None:
        """Stop the timers. What was done is answered at once, what was not is answered as lost and never done."""
        for message in list(self._under_way):
            if message.timer is not None:
                message.timer.cancel()
            self._return(message)
