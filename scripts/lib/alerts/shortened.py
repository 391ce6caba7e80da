"""The same rules with shorter durations, so that a live test sees them fire and resolve within seconds."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml

from scripts.lib.alerts.rules import RULES

_PARTS = re.compile(r"(\d+)(ms|[smhdwy])")
_DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
_IN_EXPRESSION = re.compile(rf'(?P<text>"[^"]*")|(?P<before>\[|\boffset\s+)(?P<duration>{_DURATION})')
_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}

_ASK_EVERY_S = 2.0
_INTERVALS = {"scrape_interval", "scrape_timeout", "evaluation_interval"}

Document = dict[str, Any]
"""A rule file, decoded."""


def shortened(rules: Document, factor: float, *, window_at_least: float = 2.0) -> Document:
    """A copy with every range, offset, `for` and `interval` divided by `factor`.

    No range and no offset becomes shorter than `window_at_least` (seconds): a window has to hold two scrapes. Numbers
    stay, also those that are seconds, and so do names and annotations that speak of the real durations.
    """
    if factor < 1:
        raise ValueError(f"the factor is {factor}; expected 1 or more")
    result = copy.deepcopy(rules)
    for group in result["groups"]:
        if "interval" in group:
            group["interval"] = _divided(group["interval"], factor, 1.0)
        for rule in group["rules"]:
            rule["expr"] = _expression(rule["expr"], factor, window_at_least)
            if "for" in rule:
                rule["for"] = _divided(rule["for"], factor, 0.0)
    return result


def write_shortened(folder: Path, factor: float, *, window_at_least: float = 2.0, rules: Path = RULES) -> None:
    """Write every file of `rules` into `folder` with shorter durations."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(rules.glob("*.yml")):
        document = shortened(yaml.safe_load(path.read_text("utf-8")), factor, window_at_least=window_at_least)
        (folder / path.name).write_text(yaml.safe_dump(document, sort_keys=False, width=120), encoding="utf-8")


def shorten_prometheus(folder: Path, factor: float) -> None:
    """Shorten what a Prometheus in `folder` will read: its rules, and how often it asks and evaluates.

    It asks every two seconds at most: what a busy machine needs to answer.
    """
    rules, file = folder / "rules", folder / "prometheus.yml"
    write_shortened(rules, factor, rules=rules)
    document = yaml.safe_load(file.read_text("utf-8"))
    for key, value in document["global"].items():
        if key in _INTERVALS:
            document["global"][key] = _divided(value, factor, _ASK_EVERY_S)
    file.write_text(yaml.safe_dump(document, sort_keys=False, width=120), encoding="utf-8")


def milliseconds(duration: str) -> int:
    """A duration as Prometheus writes it, `1h30m`; raises ValueError for anything else."""
    if re.fullmatch(_DURATION, duration) is None:
        raise ValueError(f"{duration!r} is no duration; expected one like 5m or 1h30m")
    return sum(int(number) * _MS[unit] for number, unit in _PARTS.findall(duration))


def _expression(expression: str, factor: float, least: float) -> str:
    def divided(match: re.Match[str]) -> str:
        if match["text"] is not None:
            return match[0]
        return match["before"] + _divided(match["duration"], factor, least)

    return _IN_EXPRESSION.sub(divided, expression)


def _divided(duration: str, factor: float, least: float) -> str:
    whole = milliseconds(duration)
    return f"{round(max(whole / factor, min(whole, least * 1_000)))}ms"
