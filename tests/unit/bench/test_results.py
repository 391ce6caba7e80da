from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from scripts.lib.bench import machine
from scripts.lib.bench.figures import Bar
from scripts.lib.bench.machine import Load
from scripts.lib.bench.results import Result, Table, document, show, side_by_side, text

MACHINE = machine.Machine(
    cores=2,
    service_cores=(0,),
    other_cores=(1,),
    pinned=True,
    system="Linux x86_64",
    python="3.11.7",
    uvloop=True,
    load_average=0.5,
    fsync_p50_ms=0.2,
    fsync_p95_ms=1.5,
    folder="/somewhere",
)


def shown(*results):
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as captured:
        show(console, results, MACHINE)
    return captured.get()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (math.nan, "-"),
        (None, "-"),
        ("off", "off"),
        (0.0, "0"),
        (12_345, "12,345"),
        (12_345.6, "12,346"),
        (123.456, "123.5"),
        (1.234, "1.23"),
        (0.0123, "0.01"),
        (-15.55, "-15.6"),
    ],
)
def test_a_figure_has_as_many_digits_as_it_is_worth(value, words):
    assert text(value) == words


def test_columns_measured_on_a_disturbed_machine_are_marked_and_the_mark_is_explained():
    table = side_by_side("t", {"speed": "s"}, {"off": {"s": 10.0}, "sdk": {"s": 2.0}}, {"sdk"})

    assert table.columns == ("", "off", "sdk *")
    assert table.rows == [("speed", 10.0, 2.0)]
    assert "says little" in shown(Result("service", tables=[table]))


def test_an_undisturbed_table_has_no_marks():
    table = side_by_side("t", {"speed": "s"}, {"off": {"s": 10.0}}, set())

    said = shown(Result("service", tables=[table], complete=True))

    assert "*" not in said
    assert "not complete" not in said


@pytest.mark.parametrize(
    ("load", "disturbed"),
    [
        (Load(0.05, 0.1), False),
        (Load(0.051, 0.0), True),
        (Load(0.0, 0.101), True),
        (Load(), False),
    ],
)
def test_more_than_a_twentieth_stolen_or_a_tenth_taken_disturbs(load, disturbed):
    assert load.disturbed is disturbed
    assert str(load).endswith("*") is disturbed


def test_the_limits_in_force_stand_first():
    said = shown()

    assert "service on core 0, load and receiver on 1" in said
    assert "Python 3.11.7, uvloop" in said
    assert "P50 0.20 ms, P95 1.50 ms" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"other_cores": (0,)}, "one core for all"),
        ({"pinned": False}, "no process is pinned"),
    ],
)
def test_a_machine_that_bounds_the_figures_otherwise_says_so(change, words):
    from dataclasses import replace

    assert words in "\n".join(replace(MACHINE, **change).lines())


def test_bars_are_shown_with_their_verdict():
    said = shown(Result("unit", bars=[Bar("cost", 0.08, "at most", 0.1), Bar("speed", 0.5, "at least", 0.6)]))

    assert "cost: 0.080 (bar: at most 0.1) met" in said
    assert "speed: 0.500 (bar: at least 0.6) missed" in said


def test_the_document_is_json_whatever_could_not_be_measured():
    result = Result("unit", bars=[Bar("cost", math.nan, "at most", 0.1)], figures={"a": [math.nan, {"b": 1.0}]})

    found = json.loads(json.dumps(document([result], MACHINE), allow_nan=False))

    assert found["sections"]["unit"] == {"complete": False, "a": [None, {"b": 1.0}]}
    assert found["bars"] == [
        {"section": "unit", "name": "cost", "ratio": None, "compare": "at most", "limit": 0.1, "met": False}
    ]
    assert found["machine"]["fsync_p95_ms"] == 1.5


def test_text_in_a_note_is_printed_as_it_is():
    assert "exported to [nowhere]" in shown(
        Result("unit", notes=["exported to [nowhere]"], tables=[Table("t", (), [])])
    )


def test_this_machine_is_described(tmp_path: Path):
    found = machine.look(tmp_path)

    assert found.cores >= 1
    assert found.fsync_p50_ms <= found.fsync_p95_ms
    assert len(list(found.lines())) == 4
    assert list(tmp_path.iterdir()) == []
