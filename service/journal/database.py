"""Opening the journal's file: its rights, its schema, connections that are durable, and a log without leftovers."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from service.clock import Clock
from service.folders import flush_folder
from service.journal.holdings import SumHeld
from service.journal.kept_time import Beat, KeptTime
from service.journal.protocol import JournalForeign, JournalTooNew, JournalUnavailable
from service.journal.queries import SQL

APPLICATION_ID = 0x46494C4C
"""Marks the file as a journal of Fillpath: "FILL"."""

VERSION = len(SQL.migrations)
"""The schema that this program reads and writes."""

_OLDEST_SQLITE = (3, 37, 0)  # STRICT tables

_BUSY_TIMEOUT_S = 2.0
"""How long to wait for someone who looks at the file from outside, such as an operator with the sqlite3 shell."""


def create_file(path: Path) -> None:
    """Rights 0600, empty where it is missing, and there after a power cut."""
    # Closed again before SQLite opens it: closing a second descriptor later would drop SQLite's own file locks.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    flush_folder(path.parent)


def migrate(path: Path, clock: Clock) -> KeptTime:
    """Bring the schema to `VERSION`, one transaction a step, and make sure that the file can be written.

    The time by which keys are kept goes on from where the file says that it was.

    Raises JournalForeign and JournalTooNew, both before anything is changed, and JournalUnavailable where the file
    cannot be written or its file system cannot do what a write-ahead log needs.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise JournalUnavailable(
            f"SQLite {needed} or newer is needed, this Python has {sqlite3.sqlite_version}: use a newer Python build"
        )
    with closing(_connect(path, "rw")) as connection:
        version = _version(connection, path)
        if version > VERSION:
            raise JournalTooNew(
                f"the journal {path} has schema version {version}, this program knows versions up to {VERSION}: "
                "run the newer Fillpath that wrote it, or use another data directory"
            )
        (mode,) = connection.execute(SQL.use_wal).fetchone()
        if mode != "wal":
            raise JournalUnavailable(
                f"the journal {path} needs a write-ahead log, its file system allows mode {mode} only: "
                "put the data directory on a local disk"
            )
        connection.executescript(SQL.configure)
        # A script's transaction that is left open by an error ends with the connection, undone.
        _provide_sum_held(connection)
        for script in SQL.migrations[version:]:
            connection.executescript(script)
        last = connection.execute(SQL.last_beat).fetchone()
        time = KeptTime(clock, None if last is None else Beat(*last))
        connection.execute(SQL.beat, time.beat()._asdict())
    return time


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read; it sees what is committed and nothing else."""
    return _connect(path, "ro")


class JournalFile:
    """The file as it was when the journal was opened, for the one thread that writes to it.

    Everything here raises sqlite3.Error or OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = _identity(path)

    def connect(self) -> sqlite3.Connection:
        self.check()
        with ExitStack() as undo:
            connection = _connect(self._path, "rw")
            undo.callback(connection.close)
            connection.executescript(SQL.configure)
            # The first read makes the log. SQLite flushes its name with the first commit, but passes over a flush that
            # fails: commits would go to a log that a power cut takes away.
            connection.execute(SQL.user_version).fetchone()
            flush_folder(self._path.parent)
            undo.pop_all()
        return connection

    def check(self) -> None:
        """Raise where the file was removed or replaced: SQLite would go on writing to what nobody can open again."""
        if _identity(self._path) != self._identity:
            raise OSError(f"{self._path} was replaced while in use; put the file back or restart")

    def empty_log(self, connection: sqlite3.Connection) -> None:
        """Move all that is committed into the database file and cut the log to nothing, on the disk too.

        Whatever a failed commit left in the log is gone afterwards. Raises too where someone outside reads an old
        state for longer than the time-out.
        """
        busy, _, _ = connection.execute(SQL.empty_log).fetchone()
        if busy:
            raise sqlite3.OperationalError("another program reads the journal and keeps its log from being emptied")
        with suppress(FileNotFoundError):
            _sync(self._path.with_name(f"{self._path.name}-wal"))


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        # Opened by one thread, then used by another one alone.
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    return connection


def _provide_sum_held(connection: sqlite3.Connection) -> None:
    # The type known to the checker takes one int and returns one; SQLite takes what `ARGUMENTS` says.
    create_aggregate: Callable[[str, int, type[SumHeld]], None] = cast("Any", connection).create_aggregate
    create_aggregate("sum_held", SumHeld.ARGUMENTS, SumHeld)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """0 for an empty file."""
    try:
        application_id = _pragma(connection, SQL.application_id)
        is_empty = _pragma(connection, SQL.count_objects) == 0
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise JournalForeign(_foreign(path, f"SQLite cannot read it: {error}")) from error
    if application_id == APPLICATION_ID:
        return _pragma(connection, SQL.user_version)
    if application_id or not is_empty:
        raise JournalForeign(_foreign(path, f"its application id is {application_id}, not {APPLICATION_ID}"))
    return 0


def _foreign(path: Path, finding: str) -> str:
    return f"{path} is not a journal of Fillpath ({finding}); it was not changed: use another data directory"


def _pragma(connection: sqlite3.Connection, sql: str) -> int:
    (value,) = connection.execute(sql).fetchone()
    return int(value)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
