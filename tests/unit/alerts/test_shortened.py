"""Shorter rules are the same rules: only durations differ."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.lib.alerts import load, shortened, write_shortened
from scripts.lib.alerts.rules import ROOT, RULES
from scripts.lib.alerts.shortened import milliseconds, shorten_prometheus

DEPLOY = ROOT / "deploy"
DURATION = re.compile(r"\[\w+\]|\boffset \w+")


def rules(expression: str, **more: str) -> dict[str, Any]:
    return {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": expression, **more}]}]}


def test_ranges_offsets_and_for_are_divided() -> None:
    short = shortened(rules("max_over_time(x[10m]) - x offset 1h30m > 60", **{"for": "2m"}), 60)

    rule = short["groups"][0]["rules"][0]
    assert rule["expr"] == "max_over_time(x[10000ms]) - x offset 90000ms > 60"
    assert rule["for"] == "2000ms"


def test_intervals_are_divided_but_not_below_a_second() -> None:
    document = rules("x > 1")
    document["groups"][0]["interval"] = "15s"

    assert shortened(document, 5)["groups"][0]["interval"] == "3000ms"
    assert shortened(document, 60)["groups"][0]["interval"] == "1000ms"


def test_a_window_stays_long_enough_for_two_scrapes() -> None:
    short = shortened(rules("min_over_time(x[5m]) > min_over_time(y[1s])"), 600, window_at_least=2)

    assert short["groups"][0]["rules"][0]["expr"] == "min_over_time(x[2000ms]) > min_over_time(y[1000ms])"


def test_names_numbers_and_texts_stay() -> None:
    expression = 'job:x:count5m{reason="waited [5m] offset 5m"} > 60'

    assert shortened(rules(expression), 60)["groups"][0]["rules"][0]["expr"] == expression


def test_what_was_given_is_not_changed() -> None:
    document = rules("x[10m]", **{"for": "2m"})

    shortened(document, 60)

    assert document == rules("x[10m]", **{"for": "2m"})


def test_a_factor_that_would_lengthen_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.5; expected 1 or more"):
        shortened(rules("x"), 0.5)


@pytest.mark.parametrize(("text", "ms"), [("30s", 30_000), ("1h30m", 5_400_000), ("500ms", 500), ("1d", 86_400_000)])
def test_durations_are_read_as_prometheus_writes_them(text: str, ms: int) -> None:
    assert milliseconds(text) == ms


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="'5 minutes' is no duration"):
        milliseconds("5 minutes")


def test_every_duration_of_the_real_rules_is_found_and_nothing_else_changes(tmp_path: Path) -> None:
    write_shortened(tmp_path, 60)

    assert [path.name for path in sorted(tmp_path.iterdir())] == [path.name for path in sorted(RULES.glob("*.yml"))]
    for long, short in zip(load(), load(tmp_path), strict=True):
        pairs = [*zip(long.alerts, short.alerts, strict=True), *zip(long.recordings, short.recordings, strict=True)]
        for before, after in pairs:
            assert DURATION.sub("", before.expression) == DURATION.sub("", after.expression)
            found = DURATION.findall(after.expression)
            assert all(each.rstrip("]").endswith("ms") for each in found), after.expression
            assert len(found) == len(DURATION.findall(before.expression))
        assert [entry.annotations for entry in long.alerts] == [entry.annotations for entry in short.alerts]


def test_what_prometheus_reads_is_shortened_in_place(tmp_path: Path) -> None:
    shutil.copy(ROOT / "deploy" / "prometheus.yml", tmp_path)
    shutil.copytree(RULES, tmp_path / "rules")

    shorten_prometheus(tmp_path, 30)

    before, after = (yaml.safe_load((folder / "prometheus.yml").read_text("utf-8")) for folder in (DEPLOY, tmp_path))
    assert after["global"] == dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), "2000ms")
    assert {**before, "global": None} == {**after, "global": None}
    write_shortened(tmp_path / "expected", 30)
    for path in RULES.glob("*.yml"):
        assert (tmp_path / "rules" / path.name).read_text() == (tmp_path / "expected" / path.name).read_text()


def test_a_factor_of_1_keeps_every_duration(tmp_path: Path) -> None:
    write_shortened(tmp_path, 1)

    for path in RULES.glob("*.yml"):
        before = yaml.safe_load(path.read_text("utf-8"))
        after = yaml.safe_load((tmp_path / path.name).read_text("utf-8"))
        for long, short in zip(before["groups"], after["groups"], strict=True):
            holds = [(milliseconds(rule.get("for", "0s"))) for rule in long["rules"]]
            assert holds == [milliseconds(rule.get("for", "0s")) for rule in short["rules"]]
