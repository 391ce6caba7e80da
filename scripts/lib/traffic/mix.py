"""Chooses the next alert: seeded, over all lanes, never selling what was not bought."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import accumulate
from typing import Any, NamedTuple

from scripts.lib.traffic.documents import Scene, document
from scripts.lib.traffic.kinds import AT_A_PRICE, RULES, SELLING, Kind
from scripts.lib.traffic.known import Known
from scripts.lib.traffic.target import Lane, Sender

ACCEPTED = 202
OK = 200
"""The answer in place of ACCEPTED where a wait was asked for and the outcome came in time."""

_OTHERS_SHARE = 0.1
_OF_ITS_LIMIT = 0.4
_REMEMBERED = 64
_LOW_CONFIDENCE = Decimal("0.1")
_LEFT_RESTING = frozenset({Kind.RESTING, Kind.STOP, Kind.TARGET})
_WITHOUT_A_PRICE = frozenset({Kind.BY_VALUE, Kind.UNKNOWN_SYMBOL, Kind.STALE, Kind.WRONG_FIELD})


class Alert(NamedTuple):
    """One request to be signed. `status` is the right answer; `waits` asks for the outcome, to learn a price."""

    kind: Kind
    sender: Sender
    lane: Lane
    key: str
    document: Mapping[str, Any]
    status: int
    waits: bool = False


class Mix:
    """The alerts of one run; `run` keeps its keys apart from all others', `rate` is what will be sent a second."""

    def __init__(self, senders: Sequence[Sender], seed: int, run: str, rate: float | None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose, nothing secret
        self._senders = tuple(senders)
        self._shares = _shares(senders, rate)
        self._left = {sender.name: int(sender.burst * _OF_ITS_LIMIT) for sender in senders[1:]} if rate is None else {}
        self._run = run
        self._count = 0
        self._made = dict.fromkeys(Kind, 0)
        self._known = Known()
        self._accepted: deque[Alert] = deque(maxlen=_REMEMBERED)

    def next(self, now: float) -> Alert:
        """The alert to be sent at `now` (Unix seconds)."""
        self._count += 1
        sender = self._sender()
        lane = sender.lanes[self._random.randrange(len(sender.lanes))]
        kind = self._kind(sender, lane, now)
        self._made[kind] += 1
        if kind is Kind.DUPLICATE:
            return self._accepted.popleft()._replace(kind=kind)
        body = document(kind, Scene(sender, lane, self._known, self._random, now))
        waits = kind is Kind.MARKET and self._known.asks(lane, now)
        return Alert(kind, sender, lane, f"{self._run}-{self._count}", body, RULES[kind].status, waits)

    def answered(self, alert: Alert, status: int) -> None:
        """What became of an alert: only what was accepted is held, or rests."""
        if status not in {ACCEPTED, OK} or alert.kind is Kind.DUPLICATE:
            return
        lane, body = alert.lane, alert.document
        if alert.kind in _LEFT_RESTING:
            self._known.of(lane).resting += 1
        elif alert.kind is Kind.CANCEL:
            self._known.of(lane).resting = 0
        elif body.get("side") == "buy" and "quantity" in body:
            self._known.bought(lane, Decimal(body["quantity"]))
        if not alert.waits:
            self._accepted.append(alert)

    def learn(self, symbol: str, price: Decimal, now: float) -> None:
        """The price of a fill."""
        self._known.learn(symbol, price, now)

    def _sender(self) -> Sender:
        sender = self._random.choices(self._senders, cum_weights=self._shares)[0]
        left = self._left.get(sender.name)
        if left is None:
            return sender
        self._left[sender.name] = left - 1
        return sender if left > 0 else self._senders[0]

    def _kind(self, sender: Sender, lane: Lane, now: float) -> Kind:
        kind = self._random.choices(_KINDS, cum_weights=_WEIGHTS)[0]
        if self._made[kind] >= RULES[kind].most or not self._can(kind, sender, lane, now):
            kind = Kind.MARKET
        return Kind.BY_VALUE if kind is Kind.MARKET and lane.price is None else kind

    def _can(self, kind: Kind, sender: Sender, lane: Lane, now: float) -> bool:
        state = self._known.of(lane)
        can = lane.price is not None or kind in _WITHOUT_A_PRICE
        if kind in AT_A_PRICE:
            can &= self._known.price(lane, now) is not None
        if kind in SELLING:
            can &= bool(state.lots)
        if kind is Kind.CANCEL:
            can &= state.resting > 0
        if kind is Kind.DUPLICATE:
            can &= bool(self._accepted)
        if kind is Kind.LOW_CONFIDENCE:
            can &= sender.min_confidence is not None and sender.min_confidence > _LOW_CONFIDENCE
        return can


_KINDS = tuple(RULES)
_WEIGHTS = tuple(accumulate(rule.weight for rule in RULES.values()))


def _shares(senders: Sequence[Sender], rate: float | None) -> list[float]:
    """Of each sender and all before it: the first takes nearly all; each other one a tenth, or less by its limit."""
    others = [min(_OTHERS_SHARE, _OF_ITS_LIMIT * sender.rate / rate if rate else 1.0) for sender in senders[1:]]
    return list(accumulate([max(0.0, 1.0 - sum(others)), *others]))
