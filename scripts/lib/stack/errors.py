"""What the stack tells its user when it cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_TAIL_LINES = 15


class StackError(Exception):
    """What happened, what was expected, what to do; may have several lines."""


Tell = Callable[[str], None]
"""Takes one short line about what is being done."""


def silent(_: str) -> None:
    """Tell nobody."""


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """A log's last lines, indented to stand in a message."""
    try:
        last = log.read_text("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        last = []
    return "\n".join(f"  | {line}" for line in last or ["(nothing was written)"])
