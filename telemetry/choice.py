"""Which engine runs and as what says, decided once for the start, its log line and `fillpath check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry.environment import Selection, check, config_file, select

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.config import Engine
    from telemetry.declarative.document import Declaration


class Choice(NamedTuple):
    """The engine, and the configuration file that is obeyed; None where the settings and the environment decide."""

    selection: Selection
    declaration: Declaration | None = None


def choose(engine: Engine, configured: str | None, environ: Mapping[str, str]) -> Choice:
    """What runs where the settings say `engine` and name `configured` as the endpoint.

    Raises:
        ValueError: what is asked for cannot be done; the message says what would be right.
    """
    selection = select(engine, environ)
    check(selection, configured, environ)
    file = config_file(environ) if selection.engine == "sdk" else None
    if file is None:
        return Choice(selection)
    # Imported here: only a file is worth what its parser and its schema take to load.
    from telemetry.declarative.document import read  # noqa: PLC0415 - see above

    declaration = read(file, configured, environ)
    if declaration.disabled:
        return Choice(Selection("off", (f"`disabled: true` in {declaration.path}",)))
    return Choice(selection, declaration)
