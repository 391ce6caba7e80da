"""What a rule has to be shown, as data: the fault, what comes of it, and what is not yet one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scripts.lib.alerts.cases.series import World


@dataclass(frozen=True, kw_only=True)
class Case:
    """One entry of an alert rule.

    `fault` stands in for or beside the series of healthy traffic, `below` is just not enough of it. `fires` and
    `resolved` are times after the fault's begin; what fires has the rule's labels, these, and the description.
    """

    alert: str
    variant: str = ""
    fault: World
    first: World | None = None
    """The fault where nothing was before; None: the same."""
    below: World
    fires: str
    resolved: str
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str
    beside: Mapping[str, str] = field(default_factory=dict)
    """Other entries of the rule that fire on the same fault, with their descriptions."""
    always: bool = False
    """It fires whatever happens: that is its purpose."""


@dataclass(frozen=True, kw_only=True)
class Special:
    """A further story of one rule: whether it fires at each time after the fault's begin."""

    alert: str
    variant: str = ""
    claim: str
    series: World
    firing: Sequence[tuple[str, bool]]
    labels: Mapping[str, str] = field(default_factory=dict)
