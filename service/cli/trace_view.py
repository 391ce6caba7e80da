"""Draws a trace: each step in its order, when it began, how long it took, and what mattered in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from service.cli.output import clean
from service.cli.trace_tree import Line, Step, lines, steps
from telemetry import conventions as c

BAR_WIDTH = 24

_NOTES = (
    ("http", c.ATTR_HTTP_RESPONSE_STATUS_CODE),
    ("status", c.ATTR_ORDER_STATUS),
    ("reason", c.ATTR_DENIAL_REASON),
    ("outcome", c.ATTR_EXCHANGE_OUTCOME),
    ("filled", c.ATTR_ORDER_FILLED_QUANTITY),
    ("price", c.ATTR_ORDER_AVERAGE_PRICE),
    ("fee", c.ATTR_ORDER_FEE),
    ("commit", c.ATTR_JOURNAL_COMMIT_ID),
    ("batch", c.ATTR_JOURNAL_BATCH_SIZE),
    ("error", c.ATTR_ERROR_TYPE),
)
"""What is shown of a step's attributes, in this order: label and key."""

_MS = 1_000_000
_S = 1_000 * _MS
_UNITS = ((10 * _MS, _MS, 2, "ms"), (_S, _MS, 1, "ms"), (120 * _S, _S, 2, "s"), (7_200 * _S, 60 * _S, 1, "min"))
"""Below the first number of nanoseconds: unit, its digits, its name."""


class TraceView:
    """A rich renderable of an OTLP/JSON document; guides and bars are ASCII where the terminal is."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._lines = lines(steps(document))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._lines:
            yield Text("no span of this trace is known here")
            return
        first = min(line.step.start_ns for line in self._lines)
        total = max(line.step.end_ns for line in self._lines) - first
        yield _table(self._lines, first, total, ascii_only=options.ascii_only)
        yield Text(_summary([line.step for line in self._lines], total), style="dim")


def duration(nanoseconds: int) -> str:
    """A few digits and a unit, from milliseconds to hours."""
    for limit, unit, digits, name in _UNITS:
        rounded = f"{nanoseconds / unit:.{digits}f}"
        if float(rounded) * unit < limit:
            return f"{rounded} {name}"
    return f"{nanoseconds / (3_600 * _S):.1f} h"


def bar(start_ns: int, length_ns: int, total_ns: int, width: int = BAR_WIDTH, *, block: str = "█") -> str:
    """Where in the whole a step lies; at least one cell, never beyond `width`."""
    if total_ns <= 0:
        return block
    cells = min(max(round(length_ns / total_ns * width), 1), width)
    before = min(int(start_ns / total_ns * width), width - cells)
    return " " * before + block * cells


def _table(shown: Sequence[Line], first: int, total: int, *, ascii_only: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("step", no_wrap=True)
    table.add_column("at", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("", width=BAR_WIDTH, no_wrap=True)
    table.add_column("", overflow="fold")
    for line in shown:
        step, offset = line.step, line.step.start_ns - first
        style = "red" if step.failed else "dim" if step.rebuilt else ""
        table.add_row(
            Text(
                guide(line.last, ascii_only=ascii_only) + clean(step.name) + (" *" if step.rebuilt else ""), style=style
            ),
            duration(offset),
            "" if step.rebuilt else duration(step.duration_ns),
            Text(bar(offset, step.duration_ns, total, block="#" if ascii_only else "█"), style=style or "cyan"),
            Text(" ".join(_notes(step)), style=style),
        )
    return table


def guide(last: Sequence[bool], *, ascii_only: bool = False) -> str:
    """The branches in front of a name."""
    passing, empty, fork, end = ("|  ", "   ", "|- ", "`- ") if ascii_only else ("│  ", "   ", "├─ ", "└─ ")
    if not last:
        return ""
    return "".join(empty if is_last else passing for is_last in last[:-1]) + (end if last[-1] else fork)


def _notes(step: Step) -> Iterator[str]:
    for label, key in _NOTES:
        value = step.attributes.get(key)
        if value:
            yield f"{label}={clean(value)}"


def _summary(found: Sequence[Step], total: int) -> str:
    text = f"{len(found)} steps in {duration(total)}"
    if any(step.rebuilt for step in found):
        text += "; * rebuilt from the journal, its length is not known"
    return text
