"""Finds the programs of the stack, and gets those that are missing: all is known before anything starts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.stack import builds, debian
from scripts.lib.stack.errors import StackError, Tell, silent
from scripts.lib.stack.versions import GO, Program

_VERSION = re.compile(r"\bv?(\d+)\.(\d+)\.(\d+)")
_ASK_WITHIN_S = 30.0
_DOCKER_WITHIN_S = 10.0

Check = Callable[[Program, Path], str | None]
"""Says why a program of the right version will not do all the same; None where it does."""


class Found(NamedTuple):
    """A program that will do; `origin` says where it comes from."""

    path: Path
    version: str
    origin: str


class Missing(NamedTuple):
    """A program that is not there, or will not do; `final` where the user named it, so that nothing else is tried."""

    reason: str
    final: bool = False


def accept(_: Program, __: Path) -> str | None:
    """The version is all that counts."""
    return None


def find(program: Program, environ: Mapping[str, str], check: Check = accept) -> Found | Missing:
    """From the environment, else from the PATH, else from the cache of what was built."""
    if named := environ.get(program.variable, ""):
        found = _judge(program, Path(named), program.variable, environ, check)
        return Missing(f"{program.variable}: {found.reason}", final=True) if isinstance(found, Missing) else found
    reasons = []
    for command in program.commands:
        if on_path := shutil.which(command, path=environ.get("PATH")):
            found = _judge(program, Path(on_path), "PATH", environ, check)
            if isinstance(found, Found):
                return found
            reasons.append(found.reason)
    cached = builds.built(program.build, environ) / program.name
    if cached.is_file():
        found = _judge(program, cached, "cache", environ, check)
        if isinstance(found, Found):
            return found
        reasons.append(found.reason)
    return Missing("; ".join(reasons) or "not on the PATH, and not built yet")


def get(
    programs: Sequence[Program],
    environ: Mapping[str, str] = os.environ,
    *,
    install: bool = False,
    check: Check = accept,
    tell: Tell = silent,
) -> dict[str, Found]:
    """Every program by its name: found, installed where that is allowed, or built.

    Raises StackError with all that cannot be had, and how to get each, before anything is built.
    """
    result, missing = _search(programs, environ, check)
    if missing and debian.why_not(environ, asked=install) is None:
        _install([program for program in programs if _open(missing, program)], environ, tell)
        result, missing = _search(programs, environ, check)
    if not missing:
        return result
    no_go = builds.why_not(environ)
    if no_go is not None or any(each.final for each in missing.values()):
        raise StackError(_explain({p: missing[p.name] for p in programs if p.name in missing}, no_go, environ))
    for build in {program.build: None for program in programs if program.name in missing}:
        builds.make(build, environ, tell)
    result, missing = _search(programs, environ, check)
    if missing:
        raise StackError(
            "\n".join(f"{name} was built and will not do: {each.reason}" for name, each in missing.items())
        )
    return result


def _search(
    programs: Sequence[Program], environ: Mapping[str, str], check: Check
) -> tuple[dict[str, Found], dict[str, Missing]]:
    answers = {program.name: find(program, environ, check) for program in programs}
    return (
        {name: answer for name, answer in answers.items() if isinstance(answer, Found)},
        {name: answer for name, answer in answers.items() if isinstance(answer, Missing)},
    )


def _open(missing: Mapping[str, Missing], program: Program) -> bool:
    return program.name in missing and not missing[program.name].final


def _judge(program: Program, path: Path, origin: str, environ: Mapping[str, str], check: Check) -> Found | Missing:
    try:
        done = subprocess.run(
            [path, *program.ask],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_ASK_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Missing(f"{path} does not run ({error})")
    version = _VERSION.search(done.stdout)
    if version is None:
        return Missing(f"{path} does not tell its version (`{path.name} {' '.join(program.ask)}`)")
    numbers = tuple(map(int, version.groups()))
    if numbers < program.least:
        return Missing(f"{path} is {'.'.join(version.groups())}, needed is {_least(program)} or newer")
    reason = check(program, path)
    return Found(path, ".".join(version.groups()), origin) if reason is None else Missing(f"{path}: {reason}")


def _install(programs: Sequence[Program], environ: Mapping[str, str], tell: Tell) -> None:
    """Those of the missing that Debian has in a version that will do; the others are left to be built."""
    wanted = {program.package: program.least for program in programs if program.package is not None}
    if not wanted:
        return
    log = builds.cache(environ) / "apt.log"
    debian.refresh(environ, log, tell)
    offered = debian.candidates(list(wanted), environ)
    packages = [package for package, least in wanted.items() if package in offered and offered[package] >= least]
    if packages:
        debian.install(packages, environ, log, tell)


def _explain(missing: Mapping[Program, Missing], no_go: str | None, environ: Mapping[str, str]) -> str:
    lines = ["missing, so nothing was started:"]
    for program, each in missing.items():
        lines.append(f"  {program.name} {_least(program)} or newer: {each.reason}")
        lines.extend(f"    - {way}" for way in _ways(program, environ))
    if no_go is not None:
        lines.append(f"what is missing would be built, but: {no_go}")
    if _docker_answers(environ):
        lines.append("or, as Docker is at hand: `docker compose up` gives all of the stack")
    return "\n".join(lines)


def _ways(program: Program, environ: Mapping[str, str]) -> list[str]:
    ways = [f"set {program.variable} to its path, or put it on the PATH"]
    if program.package is not None and shutil.which("apt-get", path=environ.get("PATH")):
        ways.append(f"as root: ./scripts/stack up --install (Debian's {program.package})")
    needed = ".".join(map(str, GO))
    ways.append(f"with Go {needed} or newer on the PATH it is built, in about {program.build.minutes:g} min")
    return ways


def _least(program: Program) -> str:
    return ".".join(map(str, program.least))


def _docker_answers(environ: Mapping[str, str]) -> bool:
    """Whether there is an engine, not only a client."""
    try:
        done = subprocess.run(
            ["docker", "info"],  # noqa: S607 - whichever the user has
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DOCKER_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
