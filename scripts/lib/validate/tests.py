"""Check: the tests are there and pass."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from scripts.lib.run_tests import GROUPS, ROOT, Group, Result, run
from scripts.lib.validate.results import CheckError, LeftOutError

LOG = ROOT / "var" / "validate-tests.log"


class Extent(StrEnum):
    """How much is run."""

    NONE = "none"
    QUICK = "quick"
    ALL = "all"


QUICK = (
    Group(
        "quick",
        "pytest",
        (
            "tests/test_architecture.py",
            "tests/unit/core",
            "tests/unit/telemetry/test_conventions.py",
            "tests/unit/alerts/test_rules.py",
            "tests/unit/alerts/test_runbooks.py",
            "tests/unit/dashboards/test_files.py",
            "tests/unit/dashboards/test_structure.py",
            "tests/unit/test_settings.py",
            "-q",
        ),
    ),
)
"""The core that decides, and what holds code, rules and dashboards to the contract."""

_EXTENTS = {Extent.QUICK: QUICK, Extent.ALL: GROUPS}


def check(extent: Extent, log: Path = LOG) -> str:
    """Runs them; what they say is in `log`."""
    if extent is Extent.NONE:
        raise LeftOutError("not run: --tests none")
    return judge(extent.value, _EXTENTS[extent], log)


def judge(name: str, groups: Sequence[Group], log: Path) -> str:
    """Raises CheckError naming the groups in which something failed, or in which nothing passed."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("w", encoding="utf-8") as output:
        results = [run(group, output) for group in groups]
    bad = [result for result in results if result.failed or not result.passed]
    if bad:
        raise CheckError("; ".join(map(_said, bad)), f"what they say: {log}; again: ./scripts/test")
    passed, seconds = sum(result.passed for result in results), sum(result.seconds for result in results)
    return f"{name}: {passed} passed in {seconds:.0f} s"


def _said(result: Result) -> str:
    note = f" ({result.note})" if result.note else ""
    return f"{result.name}: {result.failed} failed, {result.passed} passed{note}"
