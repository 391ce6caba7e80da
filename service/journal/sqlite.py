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
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec

from service.clock import Clock, SystemClock
from service.core.orders import Fill, Order, Transition
from service.folders import make_folder
from service.journal import database, reads, rows, writes
from service.journal.kept_time import KeptTime
from service.journal.known_keys import KnownKeys
from service.journal.lock import JournalLock
from service.journal.protocol import (
    Appended,
    AuditEvent,
    Commit,
    Duplicate,
    Finding,
    HaltLevel,
    JournalConflict,
    JournalUnavailable,
    OrderQuery,
    StoredAnswer,
)
from service.journal.queries import SQL
from service.journal.writer import CommitStats, Writer

__all__ = ["CommitStats", "SqliteJournal"]

T = TypeVar("T")

_MAX_BATCH = 512
_MAX_QUEUED = 16_384
"""More than any sender waits for: what does not fit is refused while refusing still helps."""

_LOOK_UP_CHUNK = 500
"""Client order ids looked up in one read, so that no other reader waits behind a long list."""


class SqliteJournal:
    """See `service.journal.protocol.Journal`; `open` makes one.

    `look_up_answer`, `halts` and `close` belong to the thread of the event loop.
    """

    def __init__(
        self,
        path: Path,
        lock: JournalLock,
        writer: Writer,
        points: sqlite3.Connection,
        lists: sqlite3.Connection,
        time: KeptTime,
    ) -> None:
        self._path = path
        self._time = time
        self._lock = lock
        self._writer = writer
        self._points = points
        self._lists = lists
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal-reader")
        self._closing = threading.Lock()
        self._known = KnownKeys()
        self._reader.submit(self._learn_keys, self._known, after=0)
        self._halts: Mapping[str, HaltLevel] = MappingProxyType(reads.halts(points))

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        clock: Clock | None = None,
        on_commit: Callable[[CommitStats], None] | None = None,
        max_batch: int = _MAX_BATCH,
        max_queued: int = _MAX_QUEUED,
    ) -> SqliteJournal:
        """Create or open the journal at `path`, migrate it, and make sure that it can be written. Blocks.

        `clock` is the machine's where none is given. `on_commit` is called from the writer's thread after each
        successful group commit. Raises JournalLocked, JournalTooNew, JournalForeign, and JournalUnavailable for
        everything the disk refuses.
        """
        with ExitStack() as undo:
            try:
                make_folder(path.parent)
                lock = JournalLock(path)
                undo.callback(lock.release)
                database.create_file(path)
                time = database.migrate(path, clock or SystemClock())
                file = database.JournalFile(path)
                writer = Writer(file, max_batch=max_batch, max_queued=max_queued, on_commit=on_commit)
                undo.callback(writer.close)
                points = database.connect_reader(path)
                undo.callback(points.close)
                lists = database.connect_reader(path)
                undo.callback(lists.close)
                journal = cls(path, lock, writer, points, lists, time)
            except (sqlite3.Error, OSError) as error:
                raise JournalUnavailable(
                    f"the journal {path} cannot be opened: {error}; check the directory's rights and the disk's space"
                ) from error
            undo.pop_all()
        return journal

    async def append(self, order: Order, answer: StoredAnswer) -> Appended | Duplicate:
        """Raises JournalConflict where an order id, or a client order id at its exchange and account, is taken."""
        self._known.add([(answer.source, answer.key)])
        transition = rows.transition_row(rows.first_transition(order))
        operation = writes.AppendOrder(answer, rows.inserted(order), transition)
        stored, commit = await self._writer.submit(operation)
        return Appended(commit) if stored is None else Duplicate(stored, commit)

    async def record(self, order: Order, transition: Transition | None, fills: Sequence[Fill] = ()) -> Commit:
        row = None if transition is None else rows.transition_row(transition)
        operation = writes.RecordChange(order, row, [writes.fill_write(order, fill) for fill in fills])
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

    async def replace_findings(self, account: str, exchange: str, findings: Sequence[Finding], now_ns: int) -> Commit:
        for finding in findings:
            if (finding.exchange, finding.account) != (exchange, account):
                raise JournalConflict(
                    f"a finding of account {finding.account} at {finding.exchange} was given with those of account "
                    f"{account} at {exchange}, nothing was written: replace each account's findings by themselves"
                )
        operation = partial(
            writes.replace_findings, exchange=exchange, account=account, found=tuple(findings), now_ns=now_ns
        )
        _, commit = await self._writer.submit(operation)
        return commit

    async def forget_expired_answers(self, now_ns: int) -> int:
        forgotten = 0
        operation = partial(writes.forget_answers, now_ns=now_ns)
        while True:
            count, _ = await self._writer.submit(operation)
            forgotten += count
            if count < writes.FORGET_CHUNK:
                return forgotten

    def kept_ns(self) -> int:
        return self._time.now_ns()

    def look_up_answer(self, source: str, key: str, now_ns: int) -> StoredAnswer | None:
        """Raises JournalUnavailable where the file has to be read and cannot be."""
        if not self._known.may_hold(source, key):
            return None
        try:
            return reads.answer(self._points, source, key, now_ns)
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def _learn_keys(self, known: KnownKeys, after: int) -> None:
        """What earlier processes wrote, a slice at a time between other reads; where that fails, all look-ups read."""
        keys, last = reads.keys(self._lists, after)
        known.add(keys)
        if last is None:
            known.complete = True
        else:
            self._reader.submit(self._learn_keys, known, after=last)

    def halts(self) -> Mapping[str, HaltLevel]:
        """By account, as last committed; an account that is missing was never halted."""
        return self._halts

    async def find_order(self, reference: str) -> Order | None:
        return await self._read(partial(reads.find_order, reference=reference))

    async def known_client_order_ids(self, exchange: str, account: str, ids: Sequence[str]) -> Mapping[str, Order]:
        known: dict[str, Order] = {}
        for start in range(0, len(ids), _LOOK_UP_CHUNK):
            chunk = ids[start : start + _LOOK_UP_CHUNK]
            read = partial(reads.orders_of_account, exchange=exchange, account=account, client_order_ids=chunk)
            known |= await self._read(read)
        return known

    async def transitions(self, order_id: str) -> Sequence[Transition]:
        return await self._read(partial(reads.transitions, order_id=order_id))

    async def fills(self, order_id: str) -> Sequence[Fill]:
        return await self._read(partial(reads.fills, order_id=order_id))

    async def newest_fill_ns(self, exchange: str, account: str) -> int | None:
        return await self._read(partial(reads.newest_fill_ns, exchange=exchange, account=account))

    async def holding(self, *, source: str, exchange: str, account: str, symbol: str) -> Decimal:
        return await self._read(partial(reads.holding, whose=(exchange, account, symbol, source)))

    async def holdings(self, exchange: str, account: str) -> Mapping[str, Decimal]:
        return await self._read(partial(reads.holdings, exchange=exchange, account=account))

    async def findings(self) -> Sequence[Finding]:
        return await self._read(reads.findings)

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
        await self._insert(SQL.beat, self._time.beat()._asdict())

    @property
    def free_bytes(self) -> int:
        """What the disk still has for us; raises OSError where the directory is gone."""
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    async def close(self) -> None:
        """Write what is queued, then let go of the file. Everything later raises JournalUnavailable."""
        self._points.close()
        self._known = KnownKeys()  # knows nothing: what is looked up from here on is refused, not unknown
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._closing:
            self._reader.shutdown()
            self._lists.close()
            self._writer.close()
            self._lock.release()

    async def _insert(self, sql: str, values: Mapping[str, object]) -> Commit:
        _, commit = await self._writer.submit(partial(writes.execute, sql=sql, values=values))
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


def _unreadable(error: sqlite3.Error) -> JournalUnavailable:
    return JournalUnavailable(f"the journal cannot be read: {error}")
