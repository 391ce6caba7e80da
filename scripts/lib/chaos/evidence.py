"""All that the judge may know: what the sender, the exchange, the service's operator interface and its spans say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple


@dataclass(slots=True)
class Life:
    """One process of the service, times in Unix nanoseconds; `ready_ns` None: it was killed before it was ready."""

    started_ns: int
    ready_ns: int | None = None
    ended_ns: int = 0
    killed: bool = False


class Acknowledgement(NamedTuple):
    """What the sender was told about an alert, once for each answer; `alert` is the sender's own id."""

    alert: str
    order_id: str
    client_order_id: str
    trace_id: str


class Sent(NamedTuple):
    """What the sender knows: answers, and how often it had to send something again or gave up."""

    alerts: int
    acknowledgements: Sequence[Acknowledgement]
    resent: int
    given_up: int
    refused: Sequence[str]


class Executed(NamedTuple):
    """One client order id in the exchange's ledger; `filled` in base units, `status` the last order's."""

    placed: int
    filled: Decimal
    status: str | None


class Hit(NamedTuple):
    """One request that a fault of the exchange hit."""

    endpoint: str
    client_order_id: str | None
    kind: str
    executed: bool


class Span(NamedTuple):
    """One span of an order as the receiver got it; times in Unix nanoseconds."""

    name: str
    order_id: str
    trace_id: str
    started_ns: int


@dataclass(frozen=True, slots=True)
class Spans:
    """Spans of orders, and the newest start of any span in each export as it came in."""

    orders: Sequence[Span]
    newest_ns: Sequence[int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """`orders`: each as the operator interface shows it; `executed` and `refused` (their client order ids) are the
    exchange's; `unfinished`: ids of orders that had no end within the time the run gives them.
    """

    venue: str
    sent: Sent
    executed: Mapping[str, Executed]
    refused: frozenset[str]
    hits: Sequence[Hit]
    orders: Sequence[Mapping[str, Any]]
    unfinished: frozenset[str]
    spans: Spans
    lives: Sequence[Life] = field(default_factory=tuple)
