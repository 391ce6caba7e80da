"""What was measured when each rule was last seen to fire and to resolve live."""

from __future__ import annotations

from pathlib import Path

import msgspec

from scripts.lib.alerts.rules import ALERTS

RECORD = ALERTS / "seen.json"
COMMAND = ".venv/bin/python -m scripts.lib.alerts.live"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a rule: seconds from the fault to Alertmanager's holding the alert, and from its end to the alert's.

    None: not seen yet, or, where it was seen to fire, on purpose.
    """

    rule: str
    variant: str
    fault: str
    fired_s: int | None
    resolved_s: int | None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`factor`: by how much windows and `for` were shorter."""

    factor: float
    alerts: list[Seen]


def load(file: Path = RECORD) -> Record:
    return msgspec.json.decode(file.read_bytes(), type=Record)
