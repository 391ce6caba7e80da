"""What came of the scenarios, as a table and as the record that docs/alerts.md is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from scripts.lib.alerts.seen import Record, Seen
from tests.acceptance.alerts.live.session import FACTOR, WATCHDOG, Outcome


def wrong(outcome: Outcome) -> str:
    """Why this alert is not as it should be; empty where it is."""
    if outcome.error:
        return outcome.error
    if outcome.fired_s is None:
        return "did not fire"
    if outcome.resolved_s is None and outcome.expected.rule != WATCHDOG:
        return "did not resolve"
    return ""


def table(outcomes: Sequence[Outcome]) -> str:
    """A line an alert: seconds to fire and to resolve, and the fault."""
    width = max(len(outcome.expected.title) for outcome in outcomes)
    lines = [f"{'rule':<{width}}  {'fired':>8}  {'resolved':>8}  fault"]
    for outcome in outcomes:
        said = wrong(outcome)
        lines.append(
            f"{outcome.expected.title:<{width}}  {_seconds(outcome.fired_s)}  {_seconds(outcome.resolved_s)}  "
            f"{outcome.story}{f'  <- {said}' if said else ''}"
        )
    return "\n".join(lines)


def write(file: Path, outcomes: Sequence[Outcome]) -> None:
    """What was seen; what did not fire or did not resolve stands there as not seen."""
    seen = [
        Seen(
            rule=outcome.expected.rule,
            variant=outcome.expected.variant,
            fault=outcome.story,
            fired_s=None if wrong(outcome) or outcome.fired_s is None else round(outcome.fired_s),
            resolved_s=None if wrong(outcome) or outcome.resolved_s is None else round(outcome.resolved_s),
        )
        for outcome in outcomes
    ]
    record = Record(factor=FACTOR, alerts=seen)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")


def _seconds(seconds: float | None) -> str:
    return f"{'-':>8}" if seconds is None else f"{seconds:>6.1f} s"
