"""What a section has found so far: tables for people, figures for programs, bars; complete after every step."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from scripts.lib.bench.figures import Bar
from scripts.lib.bench.machine import OTHERS_LIMIT, STEAL_LIMIT, Machine

Cell = str | float | int | None

_MARK = " *"
_DISTURBED = (
    f"*: measured while the host took more than {STEAL_LIMIT:.0%} of the cores' time, or other processes more than "
    f"{OTHERS_LIMIT:.0%}; it says little"
)
_SMALL, _LARGE = 10, 1_000


@dataclass(frozen=True, slots=True)
class Table:
    """The first column names the row; `marked`: some of its figures were measured on a disturbed machine."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    marked: bool = False


def side_by_side(
    title: str,
    names: Mapping[str, str],
    found: Mapping[str, Mapping[str, Cell]],
    disturbed: Collection[str],
) -> Table:
    """One column for each of `found`, one row for each of `names`: what it is called, and its key there."""
    columns = ("", *(name + _MARK if name in disturbed else name for name in found))
    rows = [(label, *(figures[key] for figures in found.values())) for label, key in names.items()]
    return Table(title, columns, rows, marked=bool(disturbed))


@dataclass(slots=True)
class Result:
    """One section's. `notes` say under which conditions; `figures` are what JSON gets."""

    name: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    complete: bool = False


def show(console: Console, results: Sequence[Result], machine: Machine) -> None:
    """All of it."""
    for line in machine.lines():
        console.print(line, highlight=False)
    for result in results:
        _show_one(console, result)


def _show_one(console: Console, result: Result) -> None:
    console.print(f"\n[bold]{result.name}[/bold]{'' if result.complete else ' (not complete)'}", highlight=False)
    for table in result.tables:
        console.print(_rich(table))
    if any(table.marked for table in result.tables):
        console.print(_DISTURBED, highlight=False)
    for note in result.notes:
        console.print(note, highlight=False, markup=False)
    for bar in result.bars:
        verdict = "[green]met[/green]" if bar.met else "[red]missed[/red]"
        said = "not measured" if math.isnan(bar.ratio) else f"{bar.ratio:.3f}"
        console.print(f"{bar.name}: {said} (bar: {bar.compare} {bar.limit:g}) {verdict}", highlight=False)


def document(results: Sequence[Result], machine: Machine) -> dict[str, Any]:
    """For `--json`: `machine`, `sections` by name, `bars`; what could not be measured is null."""
    return {
        "machine": _plain(machine.figures()),
        "sections": {result.name: {"complete": result.complete, **_plain(result.figures)} for result in results},
        "bars": [
            _plain({"section": result.name, **bar._asdict(), "met": bar.met})
            for result in results
            for bar in result.bars
        ],
    }


def text(value: Cell) -> str:
    """A figure with as many digits as it is worth."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, str):
        return value
    if abs(value) >= _LARGE or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= _SMALL else f"{value:.2f}"


def _rich(table: Table) -> RichTable:
    made = RichTable(title=table.title, title_justify="left", box=box.SIMPLE_HEAD)
    for number, name in enumerate(table.columns):
        made.add_column(name, justify="right" if number else "left", no_wrap=number > 0)
    for row in table.rows:
        made.add_row(*map(text, row))
    return made


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
