"""How a validation looks: a line while it goes on, a table at its end, a document for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scripts.lib.validate.results import Result, Verdict, passed

_STYLE = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.LEFT_OUT: "yellow"}
_WIDTH = 160


def show(results: Sequence[Result]) -> None:
    """The table, and one line with the verdict and what it leaves out."""
    console = Console()
    if not console.is_terminal:
        # A pipe has no width of its own, and a table folded to 80 columns is hard to read.
        console = Console(width=_WIDTH)
    table = Table("check", "verdict", "found, and what to do", show_lines=True)
    for result in results:
        # As text: what servers say may look like markup.
        said = Text(result.found)
        if result.fix:
            said.append(f"\n-> {result.fix}", style="bold")
        table.add_row(result.check, Text(result.verdict, style=_STYLE[result.verdict]), said)
    console.print(table)
    console.print(verdict_line(results), markup=False, highlight=False, soft_wrap=True)


def verdict_line(results: Sequence[Result]) -> str:
    """Passed or failed, how many, and which checks are not in it."""
    count = {verdict: sum(result.verdict is verdict for result in results) for verdict in Verdict}
    line = (
        f"{'passed' if passed(results) else 'failed'}: {count[Verdict.PASSED]} passed, {count[Verdict.FAILED]} failed"
    )
    out = [result.check for result in results if result.verdict is Verdict.LEFT_OUT]
    return f"{line}; left out of the verdict: {', '.join(out)}" if out else line


def document(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "passed": passed(results),
        "left_out": [result.check for result in results if result.verdict is Verdict.LEFT_OUT],
        "checks": [result._asdict() for result in results],
    }
