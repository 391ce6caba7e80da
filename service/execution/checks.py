"""The checks right before a send: everything that could have changed since the acknowledgement.

Kill switch, age, price, balance, position: whether the order may leave now, and how large it is.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from service.clock import Clock
from service.core import freshness, sizing
from service.core.markets import Market, MarketType, Quote
from service.core.orders import Intent, Order, OrderStatus, SizingMethod
from service.core.refusals import DenialReason, ExpiryReason
from service.exchanges.protocol import ExchangeUnavailable
from service.execution.calls import ExchangeCalls
from service.execution.funds import AccountFunds, Snapshot
from service.execution.halts import Halts
from service.execution.register import LiveOrder, Register
from service.journal.protocol import Journal
from telemetry import conventions as c
from telemetry.facade import Attributes, Telemetry

log = logging.getLogger(__name__)

_S = OrderStatus
_ZERO = Decimal(0)

RETRY_S = 0.5
"""Pause before a failed read, a full disk or an unsent request is tried again."""

_QUOTE_FRESH_NS = 2_000_000_000
_FREED_WITHIN_NS = 5_000_000_000
"""How long an order that only other orders on their way make too large waits for their outcomes."""
_SETTLE_TURN_S = 0.1
_SETTLE_AT_MOST_NS = 10_000_000_000
"""A position is not waited for longer than this: an exit must not hang on a fill that an exchange does not tell."""


class Denied(msgspec.Struct, frozen=True):
    reason: DenialReason
    detail: str


class Expired(msgspec.Struct, frozen=True):
    reason: ExpiryReason
    detail: str


class Withdrawn(msgspec.Struct, frozen=True):
    """Nothing is to be sent: a cancel came before the send, or the position is already what it shall be."""

    reason: str = "cancel_requested"
    detail: str | None = None


class Ready(msgspec.Struct, frozen=True):
    """Sized and reserved."""

    sized: sizing.Sized


Verdict = Ready | Denied | Expired | Withdrawn

HALTED = Expired(ExpiryReason.HALTED, "the kill switch is engaged")


class _NotYet(msgspec.Struct, frozen=True):
    """Too little was free beside what is reserved; once orders on their way have ended, it may be enough.

    An order that was just executed lowers the balance and is still reserved until its outcome is written: for that
    moment it counts twice.
    """

    denied: Denied
    snapshot: Snapshot


class SendChecks:
    """`max_notional` is the largest order of each source, quote units."""

    def __init__(
        self,
        *,
        register: Register,
        journal: Journal,
        funds: Mapping[str, AccountFunds],
        halts: Halts,
        max_notional: Mapping[str, Decimal | None],
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._register = register
        self._journal = journal
        self._funds = funds
        self._halts = halts
        self._max_notional = max_notional
        self._telemetry = telemetry
        self._clock = clock

    async def verdict(self, live: LiveOrder, calls: ExchangeCalls) -> Verdict:
        """All checks that have to be right at the moment of sending; reserves what the order will take."""
        with self._telemetry.span(c.SPAN_ORDER_SIZE, live.identity) as span:
            verdict = await self._check(live, calls)
            if isinstance(verdict, Denied | Expired):
                span.set({c.ATTR_DENIAL_REASON: verdict.reason.value})
            return verdict

    def halted(self, live: LiveOrder) -> bool:
        return self._halts.blocks(live.order.account, live.order.intent)

    async def pause(self, live: LiveOrder, seconds: float) -> None:
        """Wait, but not beyond the order's age limit: it has to be seen to expire in time."""
        left = self.seconds_left(live)
        await asyncio.sleep(seconds if left is None else min(seconds, max(left, 0.01)))

    def seconds_left(self, live: LiveOrder) -> float | None:
        """Until the order is too old; negative when it is; None: it never is."""
        order = live.order
        if order.max_age_ns is None:
            return None
        return (order.received_ns + order.max_age_ns - self._register.age_now_ns(live)) / 1e9

    async def _check(self, live: LiveOrder, calls: ExchangeCalls) -> Verdict:
        begun_ns = self._clock.monotonic_ns()
        while True:
            if live.order.cancel_requested or live.order.status not in {_S.RECEIVED, _S.ABSENT}:
                return Withdrawn()
            if (expired := self._over(live, calls, None)) is not None:
                return expired
            try:
                verdict = await self._size_once(live, calls)
            except ExchangeUnavailable as error:  # an exit waits for its exchange, an entry until it is too old
                log.warning("not sized yet: %s", error, extra={"order_id": live.order.id})
                await self.pause(live, RETRY_S)
                continue
            if not isinstance(verdict, _NotYet):
                return verdict
            left_ns = begun_ns + _FREED_WITHIN_NS - self._clock.monotonic_ns()
            if left_ns <= 0:
                return verdict.denied
            await self._funds[live.order.account].freed(verdict.snapshot, left_ns / 1e9)

    async def _size_once(self, live: LiveOrder, calls: ExchangeCalls) -> Verdict | _NotYet:
        order = live.order
        identity = live.identity
        funds = self._funds[order.account]
        market = calls.exchange.markets.get(order.symbol)
        if market is None:
            return Denied(DenialReason.UNKNOWN_SYMBOL, f"{order.symbol} is not a market of {order.exchange} any more")
        position = holding = _ZERO
        if _depends_on_position(order):
            await self._await_settled(live)
            position, holding = await self._held(order, market, calls, identity)
        snapshot = await funds.snapshot(lambda: calls.fetch_balances(order.account, identity))
        quote = self._fresh_quote(order.symbol, calls) or await calls.fetch_quote(order.symbol, identity)
        if (expired := self._over(live, calls, quote)) is not None:
            return expired
        size = functools.partial(
            sizing.size_order, order, market, quote, snapshot.balances, position=position, holding=holding
        )
        sized = size(funds.reserved(snapshot))
        if isinstance(sized, sizing.Sized):
            return self._ready(order, sized)
        if isinstance(sized, sizing.AtTarget):
            return Withdrawn("at_target", sized.detail)
        denied = Denied(sized.reason, sized.detail)
        if sized.reason is not DenialReason.INSUFFICIENT_BALANCE:
            return denied
        may_do = funds.released_since(snapshot) or isinstance(size({}), sizing.Sized)
        return _NotYet(denied, snapshot) if may_do else denied

    def _ready(self, order: Order, sized: sizing.Sized) -> Ready | Denied:
        # Of a target the position is judged, not the way to it: a reversal is as long as both sides together.
        target = order.sizing.method is SizingMethod.TARGET
        size = abs(order.sizing.value) if target else sized.quantity
        if (denied := self._too_large(order, size * sized.mid)) is not None:
            return denied
        self._funds[order.account].reserve(order.id, sized.reserve_currency, sized.reserve_amount)
        return Ready(sized)

    async def _await_settled(self, live: LiveOrder) -> None:
        """Until what this account executed in the symbol shows in positions, balances and fills.

        Without it, two alerts that ask for the same target a moment apart would both find it not reached.
        """
        order = live.order
        key = (order.account, order.symbol)
        settling_ns = self._register.settling_ns(order.exchange)
        begun_ns = self._clock.monotonic_ns()
        while self._clock.monotonic_ns() - begun_ns < _SETTLE_AT_MOST_NS:
            shown = self._register.since_execution_ns(*key) >= settling_ns
            if shown and not any(other.lacks_fills for other in self._register.of_symbol(*key)):
                return
            await asyncio.sleep(_SETTLE_TURN_S)

    async def _held(
        self, order: Order, market: Market, calls: ExchangeCalls, identity: Attributes
    ) -> tuple[Decimal, Decimal]:
        """The position (swap) and what the order's source bought through us (spot), base units; 0 where unused."""
        if market.type is MarketType.SWAP:
            position = (await calls.fetch_positions(order.account, identity)).get(order.symbol)
            return (_ZERO if position is None else position.quantity), _ZERO
        return _ZERO, await self._journal.holding(
            source=order.source, exchange=order.exchange, account=order.account, symbol=order.symbol
        )

    def _too_large(self, order: Order, notional: Decimal) -> Denied | None:
        limit = self._max_notional.get(order.source)
        if limit is None or notional <= limit or (_depends_on_position(order) and order.intent is Intent.EXIT):
            return None
        return Denied(DenialReason.ABOVE_MAXIMUM, f"worth {notional:f} in quote units, at most {limit:f} is taken")

    def _fresh_quote(self, symbol: str, calls: ExchangeCalls) -> Quote | None:
        quote = calls.exchange.quote(symbol)
        # A price stamped in the future was learned before the clock jumped back: it may be as old as it likes.
        is_fresh = quote is not None and abs(self._clock.now_ns() - quote.ts_ns) < _QUOTE_FRESH_NS
        return quote if is_fresh else None

    def _over(self, live: LiveOrder, calls: ExchangeCalls, quote: Quote | None) -> Expired | None:
        """Why the order may not be sent any more; without a quote its price is not judged."""
        order = live.order
        if self._halts.blocks(order.account, order.intent):
            return HALTED
        if order.intent is Intent.ENTRY and not calls.allows_entry():
            self._telemetry.add(c.CIRCUIT_BREAKER_REJECTIONS, exchange=calls.name)
            return Expired(ExpiryReason.BREAKER_OPEN, f"too many calls to {calls.name} failed; entries are not sent")
        now_ns = self._register.age_now_ns(live)
        if quote is not None:
            reason = freshness.expiry(order, now_ns=now_ns, quote=quote)
        else:
            reason = ExpiryReason.MAX_AGE if freshness.too_old(order, now_ns) else None
        return None if reason is None else Expired(reason, _expiry_detail(live, reason, now_ns, quote))


def _depends_on_position(order: Order) -> bool:
    return order.reduce_only or order.sizing.method is SizingMethod.TARGET


def _expiry_detail(live: LiveOrder, reason: ExpiryReason, now_ns: int, quote: Quote | None) -> str:
    order = live.order
    if reason is ExpiryReason.MAX_AGE:
        age, limit = (now_ns - order.received_ns) / 1e9, (order.max_age_ns or 0) / 1e9
        return f"waited {age:.1f} s, allowed are {limit:g} s"
    if reason is ExpiryReason.PRICE_DRIFT and quote is not None:
        price = quote.for_side(order.side)
        return f"price {price:f}, at arrival {order.arrival_price:f}, allowed are {order.max_drift_bps} bps"
    return "no price is known"
