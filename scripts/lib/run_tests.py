"""Runs the checks and tests in groups and closes with a table and one line: `N passed, N failed`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[2]


class Group(NamedTuple):
    """One step: a Python module with arguments; `needs` are programs on the PATH beside it."""

    name: str
    module: str
    arguments: tuple[str, ...]
    needs: tuple[str, ...] = ()


class Result(NamedTuple):
    name: str
    passed: int
    failed: int
    seconds: float
    note: str = ""


GROUPS = (
    Group("ruff check", "ruff", ("check", ".")),
    Group("ruff format", "ruff", ("format", "--check", ".")),
    Group("mypy", "mypy", ("service", "telemetry", "scripts", "dashboards")),
    Group(
        "unit",
        "pytest",
        (
            "tests",
            "--ignore=tests/integration",
            "--ignore=tests/exchanges",
            "--ignore=tests/chaos",
            "--ignore=tests/acceptance",
            "-q",
            "-n",
            "3",
            "--dist",
            "worksteal",
        ),
    ),
    Group("integration", "pytest", ("tests/integration", "-q")),
    # They wait more than they compute: how long an exchange may take to execute a request is waited out for real.
    Group("exchanges", "pytest", ("tests/exchanges", "-q", "-n", "8", "--dist", "worksteal")),
    Group("chaos", "pytest", ("tests/chaos", "-q", "-n", "4", "--dist", "worksteal"), needs=("cc",)),
    Group(
        "acceptance",
        "pytest",
        (
            "tests/acceptance",
            "--ignore=tests/acceptance/stack",
            "--ignore=tests/acceptance/alerts",
            "-q",
            "-n",
            "2",
            "--dist",
            "loadfile",
        ),
    ),
    # Last: where a server is missing, everything else has been said. Its tests find or build the servers themselves.
    Group(
        "stack",
        "pytest",
        (
            "tests/acceptance/stack",
            "tests/acceptance/alerts",
            "--ignore=tests/acceptance/alerts/live",
            "-q",
            "-n",
            "2",
            "--dist",
            "loadfile",
        ),
    ),
    Group("rules live", "pytest", ("tests/acceptance/alerts/live", "-q")),
)


def missing(group: Group) -> list[str]:
    """What this group needs and this machine does not have."""
    programs = [program for program in group.needs if shutil.which(program) is None]
    return programs if importlib.util.find_spec(group.module) else [group.module, *programs]


def run(group: Group, output: IO[str] | None = None) -> Result:
    """One group; what it says goes to `output`, or is passed through."""
    lacking = missing(group)
    print(f"\n=== {group.name}", file=output, flush=True)
    if lacking:
        note = f"not installed: {', '.join(lacking)}"
        print(note, file=output, flush=True)
        return Result(group.name, 0, 1, 0.0, note)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        extra = [f"--junit-xml={report}"] if group.module == "pytest" else []
        command = [sys.executable, "-m", group.module, *group.arguments, *extra]
        errors = subprocess.STDOUT if output else None
        status = subprocess.run(command, cwd=ROOT, stdout=output, stderr=errors, check=False).returncode
        passed, failed = counts(group, status, report)
    return Result(group.name, passed, failed, time.monotonic() - started)


def counts(group: Group, status: int, report: Path) -> tuple[int, int]:
    """Passed and failed tests of a group; a tool that is no test runner counts as one.

    A status that says failure is never counted as less than one, whatever the report says or whether there is one.
    """
    if group.module != "pytest":
        return (1, 0) if status == 0 else (0, 1)
    passed = failed = 0
    if report.is_file():
        for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - written by our own pytest just now
            number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
            failed += number["failures"] + number["errors"]
            passed += number["tests"] - number["failures"] - number["errors"] - number["skipped"]
    return passed, failed if status == 0 else max(failed, 1)


def summary(results: Sequence[Result]) -> str:
    """The closing table and line."""
    width = max(len(result.name) for result in results)
    lines = [
        f"{result.name:<{width}}  {'FAILED' if result.failed else 'ok':<6}  {result.passed:>6} passed"
        f"  {result.failed:>4} failed  {result.seconds:>7.1f} s  {result.note}".rstrip()
        for result in results
    ]
    passed, failed = sum(result.passed for result in results), sum(result.failed for result in results)
    return "\n".join([*lines, "", f"{passed} passed, {failed} failed"])


def main(arguments: Sequence[str]) -> int:
    """All groups, whatever fails on the way; with `arguments` pytest alone with these."""
    os.chdir(ROOT)
    if arguments:
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])  # noqa: S606 - pytest, as asked
    results = [run(group) for group in GROUPS]
    print(f"\n=== summary\n{summary(results)}", flush=True)
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
