from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from scripts.lib.run_tests import GROUPS, Group, Result, counts, missing, summary
from scripts.lib.set_up import LOCKS, fingerprint, is_current
from service.settings import decode

ROOT = Path(__file__).resolve().parents[3]
PYTEST = Group("unit", "pytest", ())


@pytest.fixture
def project(tmp_path):
    (tmp_path / "requirements").mkdir()
    for name in (*LOCKS.values(), "pyproject.toml"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("purpose", "stamp", "current"),
    [
        ("run", "run abc\n", True),
        ("run", "test abc\n", True),
        ("test", "test abc\n", True),
        ("test", "run abc\n", False),
        ("run", "run abd\n", False),
        ("run", "", False),
    ],
)
def test_what_was_installed_for_tests_serves_a_run_but_not_the_other_way_round(purpose, stamp, current):
    assert is_current(purpose, stamp, "abc") is current


@pytest.mark.parametrize("changed", [*LOCKS.values(), "pyproject.toml"])
def test_a_changed_lock_or_project_is_another_fingerprint(project, changed):
    before = fingerprint(project, "3.11")

    (project / changed).write_text("changed")

    assert fingerprint(project, "3.11") != before


def test_another_python_or_folder_is_another_fingerprint(project, tmp_path):
    moved = project.rename(tmp_path.with_name("moved elsewhere"))

    assert len({fingerprint(moved, "3.11"), fingerprint(moved, "3.12")}) == 2


def test_passed_failed_and_skipped_tests_are_told_apart(tmp_path):
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="10" failures="2" errors="1" skipped="1"/></testsuites>')

    assert counts(PYTEST, 1, report) == (6, 3)


@pytest.mark.parametrize("status", [1, 2, 5, -9])
def test_a_failing_status_counts_as_a_failure_even_without_a_report(tmp_path, status):
    assert counts(PYTEST, status, tmp_path / "none.xml") == (0, 1)


def test_a_missing_program_is_named():
    assert missing(Group("x", "no_such_module", (), needs=("sh", "no-such-program"))) == [
        "no_such_module",
        "no-such-program",
    ]


def test_the_summary_ends_with_one_plain_line():
    text = summary([Result("mypy", 1, 0, 2.0), Result("unit", 40, 2, 10.0), Result("x", 0, 1, 0.0, "not installed: y")])

    assert text.splitlines()[-1] == "41 passed, 3 failed"
    assert "x     FAILED       0 passed     1 failed      0.0 s  not installed: y" in text.splitlines()


def test_every_test_folder_is_in_a_group():
    unit = next(group for group in GROUPS if group.name == "unit")
    ignored = {argument.partition("=")[2] for argument in unit.arguments if argument.startswith("--ignore=")}

    assert ignored <= {group.arguments[0] for group in GROUPS}


def test_the_first_configuration_is_valid_and_generous_to_the_paper_exchange():
    settings = decode(tomllib.loads((ROOT / "scripts/lib/fillpath.toml").read_text("utf-8")))

    default, tradingview = settings.sources["default"], settings.sources["tradingview"]
    assert (default.auth, default.rate, default.burst) == ("standard", 2000, 4000)
    assert default.accounts == tuple(settings.accounts)
    assert (tradingview.auth, tradingview.accounts, tradingview.rate) == ("token", ("paper-1",), 50)


@pytest.mark.parametrize("script", ["scripts/run", "scripts/test", ".ci/run"])
def test_scripts_are_executable_and_for_any_posix_shell(script):
    path = ROOT / script

    assert path.stat().st_mode & stat.S_IXUSR
    assert path.read_text("utf-8").startswith("#!/bin/sh\n")
