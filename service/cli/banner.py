"""What a service says on its terminal once it listens."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

EXAMPLE = "send --symbol BTC/USDT --side buy --quantity 0.01"

_SAME_FOR_CLIENTS = ("FILLPATH_CONFIG", "FILLPATH_DATA_DIR", "FILLPATH_HOST", "FILLPATH_OPERATOR_HOST")


def banner(
    public: str,
    operator: str,
    secrets: Path,
    log_file: Path | None,
    *,
    environ: Mapping[str, str] = os.environ,
    program: str | None = None,
) -> list[str]:
    """Addresses, where the secrets are (never what they are), and a command that can be pasted as it stands.

    Settings that this process got from `environ` stand before the command: the other terminal does not have them.
    """
    lines = [
        "Fillpath is ready.",
        f"  alerts    {public}/webhook/{{source}}",
        f"  operator  {operator}",
        f"  secrets   {_short(secrets)} (readable by you only, never printed)",
    ]
    if log_file is not None:
        lines.append(f"  log       {_short(log_file)}")
    variables = {name: environ[name] for name in _SAME_FOR_CLIENTS if environ.get(name)}
    for name, address in (("FILLPATH_PORT", public), ("FILLPATH_OPERATOR_PORT", operator)):
        if environ.get(name):
            variables[name] = str(urlsplit(address).port)
    prefix = "".join(f"{name}={shlex.quote(value)} " for name, value in variables.items())
    return [*lines, "Try it in another terminal:", f"  {prefix}{_program(program or sys.argv[0])} {EXAMPLE}"]


def _short(path: Path) -> str:
    """Relative to the working directory where the path lies below it."""
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) else str(path)


def _program(called: str) -> str:
    path = Path(called).absolute()
    if path.name == "__main__.py":
        return shlex.join([sys.executable, "-m", "service"])
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
