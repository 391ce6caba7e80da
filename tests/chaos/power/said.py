"""What a watched program says while it writes, in the same record as its writes: what began, what was acknowledged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

NAME = "said"
"""The file in the watched folder; it is no part of the disk that the power is cut of."""

CUT = "cut out of the log"
"""The detail of a write that failed and cannot come back; any other may, until the next one is acknowledged."""


class Said(NamedTuple):
    """`what` is "begun", "acknowledged" (the awaitable returned), "failed" (it raised) or "ready".

    A write is known by its order and the order's version after it; `group` is (session, commit) of an acknowledged one.
    """

    what: str
    order: str = ""
    version: int = 0
    group: tuple[int, int] = (0, 0)
    detail: str = ""


class Speaker:
    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder / NAME, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def say(self, said: Said) -> None:
        os.write(self._descriptor, json.dumps(said).encode() + b"\n")


def parse(line: bytes) -> Said:
    what, order, version, group, detail = json.loads(line)
    return Said(what, order, version, (group[0], group[1]), detail)
