"""The command group: loads a command's module only when it is called, and turns every known error into a line."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from service.cli.context import Context
from service.errors import FillpathError

COMMANDS: Mapping[str, str] = {
    "serve": "service.cli.serve",
    "send": "service.cli.send",
    "orders": "service.cli.orders",
    "trace": "service.cli.orders",
    "logs": "service.cli.logs",
    "cancel": "service.cli.orders",
    "resolve": "service.cli.orders",
    "halt": "service.cli.halts",
    "resume": "service.cli.halts",
    "findings": "service.cli.findings",
    "check": "service.cli.check",
}
"""Command and the module that defines it under the same name."""

FAILED = 1
INTERRUPTED = 130


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = getattr(importlib.import_module(module), cmd_name)
        assert isinstance(command, click.Command), "every entry of COMMANDS is a command"
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fillpath", prog_name="fillpath")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Configuration file; else FILLPATH_CONFIG, ./fillpath.toml, ./var/fillpath.toml.",
)
@click.option("--operator-url", metavar="URL", help="Address of the operator interface; else as configured.")
@click.pass_context
def fillpath(ctx: click.Context, config: Path | None, operator_url: str | None) -> None:
    """Executes trading alerts exactly once; every order, from alert to fill, in one trace."""
    ctx.obj = Context(config=config, operator_url=operator_url)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; the exit status. What a user can mend is a message, never a traceback."""
    try:
        status = fillpath.main(args=list(arguments), prog_name="fillpath", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except FillpathError as error:
        print(f"fillpath: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # The reader (`| head`) has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status if isinstance(status, int) else 0
