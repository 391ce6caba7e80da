"""The one thread that writes: group commit, and what happens when a commit fails.

Operations gather while the commit before them runs, and for the rest of the event loop's turn in which they come; the
thread takes them all, runs them in one transaction in which each can fail alone, commits once and then wakes everyone
who waits. There is no delay to make groups larger.

A commit that fails leaves a question: SQLite has rolled it back and no reader sees it, but if it was the disk's
flush that failed, its pages may lie complete in the write-ahead log, and a restart would read them as committed. So
after any failed group the connection is replaced and the log emptied before anyone is told, and until that has
worked nothing else is written. What was reported as failed can come back only if the process dies before, which is
long only while the disk goes on failing; the next start then finds it like any order whose acknowledgement was lost:
whole, with its key, and checked for freshness.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from service.journal import together
from service.journal.database import JournalFile
from service.journal.protocol import Commit, JournalConflict, JournalUnavailable
from service.journal.queries import SQL

log = logging.getLogger(__name__)

T = TypeVar("T")

Operation = Callable[[sqlite3.Connection], T]
"""Runs in the writer's thread, inside a transaction; what it raises fails it alone and undoes what it wrote.

It may run twice, the first time undone: it must depend on the connection and its own values only.
"""


class CommitStats(NamedTuple):
    """One successful group commit: from its first statement to the disk's answer, and how many writes shared it."""

    duration_s: float
    batch_size: int


class _Write:
    """An operation, who waits for it, and how it ended; owned by the caller's loop, then by the writer's thread."""

    __slots__ = ("committed", "error", "future", "loop", "operation", "result")

    def __init__(
        self,
        operation: Operation[Any],
        committed: Callable[[], None] | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.operation = operation
        self.committed = committed
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None


class Writer:
    """Writes to `file` and to nothing else. `__init__` raises what `file.connect` does."""

    def __init__(
        self,
        file: JournalFile,
        *,
        max_batch: int,
        max_queued: int,
        on_commit: Callable[[CommitStats], None] | None = None,
    ) -> None:
        self._file = file
        self._max_batch = max_batch
        self._max_queued = max_queued
        self._on_commit = on_commit
        self._connection = file.connect()
        self._suspicion: Exception | None = None
        self._commits = 0
        self._queue: deque[_Write] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._waker: asyncio.AbstractEventLoop | None = None
        self.writable = True
        # A daemon, so that a process that ends without `close` ends: what is queued then was never acknowledged.
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    async def submit(self, operation: Operation[T], *, committed: Callable[[], None] | None = None) -> tuple[T, Commit]:
        """Wait until `operation` is on disk. `committed` runs in the writer's thread right after the commit.

        Raises JournalUnavailable when nothing of it is on disk, JournalConflict for a broken constraint, and what
        the operation itself raises. To be cancelled while waiting says nothing: the write may still happen.
        """
        loop = asyncio.get_running_loop()
        write = _Write(operation, committed, loop)
        with self._changed:
            if self._is_closed:
                raise JournalUnavailable("the journal is closed; nothing was written")
            if len(self._queue) >= self._max_queued:
                raise JournalUnavailable(
                    f"{len(self._queue)} writes wait for the disk, no more are taken; nothing was written: try later"
                )
            self._queue.append(write)
            self._wake_later(loop)
        result: tuple[T, Commit] = await write.future
        return result

    def _wake_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the thread at the end of the loop's turn: what is submitted in one turn goes into one group.

        Woken by the first of them, the thread would take the interpreter's lock from the others' turn again and again.
        """
        if self._waker is None:
            self._waker = loop
            loop.call_soon(self._wake_thread)
        elif self._waker is not loop:
            self._changed.notify()

    def _wake_thread(self) -> None:
        with self._changed:
            self._waker = None
            self._changed.notify()

    def close(self) -> None:
        """Write what is queued, empty the log, close the file; blocks until done. Later submissions are refused."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._write(batch)
            self._file.empty_log(self._connection)
        except (sqlite3.Error, OSError) as error:
            log.warning("the journal's log stays as it is, the next start will read it: %s", error)
        finally:
            self._connection.close()
            self._refuse_the_rest()

    def _next_batch(self) -> list[_Write]:
        """Empty when the writer is closed and nothing is left."""
        with self._changed:
            while not self._queue and not self._is_closed:
                self._changed.wait()
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]

    def _write(self, batch: list[_Write]) -> None:
        if self._suspicion is not None:
            self._recover()
        if self._suspicion is not None:
            self._fail(batch, self._suspicion)
            return
        started = time.perf_counter()
        try:
            self._commit(batch)
        except Exception as error:  # noqa: BLE001 - nothing of this group may be called durable, and all must hear so
            self._suspicion = error
            self._recover()
            self._fail(batch, error)
        else:
            self._succeed(batch, time.perf_counter() - started)

    def _commit(self, batch: list[_Write]) -> None:
        """All together first; only where one fails by its own fault, once more with a savepoint for each.

        Savepoints copy every page before it is changed: a third of a group's time, for what hardly ever happens.
        """
        connection = self._connection
        self._file.check()
        connection.execute(SQL.begin)
        try:
            for write, result in zip(batch, together.write(connection, [w.operation for w in batch]), strict=True):
                write.result = result
        except Exception as error:
            # An operation may raise anything; it fails itself and no other.
            if _is_lost(connection, error):
                raise
            connection.execute(SQL.rollback)
            connection.execute(SQL.begin)
            for write in batch:
                _run_apart(connection, write)
        connection.execute(SQL.commit)

    def _succeed(self, batch: list[_Write], duration: float) -> None:
        self._commits += 1
        if not self.writable:
            log.info("the journal can be written again")
        self.writable = True
        commit = Commit(self._commits, len(batch))
        for write in batch:
            if write.error is None:
                write.result = (write.result, commit)
                if write.committed is not None:
                    write.committed()
        _wake(batch)
        if self._on_commit is not None:
            try:
                self._on_commit(CommitStats(duration, len(batch)))
            except Exception:
                # Whoever measures must not be able to stop the journal.
                log.exception("the measurement of a commit failed")

    def _fail(self, batch: list[_Write], cause: Exception) -> None:
        if self.writable:
            log.error("the journal cannot be written: %s", cause)
        self.writable = False
        for write in batch:
            write.error = JournalUnavailable(f"nothing was written: {cause}")
            write.error.__cause__ = cause
        _wake(batch)

    def _recover(self) -> None:
        """Replace the connection and empty the log; where that cannot be had, `_suspicion` stays and says why."""
        try:
            # The new one first: the last connection that closes makes SQLite forget which pages of the log count.
            before, self._connection = self._connection, self._file.connect()
            # Closing rolls back what is open.
            before.close()
            self._file.empty_log(self._connection)
        except (sqlite3.Error, OSError, MemoryError) as error:
            self._suspicion = error
        else:
            self._suspicion = None

    def _refuse_the_rest(self) -> None:
        """Nobody may wait for ever, even if a defect ended the thread."""
        with self._changed:
            self._is_closed = True
            left = list(self._queue)
            self._queue.clear()
        for write in left:
            write.error = JournalUnavailable("the journal was closed; nothing was written")
        _wake(left)


