"""What a check came to."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    LEFT_OUT = "left out"
    """Not looked at, because that was asked for; it counts neither way."""


class Result(NamedTuple):
    """`fix` is what to do; empty unless it failed."""

    check: str
    verdict: Verdict
    found: str
    fix: str = ""


class CheckError(Exception):
    """Something is not as it should be: what was found, and what to do."""

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(found)
        self.found = found
        self.fix = fix


class LeftOutError(Exception):
    """The check was asked to be left out; says how."""


def named(problems: Sequence[str], most: int = 6) -> str:
    """The first of them in a line, and how many more there are."""
    more = len(problems) - most
    return "; ".join(problems[:most]) + (f"; and {more} more" if more > 0 else "")


def passed(results: Sequence[Result]) -> bool:
    """Whether nothing failed and something was looked at."""
    verdicts = {result.verdict for result in results}
    return Verdict.FAILED not in verdicts and Verdict.PASSED in verdicts
