#!/usr/bin/env python3
"""Sends test alerts to a running service; --help says which."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def _with_the_projects_python() -> None:
    """Start again with .venv's Python where this one has not what is needed: nobody has to know which to use."""
    own = _ROOT / ".venv/bin/python"
    if Path(sys.prefix).resolve() == (_ROOT / ".venv").resolve():
        return
    if own.exists():
        os.execv(own, [str(own), *sys.argv])  # noqa: S606 - the project's own Python
    print("generate_test_traffic: .venv is missing; run ./scripts/run once, which makes it", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    try:
        from scripts.lib.traffic.command import main
    except ModuleNotFoundError:
        _with_the_projects_python()
        raise
    raise SystemExit(main(sys.argv[1:]))
