"""The promtool tests are written from the cases, and tell every story of every rule."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from scripts.lib.alerts import load, promtool
from scripts.lib.alerts.cases.series import events, flat, gone, notation, steady
from scripts.lib.alerts.promtool import KINDS, TESTS
from scripts.lib.alerts.rules import Group

FILES = sorted({group.file for group in load()})


def test_the_files_are_what_the_cases_say() -> None:
    assert promtool.drifted() == []


def test_a_changed_a_missing_and_a_strange_file_are_named(tmp_path: Path) -> None:
    promtool.write(tmp_path)
    (tmp_path / "orders.yml").write_text("tests: []\n")
    (tmp_path / "security.yml").unlink()
    (tmp_path / "strange.yml").write_text("tests: []\n")

    assert promtool.drifted(tmp_path) == ["orders.yml", "security.yml", "strange.yml"]


@pytest.mark.parametrize("file", FILES)
def test_every_entry_of_every_rule_is_tested_in_every_kind(file: str, groups: list[Group]) -> None:
    document = yaml.safe_load((TESTS / file).read_text("utf-8"))
    names = [test["name"] for test in document["tests"]]
    titles = [entry.title for group in groups if group.file == file for entry in group.alerts]

    assert {f"{title}: {kind}" for title in titles for kind in KINDS} <= set(names)
    assert len(names) == len(set(names))


def test_six_stories_are_told_of_every_entry_and_none_twice(groups: list[Group]) -> None:
    files = [yaml.safe_load((TESTS / file).read_text("utf-8")) for file in FILES]
    told = Counter(name for document in files for test in document["tests"] if (name := _kind(test["name"])))
    entries = [entry for group in groups for entry in group.alerts]

    assert KINDS == ("fires on its fault", "healthy traffic", "no traffic", "first event", "resolves", "just below")
    assert told == dict.fromkeys(KINDS, len(entries))


def _kind(test: str) -> str | None:
    """Which of the six a test is; None for a story of its own."""
    return next((kind for kind in KINDS if test.endswith(f": {kind}")), None)


@pytest.mark.parametrize("file", FILES)
def test_what_a_story_says_is_what_its_test_expects(file: str) -> None:
    """A fault fires and is over in the end, healthy traffic and none at all are silent: whatever the cases say."""
    for test in yaml.safe_load((TESTS / file).read_text("utf-8"))["tests"]:
        always, kind = test["name"].startswith("Watchdog"), _kind(test["name"])
        firing = [bool(one["exp_samples"]) for one in test.get("promql_expr_test", ())]
        if kind == "fires on its fault":
            assert all(one["exp_alerts"] for one in test["alert_rule_test"]), test["name"]
        elif kind in {"healthy traffic", "no traffic", "just below"}:
            assert firing, test["name"]
            assert set(firing) == {always}, test["name"]
        elif kind == "first event":
            assert firing == [True], test["name"]
        elif kind == "resolves":
            assert firing == ([True] if always else [True, False]), test["name"]


@pytest.mark.parametrize("file", FILES)
def test_every_test_expects_something(file: str) -> None:
    document = yaml.safe_load((TESTS / file).read_text("utf-8"))

    assert [
        test["name"] for test in document["tests"] if not {"alert_rule_test", "promql_expr_test"} & test.keys()
    ] == []


def test_values_are_written_in_promtools_words() -> None:
    assert notation(flat(3), 5) == "3x4"
    assert notation(steady(2), 4) == "0+2x3"
    assert notation(gone(flat(1), 2, 3), 6) == "1x1 stale _x1 1x1"
    assert notation(events(7, at=2), 5) == "0x1 7x2"
    assert notation(lambda i: [0, 5, 3][i], 3) == "0 5 3"


def test_written_values_say_what_was_meant() -> None:
    for document in map(yaml.safe_load, promtool.files().values()):
        for test in document["tests"]:
            lengths = {len(expanded(series["values"])) for series in test["input_series"]}
            assert len(lengths) <= 1, test["name"]


def expanded(values: str) -> list[float | None]:
    """promtool's notation, read back."""
    result: list[float | None] = []
    for word in values.split():
        start, _, times = word.partition("x")
        if start in {"_", "stale"}:
            result += [None] * int(times or 1)
            continue
        first, sign, step = start.partition("+")
        result += [float(first) + i * float(step if sign else 0) for i in range(int(times or 0) + 1)]
    return result
