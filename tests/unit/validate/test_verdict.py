"""From results to a verdict, and from tests that were run to a result."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lib.run_tests import ROOT, Group
from scripts.lib.validate import tests as check_tests
from scripts.lib.validate.results import CheckError, LeftOutError, Result, Verdict, named, passed
from scripts.lib.validate.tests import QUICK, Extent
from scripts.lib.validate.view import document, verdict_line

PASSED = Result("one", Verdict.PASSED, "well")
FAILED = Result("two", Verdict.FAILED, "gone", "start it")
LEFT_OUT = Result("three", Verdict.LEFT_OUT, "not looked at")


def group(folder: Path, *lines: str) -> Group:
    """A test file of its own."""
    file = folder / "test_something.py"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return Group("own", "pytest", (str(file), "-q", "-p", "no:cacheprovider", f"--rootdir={folder}"))


@pytest.mark.parametrize(
    ("results", "good"),
    [([PASSED], True), ([PASSED, LEFT_OUT], True), ([PASSED, FAILED], False), ([LEFT_OUT], False), ([], False)],
)
def test_the_verdict_needs_something_that_passed_and_nothing_that_failed(results: list[Result], good: bool) -> None:
    assert passed(results) is good


def test_the_line_names_what_is_left_out() -> None:
    line = verdict_line([PASSED, FAILED, LEFT_OUT])

    assert line == "failed: 1 passed, 1 failed; left out of the verdict: three"


def test_the_document_holds_every_check_with_what_to_do() -> None:
    said = document([PASSED, FAILED, LEFT_OUT])

    assert (said["passed"], said["left_out"]) == (False, ["three"])
    assert said["checks"][1] == {"check": "two", "verdict": "failed", "found": "gone", "fix": "start it"}


def test_many_problems_are_counted_behind_the_first() -> None:
    assert named(["a", "b", "c"], most=2) == "a; b; and 1 more"
    assert named(["a", "b"], most=2) == "a; b"


def test_tests_that_pass_are_counted_and_their_words_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    found = check_tests.judge("own", [group(tmp_path, "def test_it(): pass")], log)

    assert found.startswith("own: 1 passed in ")
    assert "1 passed" in log.read_text("utf-8")


@pytest.mark.parametrize(
    ("line", "said"), [("def test_it(): assert False", "own: 1 failed, 0 passed"), ("", "own: 1 failed, 0 passed")]
)
def test_tests_that_fail_or_are_not_there_fail_the_check(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(CheckError, match=said) as failed:
        check_tests.judge("own", [group(tmp_path, line)], tmp_path / "log")
    assert str(tmp_path / "log") in failed.value.fix


def test_without_tests_the_check_is_left_out() -> None:
    with pytest.raises(LeftOutError, match="--tests none"):
        check_tests.check(Extent.NONE)


def test_every_file_of_the_quick_selection_exists() -> None:
    paths = [ROOT / argument for one in QUICK for argument in one.arguments if not argument.startswith("-")]

    assert [path for path in paths if not path.exists()] == []
