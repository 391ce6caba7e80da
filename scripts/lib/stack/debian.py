"""Installs Debian packages, and keeps their daemons from starting: the stack starts what it needs itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.lib.stack.errors import StackError, Tell, tail

POLICY = Path("/usr/sbin/policy-rc.d")
_KEEPS_STOPPED = "#!/bin/sh\n# Written while Fillpath installs packages: none of them starts a daemon.\nexit 101\n"
_CANDIDATE = re.compile(r"^\s*Candidate:\s*(?:\d+:)?(\d+)\.(\d+)", re.MULTILINE)


def why_not(environ: Mapping[str, str], *, asked: bool) -> str | None:
    """Why nothing may be installed; None where it may: asked for, by root, on a system with apt."""
    if shutil.which("apt-get", path=environ.get("PATH")) is None:
        return "there is no apt-get here"
    if os.geteuid() != 0:
        return "installing packages needs root"
    if not (asked or environ.get("CI", "").lower() == "true"):
        return "installing packages was not asked for"
    return None


def candidates(packages: Sequence[str], environ: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """The version of each package that apt would install; a package without one is left out."""
    found = {}
    for package in packages:
        done = subprocess.run(
            ["apt-cache", "policy", package],  # noqa: S607 - the system's own
            env={**environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        if match := _CANDIDATE.search(done.stdout):
            found[package] = (int(match[1]), int(match[2]))
    return found


def refresh(environ: Mapping[str, str], log: Path, tell: Tell) -> None:
    """Read the package lists anew; raises StackError."""
    tell("reading Debian's package lists")
    _apt(["update"], environ, log)


def install(packages: Sequence[str], environ: Mapping[str, str], log: Path, tell: Tell) -> None:
    """Install packages without starting their daemons, now or at the next boot; raises StackError."""
    tell(f"installing Debian's {', '.join(packages)}")
    with daemons_stopped():
        _apt(["install", "--yes", "--no-install-recommends", *packages], environ, log)
    if Path("/run/systemd/system").is_dir():
        subprocess.run(
            ["systemctl", "disable", *packages],  # noqa: S607 - the system's own
            capture_output=True,
            check=False,
        )


@contextmanager
def daemons_stopped(policy: Path = POLICY) -> Iterator[None]:
    """Debian's own switch for package scripts (invoke-rc.d); one that is there already is left as it is."""
    try:
        descriptor = os.open(policy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
    except FileExistsError:
        yield
        return
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_KEEPS_STOPPED)
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)


def _apt(arguments: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        status = subprocess.run(
            ["apt-get", *arguments],  # noqa: S607 - the system's own
            env={**environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        ).returncode
    if status != 0:
        raise StackError(
            f"`apt-get {arguments[0]}` ended with status {status}, its last words:\n{tail(log)}\n  all of them: {log}"
        )
