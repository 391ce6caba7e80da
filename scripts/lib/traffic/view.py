"""How a run looks on a terminal: a line while it goes, tables at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scripts.lib.traffic.checks import Check
from scripts.lib.traffic.records import Batch
from scripts.lib.traffic.running import Show
from scripts.lib.traffic.summary import Summary, percentile

_SHOWN_S = 5.0
"""The P95 of the line is that of about the last seconds: what it is now, not what it was once."""


@contextmanager
def progress(console: Console, title: str, count: int) -> Iterator[Show]:
    """A line with rate, success and P95; on anything that is no terminal nothing is drawn."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TextColumn(
            "{task.fields[rate]:>7,.0f}/s  expected {task.fields[success]:>6.1%}  P95 {task.fields[p95]:>6.1f} ms"
        ),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as line:
        task = line.add_task(title, total=count, rate=0.0, success=1.0, p95=0.0)

        def show(total: Batch, elapsed: float) -> None:
            rate = total.finished / elapsed if elapsed else 0.0
            latest = sorted(total.latencies[-max(20, int(rate * _SHOWN_S)) :])
            line.update(
                task,
                completed=total.finished,
                rate=rate,
                success=total.right / total.finished if total.finished else 1.0,
                p95=percentile(latest, 0.95) * 1000 if latest else 0.0,
            )

        yield show


def print_summary(console: Console, summary: Summary) -> None:
    """Figures, counts, targets, and one line with the verdict."""
    console.print(f"\n[bold]{summary.title}[/]")
    console.print(
        f"{summary.sent:,} sent, {summary.answered:,} answered in {summary.seconds:.1f} s, over {summary.lanes} lanes"
        f" (account and market); the sender took {summary.cpu_us:.0f} us of CPU a request"
    )
    console.print(_latencies(summary))
    console.print(_kinds(summary))
    targets = Table("target", "wanted", "measured", "")
    for figure in summary.figures:
        targets.add_row(
            figure.name, figure.wanted, figure.measured, "[green]met[/]" if figure.met else "[red]missed[/]"
        )
    console.print(targets)
    for example in summary.examples:
        said = f"{example.kind}: {example.status or 'no answer'} where {example.expected} was expected: {example.said}"
        console.print(f"  {said}", markup=False)
    for note in summary.notes:
        console.print(f"note: {note}", markup=False)
    console.print("[green]passed[/]" if summary.passed else "[red]failed[/]")


def print_checks(console: Console, title: str, checks: Sequence[Check]) -> None:
    """What was tried, what should come and what came."""
    table = Table("tried", "expected", "answered", "")
    for check in checks:
        table.add_row(check.name, check.expected, check.answered, "[green]ok[/]" if check.passed else "[red]WRONG[/]")
    console.print(f"\n[bold]{title}[/]")
    console.print(table)


def _latencies(summary: Summary) -> Table:
    table = Table("latency", "P50", "P95", "P99", "max")
    counted = "from the intended time" if summary.asked_rate is not None else "from the sending"
    table.add_row(counted, *(f"{summary.latencies[key]:.1f} ms" for key in ("p50", "p95", "p99", "max")))
    return table


def _kinds(summary: Summary) -> Table:
    statuses = list(summary.statuses)
    table = Table("alert", *statuses)
    for kind, counts in summary.kinds.items():
        table.add_row(kind, *(f"{counts[status]:,}" if status in counts else "" for status in statuses))
    table.add_section()
    table.add_row("all", *(f"{summary.statuses[status]:,}" for status in statuses))
    return table
