"""The executor: takes an acknowledged order to its outcome, once.

Right before a send everything that could have changed since the acknowledgement is checked again: kill switch, age,
price, balance. SUBMITTED is on disk before the first byte leaves. What is not proven is handed to the reconciler,
and the lane waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from service.clock import Clock
from service.core import freshness, sizing
from service.core.markets import Quote
from service.core.orders import Intent, Order, OrderStatus
from service.core.outcomes import Accepted, NotExecuted, Outcome, Refused, RejectReason
from service.core.refusals import DenialReason, ExpiryReason
from service.exchanges.protocol import ExchangeUnavailable, OrderRequest, Priority
from service.execution import attributes
from service.execution.calls import ExchangeCalls
from service.execution.funds import AccountFunds
from service.execution.halts import Halts
from service.execution.lanes import Lanes
from service.execution.measures import OrderMeasures
from service.execution.reconciler import ABSENT, RESEND, Reconciler
from service.execution.register import LiveOrder, Register
from service.journal.protocol import JournalUnavailable
from telemetry import conventions as c
from telemetry.facade import Attributes, Span, Telemetry

log = logging.getLogger(__name__)

_S = OrderStatus

_QUOTE_FRESH_NS = 2_000_000_000
_SIZING_ROUNDS = 3
_RETRY_S = 0.5
"""Pause before a failed read, a full disk or an unsent request is tried again."""


class Denied(msgspec.Struct, frozen=True):
    reason: DenialReason
    detail: str


class Expired(msgspec.Struct, frozen=True):
    reason: ExpiryReason
    detail: str


class Withdrawn(msgspec.Struct, frozen=True):
    """A cancel came before the send."""


class Ready(msgspec.Struct, frozen=True):
    """Sized and reserved, at the prices of `quote`."""

    sized: sizing.Sized
    quote: Quote


Verdict = Ready | Denied | Expired | Withdrawn

_HALTED = Expired(ExpiryReason.HALTED, "the kill switch is engaged")


class _NotYet(msgspec.Struct, frozen=True):
    """Too little was free, but an order that ended meanwhile may have freed more than this read shows."""

    denied: Denied


class Executor:
    """Executes orders in lanes; `exchanges` by configured name, `max_notional` (quote units) by source."""

    def __init__(
        self,
        *,
        register: Register,
        exchanges: Mapping[str, ExchangeCalls],
        funds: Mapping[str, AccountFunds],
        reconciler: Reconciler,
        halts: Halts,
        max_notional: Mapping[str, Decimal | None],
        measures: OrderMeasures,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._register = register
        self._exchanges = exchanges
        self._funds = funds
        self._reconciler = reconciler
        self._halts = halts
        self._max_notional = max_notional
        self._measures = measures
        self._telemetry = telemetry
        self._clock = clock
        self._lanes = Lanes(self.execute)
        self._stopping = False

    def submit(self, live: LiveOrder) -> None:
        """Queue an order that is in the journal."""
        self._lanes.put(live)

    async def stop(self, within: float) -> None:
        """Finish what is on the wire `within` so many seconds; the rest continues at the next start."""
        self._stopping = True
        await self._lanes.stop(within, on_the_wire=lambda live: live.executing)

    async def execute(self, live: LiveOrder) -> None:
        """Take `live` to its first known outcome, or to ABSENT; the lane is held meanwhile."""
        if live.order.status is _S.IN_DOUBT:
            await self._reconciler.settle(live)
        while live.order.status is _S.RECEIVED or _to_be_resent(live):
            live.executing = True
            try:
                retry_after = await self._attempt_measured(live)
            except JournalUnavailable:
                # Nothing was sent: SUBMITTED is not on disk. An outcome that could not be written is looked up
                # again below. Either way the order waits for the disk, and ages.
                log.warning("the journal is not writable, the order waits", extra={"order_id": live.order.id})
                retry_after = _RETRY_S
            finally:
                live.executing = False
            if self._stopping:
                return
            if live.uncertain:
                await self._reconciler.settle(live)
            elif live.order.status is _S.RECEIVED:
                await self._pause(live, retry_after)
        self._funds[live.order.account].release(live.order.id)

    async def _pause(self, live: LiveOrder, seconds: float) -> None:
        """Wait, but not beyond the order's age limit: it has to be seen to expire in time."""
        order = live.order
        if order.max_age_ns is not None:
            left_ns = order.received_ns + order.max_age_ns - self._register.age_now_ns(live)
            seconds = min(seconds, max(left_ns / 1e9, 0.01))
        await asyncio.sleep(seconds)

    async def _attempt_measured(self, live: LiveOrder) -> float:
        order = live.order
        identity = attributes.identity(order)
        started = self._clock.monotonic_ns()
        with self._telemetry.span(c.SPAN_ORDER_EXECUTE, identity, parent=attributes.trace_of(order)) as span:
            retry_after = await self._attempt(live, span)
            span.set(attributes.outcome(live.order))
            if live.order.reason is not None and live.order.status in {_S.DENIED, _S.EXPIRED}:
                span.set({c.ATTR_DENIAL_REASON: live.order.reason})
            if live.order.status is not _S.RECEIVED:
                seconds = (self._clock.monotonic_ns() - started) / 1e9
                self._telemetry.record(
                    c.ORDER_DURATION, seconds, exchange=order.exchange, order_type=order.order_type.value
                )
        return retry_after

    async def _attempt(self, live: LiveOrder, span: Span) -> float:
        """One way to the exchange; seconds to wait before the next one, where there is one."""
        calls = self._exchanges[live.order.exchange]
        await calls.slot(live.order.account, Priority.ORDER, attributes.identity(live.order))
        verdict = await self._size(live, calls)
        async with live.lock:
            if not await self._submit(live, verdict):
                return 0.0
        outcome = await calls.create_order(_request(live), attributes.identity(live.order), attempt=live.order.attempts)
        async with live.lock:
            return await self._settle(live, outcome, span)

    async def _submit(self, live: LiveOrder, verdict: Verdict) -> bool:
        """Whether the order may now leave; SUBMITTED is on disk then. The caller holds `live.lock`."""
        if live.order.status not in {_S.RECEIVED, _S.ABSENT}:
            return False  # canceled or expired meanwhile
        if live.order.cancel_requested:
            verdict = Withdrawn()
        if not isinstance(verdict, Ready):
            await self._end_unsent(live, verdict)
            return False
        before = live.order.status
        await self._register.move(
            live,
            _S.SUBMITTED,
            quantity=verdict.sized.quantity,
            adjusted_from=verdict.sized.adjusted_from,
            attempts=live.order.attempts + 1,
            submitted_ns=self._clock.now_ns(),
        )
        if self._halts.blocks(live.order.account, live.order.intent):
            # The switch was thrown while SUBMITTED was being written: nothing has left, so nothing may leave.
            await self._withhold(live, before)
            return False
        self._measures.sized(live.order, verdict.sized, verdict.quote)
        return True

    async def _withhold(self, live: LiveOrder, before: OrderStatus) -> None:
        if before is _S.ABSENT:
            await self._register.move(live, _S.IN_DOUBT, reason=ExpiryReason.HALTED.value)
            await self._register.move(live, _S.ABSENT, reason=ABSENT)
            return
        await self._register.move(live, _S.RECEIVED, reason=ExpiryReason.HALTED.value)
        await self._end_unsent(live, _HALTED)

    async def _size(self, live: LiveOrder, calls: ExchangeCalls) -> Verdict:
        """All checks that have to be right at the moment of sending; reserves what the order will take."""
        with self._telemetry.span(c.SPAN_ORDER_SIZE, attributes.identity(live.order)) as span:
            verdict = await self._check(live, calls)
            if isinstance(verdict, Denied | Expired):
                span.set({c.ATTR_DENIAL_REASON: verdict.reason.value})
            return verdict

    async def _check(self, live: LiveOrder, calls: ExchangeCalls) -> Verdict:
        rounds = 0
        while True:
            if live.order.cancel_requested or live.order.status not in {_S.RECEIVED, _S.ABSENT}:
                return Withdrawn()
            if (expired := self._blocked(live, calls) or self._expired(live, None)) is not None:
                return expired
            rounds += 1
            try:
                verdict = await self._size_once(live, calls)
            except ExchangeUnavailable as error:  # an exit waits for its exchange, an entry until it is too old
                log.warning("not sized yet: %s", error, extra={"order_id": live.order.id})
                await self._pause(live, _RETRY_S)
                continue
            if not isinstance(verdict, _NotYet):
                return verdict
            if rounds >= _SIZING_ROUNDS:
                return verdict.denied

    async def _size_once(self, live: LiveOrder, calls: ExchangeCalls) -> Verdict | _NotYet:
        order = live.order
        identity = attributes.identity(order)
        funds = self._funds[order.account]
        snapshot = await funds.snapshot(lambda: calls.fetch_balances(order.account, identity))
        quote = await self._quote(order.symbol, calls, identity)
        if (expired := self._blocked(live, calls) or self._expired(live, quote)) is not None:
            return expired
        market = calls.exchange.markets.get(order.symbol)
        if market is None:
            return Denied(DenialReason.UNKNOWN_SYMBOL, f"{order.symbol} is not a market of {order.exchange} any more")
        sized = sizing.size_order(order, market, quote, snapshot.balances, funds.reserved(snapshot))
        if isinstance(sized, sizing.Sized):
            if (denied := self._too_large(order, sized.quantity * quote.mid)) is not None:
                return denied
            funds.reserve(order.id, sized.reserve_currency, sized.reserve_amount)
            return Ready(sized, quote)
        denied = Denied(sized.reason, sized.detail)
        may_differ = sized.reason is DenialReason.INSUFFICIENT_BALANCE and funds.released_since(snapshot)
        return _NotYet(denied) if may_differ else denied

    def _too_large(self, order: Order, notional: Decimal) -> Denied | None:
        limit = self._max_notional.get(order.source)
        if limit is None or notional <= limit:
            return None
        return Denied(DenialReason.ABOVE_MAXIMUM, f"worth {notional:f} in quote units, at most {limit:f} is taken")

    async def _quote(self, symbol: str, calls: ExchangeCalls, identity: Attributes) -> Quote:
        quote = calls.exchange.quote(symbol)
        if quote is not None and self._clock.now_ns() - quote.ts_ns < _QUOTE_FRESH_NS:
            return quote
        return await calls.fetch_quote(symbol, identity)

    def _blocked(self, live: LiveOrder, calls: ExchangeCalls) -> Expired | None:
        order = live.order
        if self._halts.blocks(order.account, order.intent):
            return _HALTED
        if order.intent is Intent.ENTRY and not calls.allows_entry():
            self._telemetry.add(c.CIRCUIT_BREAKER_REJECTIONS, exchange=calls.name)
            return Expired(ExpiryReason.BREAKER_OPEN, f"too many calls to {calls.name} failed; entries are not sent")
        return None

    def _expired(self, live: LiveOrder, quote: Quote | None) -> Expired | None:
        now_ns = self._register.age_now_ns(live)
        if quote is None:  # no answer: only age can be judged
            reason = ExpiryReason.MAX_AGE if freshness.too_old(live.order, now_ns) else None
        else:
            reason = freshness.expiry(live.order, now_ns=now_ns, quote=quote)
        return None if reason is None else Expired(reason, _expiry_detail(live, reason, now_ns, quote))

    async def _end_unsent(self, live: LiveOrder, verdict: Denied | Expired | Withdrawn) -> None:
        """Not sent, for good. An absent order that may not be sent again stays ABSENT."""
        if live.order.status is _S.ABSENT:
            await self._register.note(live, reason=ABSENT, outcome_counted=True)
        elif isinstance(verdict, Denied):
            await self._register.move(live, _S.DENIED, reason=verdict.reason.value, detail=verdict.detail)
        elif isinstance(verdict, Expired):
            await self._register.move(live, _S.EXPIRED, reason=verdict.reason.value, detail=verdict.detail)
        else:
            await self._register.move(live, _S.CANCELED, reason="cancel_requested")

    async def _settle(self, live: LiveOrder, outcome: Outcome, span: Span) -> float:
        match outcome:
            case Accepted(report=report):
                await self._register.apply(live, report, span)
            case Refused(reason=RejectReason.DUPLICATE_CLIENT_ORDER_ID as reason):
                # The id is ours alone: an earlier request of this very order arrived after all. Which one, and what
                # became of it, the look-up tells.
                await self._reconciler.begin_doubt(live, reason.value)
            case Refused(reason=reason, message=message):
                await self._register.move(live, _S.REJECTED, reason=reason.value, detail=message[:500] or None)
            case NotExecuted(cause=cause, retry_after=retry_after):
                self._funds[live.order.account].release(live.order.id)
                await self._register.move(live, _S.RECEIVED, reason=cause)
                return max(retry_after, _RETRY_S)
            case _:
                await self._reconciler.begin_doubt(live, outcome.cause)
        return 0.0


def _to_be_resent(live: LiveOrder) -> bool:
    return live.order.status is _S.ABSENT and live.order.reason == RESEND


def _request(live: LiveOrder) -> OrderRequest:
    order = live.order
    assert order.quantity is not None, "a submitted order is sized"
    return OrderRequest(
        account=order.account,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        quantity=order.quantity,
        price=order.price,
        stop_price=order.stop_price,
        reduce_only=order.reduce_only,
    )


def _expiry_detail(live: LiveOrder, reason: ExpiryReason, now_ns: int, quote: Quote | None) -> str:
    order = live.order
    if reason is ExpiryReason.MAX_AGE:
        age, limit = (now_ns - order.received_ns) / 1e9, (order.max_age_ns or 0) / 1e9
        return f"waited {age:.1f} s, allowed are {limit:g} s"
    if reason is ExpiryReason.PRICE_DRIFT and quote is not None:
        price = quote.for_side(order.side)
        return f"price {price:f}, at arrival {order.arrival_price:f}, allowed are {order.max_drift_bps} bps"
    return "no price is known"
