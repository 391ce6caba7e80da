"""What goes wrong with which request: queues of faults by endpoint, and a seeded random share of all requests.

Each fault says whether the request is executed ("after" it goes wrong only once it is). A schedule gives every
request at most one fault and keeps in `history` which one hit which request, and what was executed of it.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from tests.simulator.model import FillPlan

Endpoint = Literal[
    "place",
    "cancel",
    "look_up",
    "open_orders",
    "orders",
    "trades",
    "balances",
    "positions",
    "settings",
    "time",
    "ticker",
    "markets",
    "other",
]
"""What a request asks for; `orders` are lists of closed or all orders, `settings` an account's modes and leverage."""


class FaultKind(StrEnum):
    DELAY = "delay"
    HANG = "hang"
    CLOSE = "close"
    STATUS = "status"
    REDIRECT = "redirect"
    HTML = "html"
    EMPTY = "empty"
    OTHER_JSON = "other_json"
    TRUNCATED_JSON = "truncated_json"
    CUT_BODY = "cut_body"
    MISSING_ID = "missing_id"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    INVISIBLE = "invisible"
    LATE_TRADES = "late_trades"
    RATE_LIMITED = "rate_limited"
    UNKNOWN_STATUS = "unknown_status"
    CLOCK_SKEW = "clock_skew"
    PLAN = "plan"
    CANCEL_COMES_LATE = "cancel_comes_late"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong; made by the functions of this module.

    `after`: the request is executed first. `seconds`, `status`, `retry_after` (seconds), `skew_ms` as the kind needs.
    """

    kind: FaultKind
    after: bool = False
    seconds: float = 0.0
    status: int = 200
    retry_after: float | None = None
    skew_ms: int = 0
    reset: bool = False
    plan: FillPlan | None = None


def delay(seconds: float, *, after: bool = False) -> Fault:
    """The answer is late: the request is executed late, or at once when `after`. Executed even if nobody waits."""
    return Fault(kind=FaultKind.DELAY, seconds=seconds, after=after)


def hang(*, after: bool = False) -> Fault:
    """No answer as long as the client waits."""
    return Fault(kind=FaultKind.HANG, after=after)


def close_before(*, reset: bool = False) -> Fault:
    """The connection is closed, the request thrown away; with `reset` by RST."""
    return Fault(kind=FaultKind.CLOSE, reset=reset)


def close_after(*, reset: bool = False) -> Fault:
    """Executed, then the connection is closed without an answer."""
    return Fault(kind=FaultKind.CLOSE, after=True, reset=reset)


def status_before(status: int = 503) -> Fault:
    """A gateway's error page with that status; not executed."""
    return Fault(kind=FaultKind.STATUS, status=status)


def status_after(status: int = 502) -> Fault:
    """A gateway's error page with that status; executed."""
    return Fault(kind=FaultKind.STATUS, status=status, after=True)


def redirect(status: Literal[307, 308] = 307) -> Fault:
    """To the very same address; not executed, but whoever follows it sends the request again."""
    return Fault(kind=FaultKind.REDIRECT, status=status)


def html_200(*, after: bool = True) -> Fault:
    """A page for people where JSON should be."""
    return Fault(kind=FaultKind.HTML, status=200, after=after)


def html_524(*, after: bool = True) -> Fault:
    """A content delivery network that gave up waiting."""
    return Fault(kind=FaultKind.HTML, status=524, after=after)


def empty_200() -> Fault:
    """Executed; the answer has no body."""
    return Fault(kind=FaultKind.EMPTY, after=True)


def other_json(*, after: bool = True) -> Fault:
    """A 200 with a JSON object that is none of the venue's."""
    return Fault(kind=FaultKind.OTHER_JSON, after=after)


def truncated_json() -> Fault:
    """Executed; the answer is whole HTTP around half of its JSON."""
    return Fault(kind=FaultKind.TRUNCATED_JSON, after=True)


def cut_body() -> Fault:
    """Executed; the connection closes half way through the body that the headers announce."""
    return Fault(kind=FaultKind.CUT_BODY, after=True)


def missing_id() -> Fault:
    """Executed; the answer has no order id."""
    return Fault(kind=FaultKind.MISSING_ID, after=True)


def rejected_200() -> Fault:
    """Not executed; the answer is a 200 with an order that was rejected."""
    return Fault(kind=FaultKind.REJECTED)


def duplicate() -> Fault:
    """Delivered twice, as by a proxy that sends again; the second answer comes back."""
    return Fault(kind=FaultKind.DUPLICATE, after=True)


def invisible(seconds: float) -> Fault:
    """Executed and acknowledged, but in no look-up, list or trade for that long."""
    return Fault(kind=FaultKind.INVISIBLE, seconds=seconds, after=True)


def invisible_and_lost(seconds: float) -> Fault:
    """As `invisible`, and the answer never arrives."""
    return Fault(kind=FaultKind.INVISIBLE, seconds=seconds, after=True, reset=True)


def late_trades(seconds: float) -> Fault:
    """Executed; its trades are in no list for that long, the order itself is."""
    return Fault(kind=FaultKind.LATE_TRADES, seconds=seconds, after=True)


def rate_limited(retry_after: float | None = 1.0) -> Fault:
    """Not executed: 429, or what the venue has for it."""
    return Fault(kind=FaultKind.RATE_LIMITED, status=429, retry_after=retry_after)


