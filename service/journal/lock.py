"""One process a journal: an exclusive lock on a file beside it, released by the kernel however the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from service.journal.protocol import JournalLocked


class JournalLock:
    """Held from construction to `release`. The file holds the holder's pid and is never removed: removing it would
    let two processes lock two files of the same name.

    Raises JournalLocked, which names the holder, where another process (or this one) holds it already.
    """

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(f"{journal.name}.lock")
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise JournalLocked(
                f"the journal {journal} is held by process {holder}; one process at a time may use it: "
                "stop that one, or give this one another data directory"
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