def _run_apart(connection: sqlite3.Connection, write: _Write) -> None:
    connection.execute(SQL.savepoint)
    try:
        write.result = write.operation(connection)
    except Exception as error:
        # The caller's own, who waits for it; the others of the group go on.
        if _is_lost(connection, error):
            raise
        connection.execute(SQL.rollback_to)
        write.error = _as_ours(error)
    connection.execute(SQL.release)


def _is_lost(connection: sqlite3.Connection, error: Exception) -> bool:
    """Whether nothing of the transaction can be relied on any more: the disk, the file or the memory failed.

    SQLite's other errors (constraint, binding, size) undo one statement and leave the transaction as it was.
    """
    lost = isinstance(error, sqlite3.OperationalError | sqlite3.InternalError | MemoryError)
    return lost or type(error) is sqlite3.DatabaseError or not connection.in_transaction


def _as_ours(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.IntegrityError):
        return error
    conflict = JournalConflict(f"the write contradicts what the journal holds, nothing was written: {error}")
    conflict.__cause__ = error
    return conflict


def _wake(batch: Sequence[_Write]) -> None:
    """Resolve all futures, with one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
    for write in batch:
        by_loop.setdefault(write.loop, []).append(write)
    for loop, writes in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, writes)
        except RuntimeError:
            # The loop is closed: nobody waits in it any more.
            continue


def _resolve(writes: Sequence[_Write]) -> None:
    for write in writes:
        if write.future.done():
            # Whoever waited was cancelled.
            continue
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            write.future.set_result(write.result)