def banned(retry_after: float | None = 1.0) -> Fault:
    """Not executed: 418, or what the venue has for an address that did not heed a 429."""
    return Fault(kind=FaultKind.RATE_LIMITED, status=418, retry_after=retry_after)


def unknown_status(*, after: bool = True) -> Fault:
    """The venue's own word that it does not know what became of the request, where it has one."""
    return Fault(kind=FaultKind.UNKNOWN_STATUS, after=after)


def clock_skew(milliseconds: int) -> Fault:
    """For this request the venue's clock is off by that much; for all requests: `Schedule.skew_ms`."""
    return Fault(kind=FaultKind.CLOCK_SKEW, skew_ms=milliseconds)


def filled_as(plan: FillPlan) -> Fault:
    """Placed with a fill plan; no fault of transport."""
    return Fault(kind=FaultKind.PLAN, plan=plan, after=True)


def partial_then_cancel(fraction: str = "0.5") -> Fault:
    """Placed, filled in part, then canceled by the venue."""
    return filled_as(FillPlan.partly(fraction, then="cancel"))


def cancel_crosses_fill() -> Fault:
    """On "place": the order rests, and a cancel of it comes too late. On "cancel": this cancel does."""
    return Fault(kind=FaultKind.CANCEL_COMES_LATE, plan=FillPlan.resting(on_cancel="fill"), after=True)


_TRANSPORT = (
    close_before(),
    close_after(),
    close_after(reset=True),
    status_before(503),
    status_after(502),
    redirect(307),
    redirect(308),
    html_200(),
    html_524(),
    other_json(),
    empty_200(),
    truncated_json(),
    cut_body(),
    rate_limited(1.0),
    delay(0.2),
    delay(0.2, after=True),
)

PLACE_MIX = (
    *_TRANSPORT,
    html_200(after=False),
    html_524(after=False),
    missing_id(),
    rejected_200(),
    unknown_status(),
    unknown_status(after=False),
    invisible(0.5),
    invisible_and_lost(0.5),
    partial_then_cancel(),
)
"""What the random share takes from for new orders: no `duplicate`, which no client can help, and no `hang`."""

CANCEL_MIX = (*_TRANSPORT, cancel_crosses_fill())
READ_MIX = _TRANSPORT


@dataclass(kw_only=True)
class Hit:
    """One request that a fault hit. `delivered`: how often it reached the engine; `placed`: orders that it placed."""

    endpoint: Endpoint
    client_id: str | None
    fault: Fault
    delivered: int = 0
    placed: int = 0

    @property
    def executed(self) -> bool:
        return self.placed > 0 if self.endpoint == "place" else self.delivered > 0


@dataclass
class Schedule:
    """Which request is hit by which fault; queued ones first.

    The random share of a request depends on the seed, its endpoint, its client order id and how many of this kind came
    before: not on what other requests do meanwhile. `skew_ms` is how far the venue's clock is off, for all requests.
    """

    seed: int = 0
    rate: float = 0.0
    endpoints: frozenset[Endpoint] | None = None
    mixes: Mapping[str, Sequence[Fault]] = field(default_factory=dict)
    skew_ms: int = 0
    history: list[Hit] = field(default_factory=list)
    _queues: dict[str, deque[tuple[Fault, str | None]]] = field(default_factory=dict)
    _seen: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def queue(self, endpoint: Endpoint | Literal["any"], *faults: Fault, client_id: str | None = None) -> None:
        """Let each fault hit one request to the endpoint, in order; with `client_id` only requests that carry it."""
        self._queues.setdefault(endpoint, deque()).extend((fault, client_id) for fault in faults)

    def random(
        self,
        rate: float,
        *,
        endpoints: Sequence[Endpoint] | None = None,
        mixes: Mapping[str, Sequence[Fault]] | None = None,
    ) -> None:
        """Hit this share of the requests, to these endpoints or to all, from `mixes` by endpoint or the usual ones."""
        self.rate = rate
        self.endpoints = frozenset(endpoints) if endpoints is not None else None
        self.mixes = mixes or {}

    def clear(self) -> None:
        """No more faults; the history stays."""
        self._queues.clear()
        self.rate = 0.0
        self.skew_ms = 0

    def waiting(self) -> int:
        """How many queued faults hit nothing yet."""
        return sum(len(queue) for queue in self._queues.values())

    def take(self, endpoint: Endpoint, client_id: str | None) -> Hit | None:
        """The fault of this request, if it gets one; it is in the history from now on."""
        fault = self._queued(endpoint, client_id) or self._random(endpoint, client_id)
        if fault is None:
            return None
        hit = Hit(endpoint=endpoint, client_id=client_id, fault=fault)
        self.history.append(hit)
        return hit

    def _queued(self, endpoint: Endpoint, client_id: str | None) -> Fault | None:
        for name in (endpoint, "any"):
            queue = self._queues.get(name, deque())
            for index, (fault, wanted) in enumerate(queue):
                if wanted in {None, client_id}:
                    del queue[index]
                    return fault
        return None

    def _random(self, endpoint: Endpoint, client_id: str | None) -> Fault | None:
        count = self._seen[endpoint, client_id] = self._seen.get((endpoint, client_id), -1) + 1
        if not self.rate or (self.endpoints is not None and endpoint not in self.endpoints):
            return None
        chance = random.Random(f"{self.seed}:{endpoint}:{client_id}:{count}")
        usual = PLACE_MIX if endpoint == "place" else CANCEL_MIX if endpoint == "cancel" else READ_MIX
        return chance.choice(self.mixes.get(endpoint, usual)) if chance.random() < self.rate else None
