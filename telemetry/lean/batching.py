"""The queue before one exporter, and the thread that empties it."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import inf
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from opentelemetry import context as otel_context

from telemetry.environment import BATCH_SIZE, QUEUE_SIZE, SPAN_DELAY_MS, number
from telemetry.forking import in_children
from telemetry.lean.sender import SUPPRESSED

if TYPE_CHECKING:
    from telemetry.series import Drops

T = TypeVar("T")

log = logging.getLogger(__name__)


class Sends(Protocol):
    """What sends a request: a `Poster`, or a list's `append` in a test's clothes."""

    timeout: float

    def post(self, body: bytes, deadline: float) -> bool: ...

    def hurry(self) -> None: ...

    def close(self) -> None: ...


class Sizes(NamedTuple):
    """Items that may wait, items in one request, and seconds that an item waits for company."""

    queue: int
    batch: int
    delay: float


def sizes(family: str, environ: Mapping[str, str]) -> Sizes:
    """From `OTEL_<family>_*`, where the family is BSP for spans and BLRP for log records."""
    queue = number(f"OTEL_{family}_MAX_QUEUE_SIZE", QUEUE_SIZE, environ)
    batch = min(queue, number(f"OTEL_{family}_MAX_EXPORT_BATCH_SIZE", BATCH_SIZE, environ))
    return Sizes(queue, batch, number(f"OTEL_{family}_SCHEDULE_DELAY", SPAN_DELAY_MS, environ) / 1000)


class Queue(Generic[T]):
    """Items for one endpoint, at most so many: above, the oldest goes, and is counted.

    `encode` makes a request's body of a batch; it and the sending run in a daemon thread, started by the first item.
    """

    def __init__(
        self, signal: str, encode: Callable[[Sequence[T]], bytes], sender: Sends, drops: Drops, size: Sizes
    ) -> None:
        self._signal = signal
        self._encode = encode
        self._sender = sender
        self._drops = drops
        self._size = size
        self._closed = False
        self._begin()
        in_children(self._begin)

    def _begin(self) -> None:
        # In a forked child too: what its parent had queued is the parent's to send, and threads do not fork.
        self._items: deque[T] = deque(maxlen=self._size.queue)
        self._wake = Event()
        self._starting = Lock()
        self._sending = Lock()
        self._taking = Lock()
        self._thread: Thread | None = None
        # Below so many items nothing is to be looked after; 0 before the thread runs and after it was told to end.
        self._calm = 0
        self._deadline = inf

    @property
    def waiting(self) -> int:
        """How many items wait for export."""
        return len(self._items)

    def put(self, item: T) -> None:
        items = self._items
        # Nearly always: the thread runs, and neither a batch nor the queue is full with this one.
        if len(items) < self._calm:
            items.append(item)
        else:
            self._put_and_look(item)

    def put_all(self, items: Sequence[T]) -> None:
        if len(self._items) + len(items) <= self._calm:
            self._items.extend(items)
        else:
            for item in items:
                self.put(item)

    def _put_and_look(self, item: T) -> None:
        if self._closed:
            self._drops.count(self._signal, "shutdown")
            return
        if len(self._items) == self._size.queue:
            self._drops.count(self._signal, "queue_full")
        self._items.append(item)
        if self._thread is None:
            self._start()
        if len(self._items) >= self._size.batch and not self._wake.is_set():
            self._wake.set()

    def flush(self, timeout: float) -> bool:
        """Send what waits, from the caller's thread; whether it was gone within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        if not self._sending.acquire(timeout=timeout):
            return False
        try:
            token = otel_context.attach(otel_context.set_value(SUPPRESSED, True))  # noqa: FBT003 - the API's signature
            self._send_waiting(deadline, least=1)
            otel_context.detach(token)
        finally:
            self._sending.release()
        return not self._items

    def close(self, timeout: float) -> None:
        """Send what waits, within `timeout` seconds and trying nothing again; what is left is counted."""
        if self._closed:
            return
        self._deadline = time.monotonic() + timeout
        with self._starting:
            self._closed = True
            self._calm = 0
        self._sender.hurry()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)
        if left := len(self._take(len(self._items))):
            self._drops.count(self._signal, "shutdown", left)
        self._sender.close()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closed:
                thread = Thread(target=self._run, name=f"fillpath-{self._signal}", daemon=True)
                thread.start()
                self._thread = thread
                self._calm = self._size.batch - 1

    def _run(self) -> None:
        # For the thread's life: what the exporting itself does is neither traced nor exported.
        otel_context.attach(otel_context.set_value(SUPPRESSED, True))  # noqa: FBT003 - the API's signature
        while not self._closed:
            full = self._wake.wait(self._size.delay)
            self._wake.clear()
            with self._sending:
                self._send_waiting(inf, least=self._size.batch if full and not self._closed else 1)
        with self._sending:
            self._send_waiting(self._deadline, least=1)

    def _send_waiting(self, deadline: float, *, least: int) -> None:
        """Send batches until fewer than `least` items wait, or the time is over."""
        while len(self._items) >= least:
            now = time.monotonic()
            until = min(now + self._sender.timeout, deadline, self._deadline)
            if until <= now:
                return
            self._send(self._take(self._size.batch), until)

    def _send(self, batch: list[T], until: float) -> None:
        try:
            sent = self._sender.post(self._encode(batch), until)
        except Exception as error:  # noqa: BLE001 - one batch must not end the thread; it is counted
            log.warning("a telemetry batch could not be encoded: %s; it is dropped and counted", type(error).__name__)
            sent = False
        if not sent:
            self._drops.count(self._signal, "export_failed", len(batch))

    def _take(self, most: int) -> list[T]:
        take = self._items.popleft
        # Nobody else takes meanwhile, so that there are at least as many as there were.
        with self._taking:
            return [take() for _ in range(min(most, len(self._items)))]
