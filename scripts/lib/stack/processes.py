"""Servers as processes that outlive whoever started them: found again by pid and start time, never by name."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from scripts.lib.stack.errors import StackError

_STOP_WITHIN_S = 40.0
_LOOK_EVERY_S = 0.05
_LOG_BYTES = 50_000_000


class Record(msgspec.Struct, frozen=True):
    """What is written down of a running server: a pid alone may be another process's by now."""

    pid: int
    started: str
    version: str


class ServerProcess:
    """The process of one server in a stack's folder, if it runs."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.log = folder / "logs" / f"{name}.log"
        self._file = folder / "run" / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None

    def running(self) -> Record | None:
        """Its record while it runs."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        try:
            record = msgspec.json.decode(self._file.read_bytes(), type=Record)
        except (OSError, msgspec.DecodeError):
            return None
        return record if start_of(record.pid) == record.started else None

    def start(self, command: Sequence[str | Path], environ: Mapping[str, str], folder: Path, version: str) -> None:
        """Start it in a session of its own, in `folder`, everything it writes readable by the owner only."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self.log.is_file() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            try:
                child = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    umask=0o077,
                )
            except OSError as error:
                raise StackError(f"{self.name} cannot be started: {error}") from None
        self._child = child
        record = Record(pid=child.pid, started=start_of(child.pid) or "", version=version)
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(record))
        fresh.replace(self._file)

    def stop(self) -> bool:
        """End it in order; kill it when that takes too long. Whether it ran."""
        record = self.running()
        if record is None:
            self._ended()
            return False
        with suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGTERM)
        if not self._gone(_STOP_WITHIN_S):
            self.kill()
        self._ended()
        return True

    def kill(self) -> None:
        """`kill -9`."""
        record = self.running()
        if record is not None:
            with suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)
            if not self._gone(_STOP_WITHIN_S):
                raise StackError(
                    f"{self.name} (pid {record.pid}) is still there after SIGKILL; look why: ps {record.pid}"
                )
        self._ended()

    def _gone(self, within: float) -> bool:
        until = time.monotonic() + within
        while self.running() is not None:
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True

    def _ended(self) -> None:
        self._file.unlink(missing_ok=True)
        if self._child is not None:
            self._child.wait()
            self._child = None


def start_of(pid: int) -> str | None:
    """When a process started, as text that no other process with this pid has; None where there is none."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The name stands in brackets and may hold anything; the fields behind it are numbers.
            state, *numbers = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
        except OSError:
            return None
        return None if state in {"Z", "X"} else f"{boot} {numbers[18]}"
    done = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607 - the system's own
        env={"LC_ALL": "C", "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = done.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
