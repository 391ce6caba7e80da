"""The Journal on SQLite: one file, one process, one thread that writes.

Durable means: in a write-ahead log that the disk has confirmed (`synchronous=FULL`; on macOS `fullfsync` too). What
a failed commit may leave behind is told in `service.journal.writer`.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec

from service.core.orders import Fill, Order, Transition
from service.journal import database, reads, rows
from service.journal.lock import JournalLock
from service.journal.protocol import (
    Appended,
    AuditEvent,
    Commit,
    Duplicate,
    HaltLevel,
    JournalUnavailable,
    OrderQuery,
    StaleVersion,
    StoredAnswer,
)
from service.journal.queries import SQL
from service.journal.writer import CommitStats, Writer

__all__ = ["CommitStats", "SqliteJournal"]

T = TypeVar("T")

_MAX_BATCH = 512
_MAX_QUEUED = 16_384
"""More than any sender waits for: what does not fit is refused while refusing still helps."""

_FORGET_CHUNK = 500
"""Expired keys removed in one operation, so that no order waits behind a long clean-up."""


class SqliteJournal:
    """See `service.journal.protocol.Journal`; `open` makes one.

    `look_up_answer`, `halts` and `close` belong to the thread of the event loop.
    """

    def __init__(
        self, path: Path, lock: JournalLock, writer: Writer, points: sqlite3.Connection, lists: sqlite3.Connection
    ) -> None:
        self._path = path
        self._lock = lock
        self._writer = writer
        self._points = points
        self._lists = lists
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-reader")
        self._closing = threading.Lock()
        self._halts: Mapping[str, HaltLevel] = MappingProxyType(reads.halts(points))

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        on_commit: Callable[[CommitStats], None] | None = None,
        max_batch: int = _MAX_BATCH,
        max_queued: int = _MAX_QUEUED,
    ) -> SqliteJournal:
        """Create or open the journal at `path`, migrate it, and make sure that it can be written. Blocks.

        `on_commit` is called from the writer's thread after each successful group commit. Raises
        JournalLocked, JournalTooNew, JournalForeign, and JournalUnavailable for everything the disk refuses.
        """
        with ExitStack() as undo:
            try:
                database.create_directory(path.parent)
                lock = JournalLock(path)
                undo.callback(lock.release)
                database.create_file(path)
                database.migrate(path)
                file = database.JournalFile(path)
                writer = Writer(file, max_batch=max_batch, max_queued=max_queued, on_commit=on_commit)
                undo.callback(writer.close)
                points = database.connect_reader(path)
                undo.callback(points.close)
                lists = database.connect_reader(path)
                undo.callback(lists.close)
                journal = cls(path, lock, writer, points, lists)
            except (sqlite3.Error, OSError) as error:
                raise JournalUnavailable(
                    f"the journal {path} cannot be opened: {error}; check the directory's rights and the disk's space"
                ) from error
            undo.pop_all()
        return journal

    async def append(self, order: Order, answer: StoredAnswer) -> Appended | Duplicate:
        """Raises JournalConflict where an order id, or a client order id at its exchange and account, is taken."""
        operation = partial(
            _append,
            answer=answer,
            order=rows.inserted(order),
            transition=rows.transition_row(rows.first_transition(order)),
        )
        stored, commit = await self._writer.submit(operation)
        return Appended(commit) if stored is None else Duplicate(stored, commit)

    async def record(self, order: Order, transition: Transition | None, fills: Sequence[Fill] = ()) -> Commit:
        operation = partial(
            _record,
            order=order,
            transition=None if transition is None else rows.transition_row(transition),
            fills=[rows.fill_row(order, fill) for fill in fills],
        )
        _, commit = await self._writer.submit(operation)
        return commit

    async def record_anomaly(self, order_id: str, ts_ns: int, kind: str, detail: str) -> Commit:
        return await self._insert(
            SQL.insert_anomaly, {"order_id": order_id, "ts_ns": ts_ns, "kind": kind, "detail": detail}
        )

    async def audit(self, event: AuditEvent) -> Commit:
        return await self._insert(SQL.insert_audit, msgspec.structs.asdict(event))

    async def set_halt(self, account: str, level: HaltLevel, event: AuditEvent) -> Commit:
        def operation(connection: sqlite3.Connection) -> None:
            connection.execute(SQL.set_halt, {"account": account, "level": level})
            connection.execute(SQL.insert_audit, msgspec.structs.asdict(event))

        def committed() -> None:
            self._halts = MappingProxyType({**self._halts, account: level})

        _, commit = await self._writer.submit(operation, committed=committed)
        return commit

    async def forget_expired_answers(self, now_ns: int) -> int:
        forgotten = 0
        operation = partial(_forget, now_ns=now_ns)
        while True:
            count, _ = await self._writer.submit(operation)
            forgotten += count
            if count < _FORGET_CHUNK:
                return forgotten

    def look_up_answer(self, source: str, key: str, now_ns: int) -> StoredAnswer | None:
        """Raises JournalUnavailable where the file cannot be read."""
        try:
            return reads.answer(self._points, source, key, now_ns)
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def halts(self) -> Mapping[str, HaltLevel]:
        """By account, as last committed; an account that is missing was never halted."""
        return self._halts

    async def find_order(self, reference: str) -> Order | None:
        return await self._read(partial(reads.find_order, reference=reference))

    async def transitions(self, order_id: str) -> Sequence[Transition]:
        return await self._read(partial(reads.transitions, order_id=order_id))

    async def fills(self, order_id: str) -> Sequence[Fill]:
        return await self._read(partial(reads.fills, order_id=order_id))

    async def anomalies(self, order_id: str) -> Sequence[str]:
        return await self._read(partial(reads.anomalies, order_id=order_id))

    async def list_orders(self, query: OrderQuery) -> Sequence[Order]:
        return await self._read(partial(reads.list_orders, query=query))

    async def unfinished(self, now_ns: int | None = None) -> Sequence[Order]:
        return await self._read(partial(reads.unfinished, now_ns=now_ns))

    @property
    def writable(self) -> bool:
        return self._writer.writable

    async def probe(self) -> None:
        await self._insert(SQL.beat, {})

    @property
    def free_bytes(self) -> int:
        """What the disk still has for us; raises OSError where the directory is gone."""
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    async def close(self) -> None:
        """Write what is queued, then let go of the file. Everything later raises JournalUnavailable."""
        self._points.close()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._closing:
            self._reader.shutdown()
            self._lists.close()
            self._writer.close()
            self._lock.release()

    async def _insert(self, sql: str, values: Mapping[str, object]) -> Commit:
        _, commit = await self._writer.submit(partial(_execute, sql=sql, values=values))
        return commit

    async def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._reader, read, self._lists)
        except RuntimeError as error:
            raise JournalUnavailable("the journal is closed; it cannot be read any more") from error
        try:
            return await reading
        except sqlite3.Error as error:
            raise _unreadable(error) from error


def _append(
    connection: sqlite3.Connection, *, answer: StoredAnswer, order: rows.Row, transition: rows.Row
) -> StoredAnswer | None:
    """The stored answer of a key that is taken. Otherwise None, and everything is written."""
    if not connection.execute(SQL.claim_answer, rows.answer_row(answer)).rowcount:
        return reads.answer(connection, answer.source, answer.key, answer.created_ns)
    connection.execute(SQL.insert_order, order)
    connection.execute(SQL.insert_transition, transition)
    return None


def _record(
    connection: sqlite3.Connection, *, order: Order, transition: rows.Row | None, fills: Sequence[rows.Row]
) -> None:
    if not connection.execute(SQL.update_order, rows.updated(order)).rowcount:
        raise StaleVersion(
            f"order {order.id}: version {order.version} was to be written, but the journal does not hold the "
            "version before it: read the order again and apply the change to what is there"
        )
    if transition is not None:
        connection.execute(SQL.insert_transition, transition)
    for fill in fills:
        connection.execute(SQL.insert_fill, fill)


def _forget(connection: sqlite3.Connection, *, now_ns: int) -> int:
    return connection.execute(SQL.forget_answers, {"now_ns": now_ns, "limit": _FORGET_CHUNK}).rowcount


def _execute(connection: sqlite3.Connection, *, sql: str, values: Mapping[str, object]) -> None:
    connection.execute(sql, values)


def _unreadable(error: sqlite3.Error) -> JournalUnavailable:
    return JournalUnavailable(f"the journal cannot be read: {error}")
