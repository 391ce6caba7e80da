"""Builds programs with Go into a cache: whole or not there at all, one build of a program at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scripts.lib.stack.errors import StackError, Tell, tail
from scripts.lib.stack.versions import GO, Build

ROOT = Path(__file__).resolve().parents[3]
_TELL_EVERY_S = 1.0
_GO_VERSION = re.compile(r"go(\d+)\.(\d+)")
_GO_WITH_TOOLCHAINS = (1, 21)


def cache(environ: Mapping[str, str]) -> Path:
    """Where built programs are kept: `$XDG_CACHE_HOME/fillpath/programs`, else below `~/.cache`."""
    base = Path(environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "fillpath" / "programs"


def key(build: Build, root: Path = ROOT) -> str:
    """Short hash of everything that decides what comes out."""
    digest = hashlib.sha256(repr(build.steps).encode())
    for name in build.inputs:
        digest.update(b"\0" + (root / name).read_bytes())
    return digest.hexdigest()[:16]


def built(build: Build, environ: Mapping[str, str]) -> Path:
    """The folder that holds, or will hold, the programs of a build."""
    return cache(environ) / f"{build.name}-{key(build)}"


def why_not(environ: Mapping[str, str]) -> str | None:
    """Why Go cannot build here; None where it can."""
    needed = f"building needs Go {'.'.join(map(str, GO))} or newer"
    program = shutil.which("go", path=environ.get("PATH"))
    if program is None:
        return f"no `go` on the PATH; {needed}"
    try:
        done = subprocess.run(
            [program, "env", "GOVERSION", "GOTOOLCHAIN"], env=environ, capture_output=True, text=True, check=False
        )
    except OSError as error:
        return f"{program} does not run ({error}); {needed}"
    version, _, toolchain = done.stdout.partition("\n")
    found = _GO_VERSION.match(version)
    if done.returncode != 0 or found is None:
        return f"{program} does not tell its version; {needed}"
    release = (int(found[1]), int(found[2]))
    # It fetches the newer Go that a module asks for, unless it is told not to.
    fetches = release >= _GO_WITH_TOOLCHAINS and toolchain.strip() not in {"local", "path"}
    return None if release >= GO or fetches else f"{program} is {version.strip()}; {needed}"


def make(build: Build, environ: Mapping[str, str], tell: Tell) -> Path:
    """Build unless it is there; the folder with the programs. Raises StackError with the end of the build's log."""
    folder = built(build, environ)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.parent / f"{build.name}.lock", lambda: tell(f"another build of {build.name} is at work")):
        if not folder.is_dir():
            for left in folder.parent.glob(f".{build.name}-*"):  # of a build that was killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f".{build.name}-", dir=folder.parent) as work:
                _build(build, Path(work), folder, environ, tell)
    return folder


def _build(build: Build, work: Path, folder: Path, environ: Mapping[str, str], tell: Tell) -> None:
    for name in build.inputs:
        shutil.copy(ROOT / name, work)
    log = folder.parent / f"{build.name}.log"
    log.write_bytes(b"")
    started = time.monotonic()

    def progress() -> None:
        seconds = round(time.monotonic() - started)
        tell(f"building {build.name} ({seconds // 60}:{seconds % 60:02} of about {build.minutes:g} min) {_last(log)}")

    for step in build.steps:
        status = _run(step, work, environ, log, progress)
        if status != 0:
            raise StackError(
                f"building {build.name} failed: `{step[0]} {step[1]}` ended with status {status}, its last words:\n"
                f"{tail(log)}\n  all of them: {log}\nmend it and start again"
            )
    ready = work / "ready"
    ready.mkdir()
    for name, made in build.outputs.items():
        (work / made).rename(ready / name)
    ready.rename(folder)


def _run(step: tuple[str, ...], work: Path, environ: Mapping[str, str], log: Path, progress: Callable[[], None]) -> int:
    program = str(work / step[0]) if "/" in step[0] else shutil.which(step[0], path=environ.get("PATH")) or step[0]
    # The user's own settings of Go hold; only where the results go is ours.
    environment = {**environ, "GOBIN": str(work / "bin")}
    progress()
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [program, *step[1:]], cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        try:
            while True:
                try:
                    return process.wait(_TELL_EVERY_S)
                except subprocess.TimeoutExpired:
                    progress()
        finally:
            # Whatever ends the waiting, Ctrl-C too, ends the build.
            process.kill()


def _last(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").split("\n")
    return next((line.strip()[-60:] for line in reversed(lines) if line.strip()), "")


@contextmanager
def _locked(file: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Only one holder at a time; a killed one frees it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
