"""One request on its way through the steps, and what the steps need of the service."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.core.alerts import Alert
from service.core.idempotency import IdempotencyKey
from service.core.limits import TokenBucket
from service.core.markets import Market, Quote
from service.core.orders import Order
from service.journal.protocol import Commit, StoredAnswer
from service.settings import SourceSettings
from telemetry.facade import Attributes, RequestSpan

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

UNKNOWN = "unknown"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Source:
    """A configured source with its secrets, its limit and its addresses, ready for use."""

    __slots__ = (
        "bucket",
        "future_tolerance_ns",
        "keys",
        "max_age_market_ns",
        "max_age_other_ns",
        "name",
        "networks",
        "settings",
        "stale_after_ns",
    )

    def __init__(self, name: str, settings: SourceSettings, keys: tuple[bytes, ...]) -> None:
        self.name = name
        self.settings = settings
        self.keys = keys
        self.bucket = TokenBucket(settings.rate, settings.burst)
        self.networks: tuple[Network, ...] = tuple(ipaddress.ip_network(a, strict=False) for a in settings.addresses)
        self.stale_after_ns = int(settings.stale_after * 1e9)
        self.future_tolerance_ns = int(settings.future_tolerance * 1e9)
        self.max_age_market_ns = int(settings.max_age_market * 1e9)
        self.max_age_other_ns = int(settings.max_age_other * 1e9)

    def __repr__(self) -> str:
        return f"Source({self.name!r})"


@dataclass(slots=True)
class Intake:
    """What is known of a request so far; each step adds its part.

    `quote` is the price at arrival, `identity` what every span of the order carries.
    """

    source_name: str
    source: Source | None
    client: str
    headers: Mapping[str, str]
    receive: Receive
    received_ns: int
    received_monotonic_ns: int
    span: RequestSpan
    body: bytes = b""
    document: dict[str, object] = field(default_factory=dict)
    content_hash: str = ""
    key: IdempotencyKey | None = None
    authenticated: bool = False
    validated: bool = False
    alert: Alert | None = None
    market: Market | None = None
    quote: Quote | None = None
    order: Order | None = None
    identity: Attributes = field(default_factory=dict)
    replay: StoredAnswer | None = None
    answer: bytes = b""
    appended: bool = False
    commit: Commit | None = None

    @property
    def source_label(self) -> str:
        """A configured source's name, else `unknown`: what a stranger puts into the path becomes no label."""
        return UNKNOWN if self.source is None else self.source.name

    @property
    def known(self) -> Source:
        """The source, in the steps after authentication."""
        assert self.source is not None, "only configured sources authenticate"
        return self.source


class Step(Protocol):
    """One step: adds to the intake, or raises `Refusal`. `span` is its name in the trace."""

    span: str

    def __call__(self, intake: Intake) -> Awaitable[None] | None:
        """None, or the rest of the step where it has to wait."""
        ...


class LastStep(Protocol):
    """The step that waits for the disk, whatever comes in."""

    span: str

    def __call__(self, intake: Intake) -> Awaitable[None]: ...
