"""The promtool tests are written from the cases, and tell every story of every rule."""

from __future__ import annotations

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
