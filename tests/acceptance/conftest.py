"""Fillpath as its users meet it: real processes, real files, real ports."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("fillpath")
READY = "Try it in another terminal:"
READY_WITHIN_S = 20.0
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "var", "dist", "build", "__pycache__", ".*_cache", ".hypothesis")


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; bound together, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def environment(**over: str) -> dict[str, str]:
    """This process's environment without what would change the service or the tests' view of it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FILLPATH_", "OTEL_", "PYTEST_"))}
    kept.pop("VIRTUAL_ENV", None)
    kept.pop("COLUMNS", None)
    return kept | over


def on_free_ports() -> dict[str, str]:
    public, operator = free_ports(2)
    return environment(FILLPATH_PORT=str(public), FILLPATH_OPERATOR_PORT=str(operator))


def copy_of_the_project(to: Path) -> Path:
    """The tree as a fresh clone has it: nothing built, nothing installed."""
    return Path(shutil.copytree(ROOT, to, ignore=_NOT_COPIED))


class Running:
    """A process that was started and said that it is ready, or ended; its output is kept in files."""

    def __init__(self, command: Sequence[str | Path], folder: Path, environ: dict[str, str]) -> None:
        number = len(list(folder.glob("*.out")))
        self._out, self._err = folder / f"{number}.out", folder / f"{number}.err"
        self._started = time.monotonic()
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=err)

    @property
    def output(self) -> str:
        return self._out.read_text("utf-8")

    @property
    def errors(self) -> str:
        return self._err.read_text("utf-8")

    @property
    def notes(self) -> list[str]:
        """What stands on stderr beside the service's log, which is JSON."""
        return [line for line in self.errors.splitlines() if not line.startswith("{")]

    def ready(self, within: float = READY_WITHIN_S) -> float:
        """Seconds until it said so."""
        while READY not in self.output:
            waited = time.monotonic() - self._started
            assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.errors}"
            assert waited < within, f"not ready within {within} s: {self.errors}"
            time.sleep(0.02)
        return time.monotonic() - self._started

    def ended(self, within: float = READY_WITHIN_S) -> int:
        return self._process.wait(within)

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(READY_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Installation:
    """A folder with its data, and the `fillpath` that works there."""

    def __init__(self, folder: Path, environ: dict[str, str], program: Path = PROGRAM) -> None:
        self.folder = folder
        self.environ = environ
        self.program = program
        self._said: list[str] = []

    @contextlib.contextmanager
    def serving(self) -> Iterator[Running]:
        running = Running([self.program, "serve"], self.folder, self.environ)
        try:
            running.ready()
            yield running
        finally:
            running.stop()
            self._said += [running.output, running.errors]

    def fillpath(self, *arguments: str, **over: str) -> subprocess.CompletedProcess[str]:
        """One command to its end, output captured as in a pipe."""
        done = subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=self.environ | over,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self._said += [done.stdout, done.stderr]
        return done

    @property
    def secrets(self) -> list[str]:
        return [file.read_text("utf-8").strip() for file in (self.folder / "var/secrets").iterdir()]

    @property
    def said(self) -> str:
        """Everything that any command or service printed here."""
        return "\n".join(self._said)


def heed_interrupts() -> None:
    """In a child before it begins: tests that run in the background inherit that SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path, on_free_ports())
