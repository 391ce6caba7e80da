"""`./scripts/stack`: up, down, status, logs."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from scripts.lib.stack import view
from scripts.lib.stack.builds import ROOT
from scripts.lib.stack.errors import StackError
from scripts.lib.stack.ports import Ports
from scripts.lib.stack.servers import ALL, START_ORDER
from scripts.lib.stack.stack import Stack, stored_ports

OVERLAYS = ROOT / "otel-collector" / "overlays"
DEFAULT_FOLDER = ROOT / "var" / "stack"
_FOLLOW_EVERY_S = 0.2

Command = Callable[..., Any]


def _folder(command: Command) -> Command:
    return click.option(
        "--dir",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=DEFAULT_FOLDER,
        help="Where data, logs and configurations are (var/stack).",
    )(command)


def _names(_: click.Context, __: click.Parameter, value: str | None) -> frozenset[str]:
    if value is None:
        return ALL
    names = frozenset(filter(None, (name.strip() for name in value.split(","))))
    if unknown := names - ALL:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; expected some of {','.join(START_ORDER)}")
    if not names:
        raise click.BadParameter(f"names no server; expected some of {','.join(START_ORDER)}")
    return names


def _overlays(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> list[Path]:
    known = {file.stem: file for file in sorted(OVERLAYS.glob("*.yaml"))}
    if unknown := [name for name in value if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}; expected some of {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(value)]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def stack() -> None:
    """The whole stack without containers: service, collector, Jaeger, Prometheus, Alertmanager.

    Programs come from FILLPATH_OTELCOL, FILLPATH_JAEGER, FILLPATH_PROMETHEUS and FILLPATH_ALERTMANAGER, else from the
    PATH, else they are built with Go and kept. FILLPATH_PORT_<NAME> moves a port, like FILLPATH_PORT_PROMETHEUS=9091.
    """


@stack.command()
@click.option("--only", callback=_names, metavar="NAME,NAME", help=f"Only these of {','.join(START_ORDER)}.")
@click.option("--install", is_flag=True, help="As root: install Debian's packages for what is missing.")
@click.option("--overlay", "overlays", multiple=True, callback=_overlays, metavar="NAME", help="Send to a backend too.")
@_folder
def up(only: frozenset[str], install: bool, overlays: list[Path], folder: Path) -> None:  # noqa: FBT001 - a click flag
    """Start what does not run yet, in the background, and wait until it is well."""
    console = Console()
    started = time.monotonic()
    ports = _ports(folder)
    with view.progress(Console(stderr=True)) as tell:
        one = Stack(folder, ports, only=only, overlays=overlays, install=install, tell=tell)
        already = one.running()
        one.up()
    names = ", ".join(name for name in START_ORDER if name in only and name not in already)
    console.print(
        f"Started {names} in {time.monotonic() - started:.1f} s." if names else "All of it runs already.",
        highlight=False,
        soft_wrap=True,
    )
    console.print(view.status_table(one.status()))
    for line in view.address_lines(one.addresses, one.running(), shlex.quote(_short(one.layout.service))):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@stack.command()
@_folder
def down(folder: Path) -> None:
    """Stop all of it; what it stored stays."""
    with view.progress(Console(stderr=True)) as tell:
        one = Stack(folder, _stored(folder), tell=tell)
        running = one.running()
        one.down()
    click.echo(f"Stopped {', '.join(reversed(running))}." if running else "Nothing runs here.")


@stack.command()
@_folder
def status(folder: Path) -> None:
    """What runs, and where."""
    Console().print(view.status_table(Stack(folder, _stored(folder)).status()))


@stack.command()
@click.argument("name", type=click.Choice(START_ORDER))
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(1), default=100, show_default=True, help="How many of the last.")
@_folder
def logs(name: str, follow: bool, lines: int, folder: Path) -> None:  # noqa: FBT001 - a click flag
    """What a server wrote itself."""
    log = Stack(folder, _stored(folder)).log(name)
    if not log.is_file():
        raise StackError(f"{log} is not there: {name} was never started in {folder}; ./scripts/stack up starts it")
    with log.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=lines):
            click.echo(line, nl=False)
        while follow:
            if not (more := file.read()):
                time.sleep(_FOLLOW_EVERY_S)
            click.echo(more, nl=False)


def _ports(folder: Path) -> Ports:
    """Those of the environment; where it moves none and the stack runs already, those that it has."""
    moved = any(name.startswith("FILLPATH_PORT_") for name in os.environ)
    before = _stored(folder)
    if not moved and Stack(folder, before).running():
        return before
    return Ports.default().moved(os.environ)


def _stored(folder: Path) -> Ports:
    return stored_ports(folder) or Ports.default()


def _short(path: Path) -> str:
    """As it is typed in the project's folder, where it lies below."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main() -> int:
    """0, or 1 after one message about what went wrong."""
    try:
        stack(standalone_mode=False)
    except StackError as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1
    except click.Abort:
        print("stack: interrupted", file=sys.stderr)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as end:
        return end.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
