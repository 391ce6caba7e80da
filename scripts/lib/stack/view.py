"""What the stack's commands show: progress, a table, addresses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from scripts.lib.stack.errors import Tell
from scripts.lib.stack.ports import Addresses
from scripts.lib.stack.stack import ServerStatus

_BUILD = "building "
_BUILD_EVERY_S = 60.0


@contextmanager
def progress(console: Console) -> Iterator[Tell]:
    """One moving line on a terminal; elsewhere a line for each step, and one a minute for a build."""
    if console.is_terminal:
        with console.status("looking for the programs") as status:
            yield lambda text: status.update(escape(text))
        return
    told: dict[str, float] = {}

    def tell(text: str) -> None:
        if text.startswith(_BUILD):
            build, now = text.split()[1], time.monotonic()
            if now - told.get(build, -_BUILD_EVERY_S) < _BUILD_EVERY_S:
                return
            told[build] = now
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    yield tell


def status_table(statuses: Sequence[ServerStatus]) -> Table:
    """Server, up, address, version, pid."""
    table = Table(box=None, pad_edge=False)
    for title in ("server", "up", "address", "version", "pid"):
        table.add_column(title, no_wrap=True)
    for status in statuses:
        words = ("up", "green") if status.up else ("unwell", "red") if status.pid else ("down", "dim")
        table.add_row(
            status.name, Text(*words), status.address, status.version or "-", str(status.pid) if status.pid else "-"
        )
    return table


def address_lines(addresses: Addresses, running: Sequence[str], configuration: str) -> list[str]:
    """Where to look, for what runs, and a command to try it with."""
    places = {
        "service": [
            ("alerts", f"{addresses.service_public}/webhook/{{source}}"),
            ("operator", addresses.service_operator),
        ],
        "collector": [("OTLP/HTTP", addresses.otlp_http), ("OTLP/gRPC", addresses.otlp_grpc.removeprefix("http://"))],
        "jaeger": [("Jaeger", addresses.jaeger_query)],
        "prometheus": [("Prometheus", addresses.prometheus)],
        "alertmanager": [("Alertmanager", addresses.alertmanager)],
    }
    lines = [f"  {title:<13} {place}" for name in places if name in running for title, place in places[name]]
    if "service" in running:
        command = f"  .venv/bin/fillpath --config {configuration} send --symbol BTC/USDT --side buy --quantity 0.01"
        lines += ["Try it:", command]
    return lines
