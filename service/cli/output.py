"""The terminal: colours only where they are wanted, whole lines where nobody looks, nothing a sender can inject."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 180
"""Columns where the output is no terminal: a script wants a row to stay a row."""


def show(*renderables: RenderableType) -> None:
    """Print; plain text when piped, no colours under NO_COLOR. Markup is off: it would be the sender's."""
    terminal = sys.stdout.isatty()
    width = None if terminal or os.environ.get("COLUMNS") else PIPED_WIDTH
    console = Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        for renderable in renderables:
            console.print(renderable)
    for line in captured.get().splitlines():
        # Tables fill their last column with blanks; in a file or a pipe those are noise.
        print(line if terminal else line.rstrip())


def clean(value: object) -> str:
    """Text without control characters: a tag must not move the cursor or ring the bell."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(value))


def print_json(document: Any) -> None:
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def table(*headers: str, wrap: Sequence[str] = ()) -> Table:
    """Columns without lines between them; only those named in `wrap` may break."""
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header in headers:
        result.add_column(header, no_wrap=header not in wrap, overflow="fold")
    return result


def fields(pairs: Iterable[tuple[str, object]]) -> Table:
    """`name  value` lines; pairs without a value are left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            grid.add_row(f"  {name}", Text(clean(value)))
    return grid


STATUS_STYLES = {
    "FILLED": "green",
    "ACCEPTED": "cyan",
    "TRIGGERED": "cyan",
    "PARTIALLY_FILLED": "cyan",
    "IN_DOUBT": "bold yellow",
    "ABSENT": "bold red",
    "DENIED": "red",
    "REJECTED": "red",
    "EXPIRED": "yellow",
    "CANCELED": "yellow",
}


def status_text(status: str) -> Text:
    return Text(clean(status), style=STATUS_STYLES.get(status, ""))


def moment(stamp: str | None) -> str:
    """An RFC 3339 time of the service (UTC) to the second, as tables show it."""
    return "" if stamp is None else clean(stamp[:19].replace("T", " "))
