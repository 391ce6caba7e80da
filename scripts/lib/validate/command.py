"""The command line of the validation."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console

from scripts.lib.stack import StackError
from scripts.lib.stack.__main__ import DEFAULT_FOLDER
from scripts.lib.stack.view import progress
from scripts.lib.validate.orders import Service
from scripts.lib.validate.places import Places
from scripts.lib.validate.results import Result, passed
from scripts.lib.validate.run import GRAFANA, Asked, validate
from scripts.lib.validate.servers import TOKEN
from scripts.lib.validate.tests import Extent
from scripts.lib.validate.view import document, show
from service.cli.context import Context
from service.errors import FillpathError

FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130

_SERVERS = ("prometheus", "grafana", "collector", "jaeger", "alertmanager")


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exits with 1 where a check failed, 2 where it could not begin, 130 after Ctrl-C.",
)
@click.option("--without", multiple=True, type=click.Choice([GRAFANA]), help="Leave these checks out of the verdict.")
@click.option(
    "--tests",
    type=click.Choice([extent.value for extent in Extent]),
    default=Extent.QUICK.value,
    show_default=True,
    help="Which tests to run: a selection, or all that ./scripts/test runs.",
)
@click.option(
    "--within",
    type=click.FloatRange(0),
    default=75.0,
    show_default=True,
    metavar="S",
    help="Seconds that telemetry may take to arrive; enough where metrics leave once a minute, not every 5 s.",
)
@click.option("--json", "file", metavar="FILE|-", help="Write the results there too; -: to stdout, without the table.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=DEFAULT_FOLDER, help="The stack's (var/stack)."
)
@click.option(
    "--config", type=click.Path(path_type=Path), help="The service's; else the running stack's, else as usual."
)
@click.option("--url", help="Where the service takes alerts; else as configured.")
@click.option("--operator-url", help="Its operator interface; else as configured.")
@click.option("--prometheus", envvar="FILLPATH_PROMETHEUS_URL", show_envvar=True, metavar="URL")
@click.option("--grafana", envvar="FILLPATH_GRAFANA_URL", show_envvar=True, metavar="URL")
@click.option("--collector", envvar="FILLPATH_COLLECTOR_URL", show_envvar=True, metavar="URL", help="Its health check.")
@click.option("--jaeger", envvar="FILLPATH_JAEGER_URL", show_envvar=True, metavar="URL")
@click.option("--alertmanager", envvar="FILLPATH_ALERTMANAGER_URL", show_envvar=True, metavar="URL")
@click.option("--i-own-this-host", "owned", is_flag=True, help="Allow to send orders to an address beyond loopback.")
def command(
    *,
    without: Sequence[str],
    tests: str,
    within: float,
    file: str | None,
    folder: Path,
    config: Path | None,
    url: str | None,
    operator_url: str | None,
    owned: bool,
    **servers: str | None,
) -> int:
    """Validate what runs: servers, dashboard, alert rules, metrics, traces, tests, documentation.

    Without options: the stack that ./scripts/stack up started. Two small orders are sent to the paper exchange, one
    bought and sold again, and followed into Prometheus and Jaeger. Grafana runs as a container only: where there is
    none, --without grafana.
    """
    places = Places.find(folder, os.environ).but(servers)
    token = os.environ.get(TOKEN)
    context = Context(config=_config(config, places), operator_url=operator_url or places.operator)
    asked = Asked(
        places,
        Service(context, url or places.service, owned),
        Extent(tests),
        within,
        frozenset(without),
        {"Authorization": f"Bearer {token}"} if token else {},
    )
    with progress(Console(stderr=True)) as tell:
        results = validate(asked, tell)
    if file != "-":
        show(results)
    if file is not None:
        _write(file, results)
    return 0 if passed(results) else FAILED


def _config(given: Path | None, places: Places) -> Path | None:
    """None: as every command of `fillpath` finds it."""
    return given or (None if os.environ.get("FILLPATH_CONFIG") else places.config)


def _write(file: str, results: Sequence[Result]) -> None:
    text = msgspec.json.format(msgspec.json.encode(document(results))).decode() + "\n"
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, "utf-8")
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}; name another file") from None


def main(arguments: Sequence[str]) -> int:
    """The exit status; what a user can mend is one line."""
    try:
        status = command.main(args=list(arguments), prog_name="validate", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return UNUSABLE
    except (click.Abort, KeyboardInterrupt):
        print("validate: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (FillpathError, StackError) as error:
        print(f"validate: {error}", file=sys.stderr)
        return UNUSABLE
    return status if isinstance(status, int) else 0
