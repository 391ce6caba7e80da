"""PromQL from instruments of the telemetry contract: a metric, label or closed value outside it cannot be written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from telemetry import conventions as c

WINDOW = "$__rate_interval"
"""The rate's window: what Grafana finds right for the resolution shown, never below four scrapes."""

RANGE = "$__range"
"""The whole time that is shown."""


class Match(NamedTuple):
    """A matcher other than equality: `!=`, `=~` or `!~`, and its values (alternatives of a pattern)."""

    operator: str
    values: Sequence[str]

    @property
    def text(self) -> str:
        return "|".join(self.values)


def any_of(*values: str) -> Match:
    return Match("=~", values)


class Queries:
    """Expressions that obey the dashboard's `variables`: labels of which the user chooses values.

    Everything is grouped by job, so that two installations never add up, and never by instance, so that several
    processes of one installation do.
    """

    def __init__(self, *variables: str) -> None:
        self._variables = variables

    def select(self, metric: c.Instrument, suffix: str = "", /, **labels: str | Match) -> str:
        """The metric's selector, its variables' matchers first."""
        own = {label.name: label for label in metric.labels}
        matchers = [f'{name}=~"${name}"' for name in own if name in self._variables and name not in labels]
        for name, wanted in labels.items():
            match = Match("=", [wanted]) if isinstance(wanted, str) else wanted
            _check_values(metric, own, name, match.values)
            matchers.append(f'{name}{match.operator}"{match.text}"')
        selector = f"{{{', '.join(matchers)}}}" if matchers else ""
        return f"{metric.prometheus_name}{suffix}{selector}"

    def rate(self, metric: c.Instrument, *by: str, suffix: str = "", **labels: str | Match) -> str:
        """What a counter grows a second."""
        return f"sum by ({_by(by)}) (rate({self.select(metric, suffix, **labels)}[{WINDOW}]))"

    def growth(self, metric: c.Instrument, *by: str, **labels: str | Match) -> str:
        """What a counter grew in the time shown; its series are there from the start."""
        return f"sum by ({_by(by)}) (increase({self.select(metric, **labels)}[{RANGE}]))"

    def growth_of_new(self, metric: c.Instrument, *by: str, **labels: str | Match) -> str:
        """The same for series that begin with their first event, which `increase` alone does not see."""
        selector, groups = self.select(metric, **labels), _by(by)
        grown = f"sum by ({groups}) (increase({selector}[{RANGE}]))"
        first = f"sum by ({groups}) (min_over_time({selector}[{RANGE}]) unless {selector} offset {RANGE})"
        return f"{grown} + ({first} or 0 * {grown})"

    def quantile(self, share: float, metric: c.Histogram, *by: str, window: str = WINDOW, **labels: str | Match) -> str:
        """A quantile of a histogram's records; 0 where there were none."""
        buckets = self.select(metric, "_bucket", **labels)
        found = f"histogram_quantile({share:g}, sum by ({_by((*by, 'le'))}) (rate({buckets}[{window}])))"
        return self.or_zero(found, *by)

    def average(self, metric: c.Histogram, *by: str, **labels: str | Match) -> str:
        """The mean of a histogram's records; 0 where there were none."""
        total = self.rate(metric, *by, suffix="_sum", **labels)
        return self.or_zero(f"{total} / {self.rate(metric, *by, suffix='_count', **labels)}", *by)

    def worst(self, metric: c.Instrument, *by: str, **labels: str | Match) -> str:
        """A state's highest value."""
        return f"max by ({_by(by)}) ({self.select(metric, **labels)})"

    def least(self, metric: c.Instrument, *by: str, **labels: str | Match) -> str:
        return f"min by ({_by(by)}) ({self.select(metric, **labels)})"

    def amount(self, metric: c.Instrument, *by: str, **labels: str | Match) -> str:
        """A gauge's values, added up."""
        return f"sum by ({_by(by)}) ({self.select(metric, **labels)})"

    def or_zero(self, expression: str, *by: str) -> str:
        """The expression, and 0 for each exchange or source (else each job) that it says nothing about.

        "Nothing" is also the NaN of a quotient without events. A service that is gone shows no data, not 0.
        """
        known = next((label for label in ("exchange", "source") if label in by), None)
        matching = _by((known,)) if known else "job"
        return f"({expression}) >= 0 or on ({matching}) 0 * {self._present(known)}"

    def some(self, expression: str, label: str) -> str:
        """Only what is above 0; where nothing is, one series of 0 whose `label` says "none"."""
        none = f'label_replace(0 * {self._present(None)}, "{label}", "none", "", "")'
        return f"({expression}) > 0 or on (job) {none}"

    def _present(self, label: str | None) -> str:
        match label:
            case "exchange":
                return self.worst(c.EXCHANGE_CONNECTIONS, "exchange")
            case "source":
                return self.amount(c.ALERT_ACKS, "source")
            case _:
                return self.worst(c.BUILD_INFO)


def _by(labels: Sequence[str | None]) -> str:
    return ", ".join(("job", *(label for label in labels if label)))


def _check_values(metric: c.Instrument, own: dict[str, c.Label], name: str, values: Sequence[str]) -> None:
    if name not in own:
        raise ValueError(f"{metric.prometheus_name} has no label {name}; it has {', '.join(own) or 'none'}")
    label = own[name]
    if label.configured is None and label.bounded is None:
        for value in values:
            if value not in label.values:
                raise ValueError(f"{metric.prometheus_name}: {name} is never {value}; known are {label.values}")


_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def filled(expression: str, values: dict[str, str]) -> str:
    """The expression with Grafana's variables replaced; raises KeyError for one that has no value."""
    return _VARIABLE.sub(lambda found: values[found[1]], expression)
