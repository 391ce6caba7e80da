"""Sends orders through a stack of its own and finds each again in Jaeger: 0 if every trace is whole.

The service trades on the paper exchange; everything stays on 127.0.0.1. Mostly market orders, some denied, some
cancelled. OTEL_BSP_MAX_QUEUE_SIZE and its like reach the service, which the stack gives a queue of 32,768 spans.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scripts.lib.census.looking import Found
from scripts.lib.census.report import Result, figures, table
from scripts.lib.census.run import Asked, run
from scripts.lib.stack import StackError
from scripts.lib.stack.view import progress as stack_progress

_INCOMPLETE, _NOT_RUN, _INTERRUPTED = 1, 2, 130
_WIDTH = 120


class _Bars:
    def __init__(self, progress: Progress, orders: int) -> None:
        self._progress = progress
        self._sent = progress.add_task("alerts answered", total=orders)
        self._looked = progress.add_task("orders looked for", total=orders)
        self._found = progress.add_task("traces complete", total=orders)

    def answered(self) -> None:
        self._progress.advance(self._sent)

    def found(self, found: Found) -> None:
        self._progress.advance(self._looked)
        if not found.lacking:
            self._progress.advance(self._found)


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, help=__doc__)
@click.option("--orders", type=click.IntRange(1), default=10_000, show_default=True, help="How many to send.")
@click.option("--rate", type=click.FloatRange(1), default=60.0, show_default=True, help="Alerts a second.")
@click.option(
    "--dir",
    "kept",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep data, logs and configurations there; it has to be empty.",
)
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures there too.")
def census(orders: int, rate: float, kept: Path | None, file: Path | None) -> None:
    if kept is not None and kept.is_dir() and any(kept.iterdir()):
        raise StackError(f"{kept} is not empty: name a folder that is, or none")
    with _folder(kept) as folder:
        result = _run(Asked(orders, rate, folder))
    found = figures(result)
    if file is not None:
        file.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    console = Console()
    Console(width=None if console.is_terminal else _WIDTH).print(table(found))
    sys.exit(0 if result.passed else _INCOMPLETE)


def _run(asked: Asked) -> Result:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ExitStack() as displays:
        # Before the bars: they stand below what is told, and on a terminal only one display moves.
        tell = displays.enter_context(stack_progress(console)) if not console.is_terminal else None
        bars = displays.enter_context(Progress(*columns, console=console))
        return run(asked, _Bars(bars, asked.orders), tell or (lambda text: bars.console.print(text, highlight=False)))


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="fillpath-census-") as temporary:
        yield Path(temporary)


def main() -> int:
    """The verdict; 2 where there is none because it could not run."""
    try:
        census(standalone_mode=False)
    except StackError as error:
        print(f"census: {error}", file=sys.stderr)
        return _NOT_RUN
    except (click.Abort, KeyboardInterrupt):
        print("census: interrupted; its servers have ended", file=sys.stderr)
        return _INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as end:
        return end.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
