"""`fillpath serve`: run the service until it is told to stop."""

from __future__ import annotations

import os

import click

from service.cli.context import Context
from service.errors import FillpathError
from service.journal.protocol import JournalForeign, JournalLocked, JournalTooNew, JournalUnavailable


@click.command()
@click.pass_obj
def serve(context: Context) -> int:
    """Run the service until SIGTERM or Ctrl-C.

    It takes webhooks on one address and the operator's calls on another, both from the configuration.
    """
    loaded = context.loaded
    if context.config is not None:
        # The banner's command has to name the same file as --config did.
        os.environ["FILLPATH_CONFIG"] = str(context.config)
    from service.app import serve as run  # noqa: PLC0415 - nothing else needs the whole service

    try:
        return run(loaded)
    except (JournalForeign, JournalLocked, JournalTooNew, JournalUnavailable) as error:
        # Raised before anything listens; the messages say what to do.
        raise FillpathError(str(error)) from None
