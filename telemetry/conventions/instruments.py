"""The types in which instruments and their labels are declared; no engine shows through."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

OTHER = "other"
"""The value of a bounded label whose places are taken."""

UNKNOWN = "unknown"
"""The value of a label that nobody could know yet: a symbol before authentication, a source that is not configured."""


class Configured(StrEnum):
    """Label values that stand in the settings."""

    SOURCE = "source"
    EXCHANGE = "exchange"
    ACCOUNT = "account"
    VERSION = "version"


class Bounded(StrEnum):
    """Label values from outside, of which only a fixed number get a series of their own."""

    SYMBOL = "symbol"
    CLIENT_IP = "client_ip"


class Known(Protocol):
    """What of the settings labels depend on."""

    @property
    def sources(self) -> Sequence[str]: ...

    @property
    def exchanges(self) -> Sequence[str]: ...

    @property
    def accounts(self) -> Sequence[str]: ...

    @property
    def symbols(self) -> Sequence[str]: ...

    @property
    def sender_addresses(self) -> Sequence[str]: ...

    @property
    def service_version(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Label:
    """One label of an instrument.

    `values` is the closed list, or what is allowed beside the `configured` values. A `bounded` label takes any value
    and shows the first `extra` that are not configured; then `other`.
    """

    name: str
    values: tuple[str, ...] = ()
    configured: Configured | None = None
    bounded: Bounded | None = None
    extra: int = 0

    def known(self, config: Known) -> tuple[str, ...] | None:
        """Every value that can appear, in a fixed order; None when values come from outside."""
        if self.bounded is not None:
            return None
        return tuple(dict.fromkeys((*_configured(self.configured, config), *self.values)))

    def count(self, config: Known) -> int:
        """How many different values can appear at most."""
        known = self.known(config)
        if known is not None:
            return len(known)
        own = config.symbols if self.bounded is Bounded.SYMBOL else config.sender_addresses
        return len(set(own)) + self.extra + len(self.values)


def _configured(which: Configured | None, config: Known) -> Sequence[str]:
    match which:
        case None:
            return ()
        case Configured.SOURCE:
            return config.sources
        case Configured.EXCHANGE:
            return config.exchanges
        case Configured.ACCOUNT:
            return config.accounts
        case Configured.VERSION:
            return (config.service_version,)


class Unit(StrEnum):
    """UCUM units, or `{thing}`, which shows in no Prometheus name."""

    SECOND = "s"
    BYTE = "By"
    REQUEST = "{request}"
    ALERT = "{alert}"
    ORDER = "{order}"
    CHECK = "{check}"
    FAILURE = "{failure}"
    EVENT = "{event}"
    TRANSITION = "{transition}"
    OPERATION = "{operation}"
    FIELD = "{field}"
    CALL = "{call}"
    STATE = "{state}"
    WRITE = "{write}"
    ITEM = "{item}"
    USD = "{USD}"
    PERCENT = "{percent}"
    BASIS_POINT = "{basis_point}"
    INFO = "{info}"


_SUFFIX = {Unit.SECOND: "_seconds", Unit.BYTE: "_bytes"}


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric: `name` is OpenTelemetry's, `cardinality_limit` more than its series can ever be."""

    name: str
    unit: Unit
    description: str
    labels: tuple[Label, ...] = ()
    cardinality_limit: int = field(default=2000, kw_only=True)

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    @property
    def family_name(self) -> str:
        """OpenMetrics' name of the metric family: without `_total`."""
        return self.name.replace(".", "_") + _SUFFIX.get(self.unit, "")

    @property
    def prometheus_name(self) -> str:
        """As the collector's Prometheus exporter and the in-process exposition show it."""
        return self.family_name

    def series(self, config: Known) -> int:
        """The most series that this metric can have: the product of its labels' values."""
        product = 1
        for label in self.labels:
            product *= label.count(config)
        return product


@dataclass(frozen=True, slots=True)
class Counter(Instrument):
    """Only grows."""

    @property
    def prometheus_name(self) -> str:
        return self.family_name + "_total"


@dataclass(frozen=True, slots=True)
class UpDownCounter(Instrument):
    """Goes up and down by what is added; shown as a gauge."""


class Owner(StrEnum):
    """Which process reports a gauge once there are several."""

    EXECUTOR = "whoever executes for the account"
    JOURNAL = "whoever holds the journal"
    PROCESS = "every process for itself"


class Across(StrEnum):
    """How several processes' values become one."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class Gauge(Instrument):
    """A value as it is now. `zero_at_start` is false where 0 before the first report would be a false statement."""

    owner: Owner = field(default=Owner.PROCESS, kw_only=True)
    across: Across = field(default=Across.SUM, kw_only=True)
    zero_at_start: bool = field(default=True, kw_only=True)


@dataclass(frozen=True, slots=True)
class Histogram(Instrument):
    """A distribution over fixed bucket edges; its series begin with their first record."""

    buckets: tuple[float, ...] = field(kw_only=True)
