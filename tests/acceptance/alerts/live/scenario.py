"""A fault and the alerts that have to come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.acceptance.alerts.live.desks import Desks

Fault = Callable[["Desks"], AbstractContextManager[None]]
"""The fault lasts while it is entered; leaving it mends it."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One entry of a rule, with the labels of the very alert; `variant` where the rule has several entries."""

    rule: str
    variant: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.rule} ({self.variant})" if self.variant else self.rule


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`story` says what is wrong, in the words of runbooks. Seconds: how long each alert may take."""

    story: str
    fault: Fault
    fires: tuple[Expected, ...]
    fires_within: float = 60.0
    resolves_within: float = 120.0


Track = tuple[Scenario, ...]
"""Scenarios that follow each other; tracks run side by side."""
