"""A program's changes of its disk, in order, as `disk.c` records them; and the faults that it can be given."""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
_SOURCE = Path(__file__).with_name("disk.c")
_RECORD = struct.Struct("<cHIq")
_FAULTS = struct.Struct("<5q")
_LONGEST_RUN_S = 300.0


class Change(NamedTuple):
    """One call that succeeded, but for kind "F"; `path` is relative to the watched folder, "" that folder itself.

    `number` is the offset of a write or the new size; `data` what was written, or the new path as it was given.
    """

    kind: str
    path: str
    number: int
    data: bytes


def build(folder: Path) -> Path:
    """The library to preload, compiled into `folder`. Raises RuntimeError where it cannot be compiled."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        raise RuntimeError("watching the disk needs Linux and a C compiler named cc: install gcc or clang")
    library = folder / "disk.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", str(_SOURCE), "-o", str(library), "-ldl"]
    done = subprocess.run([*command, "-lpthread"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{_SOURCE} does not compile: {done.stderr}")
    return library


class Faults:
    """What the disk and the wall clock of a watched process do, from now on; 0 is what they do without us.

    `clock_shift_ns` moves the wall clock. `write_errno` and `sync_errno` are error numbers that writes and flushes
    fail with, as negative numbers the next one alone; `spared_syncs` flushes pass first. `sync_delay_ms` is how
    much longer every flush takes.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        if not file.exists():
            file.write_bytes(bytes(_FAULTS.size))
        with file.open("r+b") as stream:
            self._page = mmap.mmap(stream.fileno(), _FAULTS.size)

    def set(
        self,
        *,
        clock_shift_ns: int = 0,
        write_errno: int = 0,
        sync_errno: int = 0,
        sync_delay_ms: int = 0,
        spared_syncs: int = 0,
    ) -> None:
        _FAULTS.pack_into(self._page, 0, clock_shift_ns, write_errno, sync_errno, sync_delay_ms, spared_syncs)

    def close(self) -> None:
        self._page.close()


def environment(
    library: Path, *, below: Path, log: Path | None = None, faults: Path | None = None, only: str | None = None
) -> dict[str, str]:
    """What to add to a program's environment so that its changes below `below` are recorded or fail.

    `only` says how the names of the files begin that are meant.
    """
    values = {
        "LD_PRELOAD": library,
        "UNSTEADY_BELOW": below,
        "UNSTEADY_LOG": log,
        "UNSTEADY_FAULTS": faults,
        "UNSTEADY_ONLY": only,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def record(folder: Path, module: str, arguments: Sequence[str]) -> list[Change]:
    """All changes that `python -m module <watched folder> <faults file> <arguments>` makes, run to its end.

    Raises RuntimeError with what it said where it fails.
    """
    folder = folder.resolve()
    below, log, faults = folder / "disk", folder / "changes", folder / "faults"
    below.mkdir()
    Faults(faults).close()
    done = subprocess.run(
        [sys.executable, "-m", module, str(below), str(faults), *arguments],
        cwd=ROOT,
        env=os.environ | environment(build(folder), below=below, log=log, faults=faults),
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_RUN_S,
    )
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}: {done.stderr[-4000:]}")
    return list(_changes(log.read_bytes(), str(below)))


def _changes(log: bytes, below: str) -> Iterator[Change]:
    at = 0
    while at < len(log):
        kind, path_length, length, number = _RECORD.unpack_from(log, at)
        path_at = at + _RECORD.size
        data_at = path_at + path_length
        at = data_at + length
        data = log[data_at:at]
        if kind in b"LR":
            data = _relative(data.decode(), below).encode()
        yield Change(kind.decode(), _relative(log[path_at:data_at].decode(), below), number, data)


def _relative(path: str, below: str) -> str:
    return path.removeprefix(below).strip("/")
