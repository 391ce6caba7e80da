"""The way to the exchange and back: a request that was sent arrives, whatever its sender does meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
T = TypeVar("T")


class _Message(Generic[Q, A]):
    """One request under way: `answer` is what its sender will be told, `reply` wakes it, if it still waits."""

    __slots__ = ("answer", "reply", "request")

    def __init__(self, request: Q, lost: A, reply: asyncio.Future[A]) -> None:
        self.request = request
        self.answer = lost
        self.reply = reply


class _Way(Generic[T]):
    """One direction: what sets out arrives `seconds` later, in one call with all else that is due by then."""

    def __init__(self, seconds: float, arrive: Callable[[Sequence[T]], None]) -> None:
        self._seconds = seconds
        self._arrive = arrive
        self._under_way: deque[tuple[float, T]] = deque()
        self._timer: asyncio.Handle | None = None

    def set_out(self, thing: T) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._seconds
        self._under_way.append((due, thing))
        if self._timer is None:
            self._timer = loop.call_at(due, self._first_is_due)

    def _first_is_due(self) -> None:
        loop = asyncio.get_running_loop()
        now = max(loop.time(), self._under_way[0][0])  # a loop's clock may be coarser than the way is long
        due: list[T] = []
        while self._under_way and self._under_way[0][0] <= now:
            due.append(self._under_way.popleft()[1])
        self._timer = loop.call_at(self._under_way[0][0], self._first_is_due) if self._under_way else None
        self._arrive(due)

    def close(self) -> list[T]:
        """What was under way and does not arrive."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        left = [thing for _, thing in self._under_way]
        self._under_way.clear()
        return left


class Wire(Generic[Q, A]):
    """Half of `latency` (seconds) passes before requests are worked on, half before the answers are back.

    `work` gets all requests that arrive in one turn of the event loop, in the order in which they were sent; it
    answers each in its place and must not raise.
    """

    def __init__(self, latency: float, work: Callable[[Sequence[Q]], Sequence[A]]) -> None:
        self._work = work
        self._takes_time = latency > 0
        self._there: _Way[_Message[Q, A]] = _Way(latency / 2, self._arrive)
        self._back: _Way[Sequence[_Message[Q, A]]] = _Way(latency / 2, self._return)

    async def send(self, request: Q, lost: A) -> A:
        """The answer to `request`; `lost` if the wire closes before it arrived.

        Cancelling the task that waits here stops neither the request nor its work.
        """
        message = _Message(request, lost, asyncio.get_running_loop().create_future())
        self._there.set_out(message)
        answer: A = await message.reply
        return answer

    def _arrive(self, messages: Sequence[_Message[Q, A]]) -> None:
        answers = self._work([message.request for message in messages])
        for message, answer in zip(messages, answers, strict=True):
            message.answer = answer
        if self._takes_time:
            self._back.set_out(messages)
        else:
            self._return([messages])

    def _return(self, groups: Sequence[Sequence[_Message[Q, A]]]) -> None:
        for messages in groups:
            for message in messages:
                if not message.reply.done():
                    message.reply.set_result(message.answer)

    def close(self) -> None:
        """What was done is answered at once, what was not is answered as lost and never done."""
        self._return([*self._back.close(), self._there.close()])
