"""`fillpath logs`: what was logged about one order, from Loki or from the collector's log file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from service.cli.client import Unreachable
from service.cli.context import Context
from service.cli.log_file import read
from service.cli.log_lines import LogLine, Wanted, as_document, in_order
from service.cli.output import clean, print_json, show, table
from service.errors import ConfigurationError

_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red"}
_NOT_SHOWN = frozenset({"order_id", "client_order_id", "exception_stacktrace"})
"""The ids are the same on every line, a stack is too long for one; `--json` has both."""


@click.command()
@click.argument("reference", metavar="ORDER_ID")
@click.option("--loki", "loki_url", metavar="URL", help="Ask this Loki; else as configured.")
@click.option(
    "--file", "file", type=click.Path(path_type=Path), help="Read this file of the collector; else as configured."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array, with every attribute.")
@click.pass_obj
def logs(context: Context, *, reference: str, loki_url: str | None, file: Path | None, as_json: bool) -> int:
    """Show what was logged about an order; any of its ids will do.

    Exits with 1 when there is nothing. While the service is down, only lines that name the order are found, not
    those of its trace.
    """
    found, where = _find(context, _wanted(context, reference), loki_url, file)
    if as_json:
        print_json([as_document(line) for line in found])
    elif found:
        _print(found)
    if not found:
        _note(f"no line about order {clean(reference)} in {where}; it may not be exported yet, or not be kept any more")
    return 0 if found else 1


def _wanted(context: Context, reference: str) -> Wanted:
    """The order's ids and its trace, asked from the service; without it what was asked for is all that is known."""
    try:
        with context.operator() as operator:
            order = operator.order(reference)
    except Unreachable as error:
        _note(f"{error}; without it only lines that name {clean(reference)} are found")
        return Wanted(frozenset({reference}))
    ids = frozenset(filter(None, (order["order_id"], order["client_order_id"], order["exchange_order_id"])))
    return Wanted(ids, order["trace_id"], _nanoseconds(order["received_at"]))


def _find(
    context: Context, wanted: Wanted, loki_url: str | None, file: Path | None
) -> tuple[Sequence[LogLine], str | Path]:
    """The lines in their order, and where they are from; what is named on the command line wins."""
    settings = context.loaded.settings.telemetry
    url = loki_url or ("" if file is not None else settings.loki_url)
    if url:
        from service.cli.loki import ask  # noqa: PLC0415 - not needed where there is no Loki

        answer = ask(url, wanted)
        if answer.cut:
            _note("Loki gave as many lines as it gives at once; there may be more")
        return in_order(answer.lines), "Loki"
    path = file or (Path(settings.log_file) if settings.log_file else None)
    if path is None:
        raise ConfigurationError(
            "where the logs are is not configured: name the collector's log file in telemetry.log_file, "
            "FILLPATH_LOG_FILE or --file, or Loki in telemetry.loki_url, FILLPATH_LOKI_URL or --loki"
        )
    result = read(path.expanduser(), wanted)
    if result.damaged:
        _note(f"{result.damaged} damaged lines of {path} were passed over")
    return in_order(result.lines), path


def _print(lines: Sequence[LogLine]) -> None:
    shown = table("at (UTC)", "level", "logger", "message", wrap=("message",))
    for line in lines:
        shown.add_row(
            clean(line.time.removesuffix("Z").replace("T", " ")),
            Text(clean(line.level), style=_STYLES.get(line.level, "")),
            clean(line.logger),
            Text(" ".join((clean(line.message), *_details(line)))),
        )
    show(shown)


def _details(line: LogLine) -> Iterator[str]:
    for key, value in line.attributes.items():
        if value and key not in _NOT_SHOWN:
            yield f"{clean(key)}={clean(value)}"


def _nanoseconds(stamp: Any) -> int:
    return int(datetime.fromisoformat(stamp).timestamp()) * 1_000_000_000


def _note(text: str) -> None:
    print(f"fillpath: {text}", file=sys.stderr)
