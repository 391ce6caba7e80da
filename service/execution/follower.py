"""The follower: watches what rests at the exchange, and cancels what is to be canceled.

One read of the open orders an account and round, not one an order; an order that is not among them is looked up.
Fills come from the account's own trades, read for all orders that lack some at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal

from service.clock import Clock
from service.core.markets import MATH
from service.core.orders import RESTING, Fill, Order, OrderStatus, Trade
from service.core.outcomes import Found, NotExecuted, NotFound, OrderReport, Refused, absence_provable_at
from service.exchanges.protocol import ExchangeUnavailable, Priority
from service.execution import attributes
from service.execution.calls import ExchangeCalls
from service.execution.reconciler import reference
from service.execution.register import LiveOrder, Register
from service.journal.protocol import JournalUnavailable
from telemetry import conventions as c
from telemetry.facade import Telemetry

log = logging.getLogger(__name__)

_S = OrderStatus
_ABSENT_EVERY_S = 60.0
_ABSENT_FOR_NS = 86_400 * 1_000_000_000
_CLOCKS_DIFFER_NS = 60 * 1_000_000_000
_CANCEL_MARGIN_NS = 1_000_000_000
_LONGEST_PAUSE_S = 5.0
_OPEN = frozenset({_S.ACCEPTED, _S.TRIGGERED, _S.PARTIALLY_FILLED})


class Follower:
    """Follows the orders of every account, every so many seconds (`intervals`, by account)."""

    def __init__(
        self,
        *,
        register: Register,
        accounts: Mapping[str, ExchangeCalls],
        telemetry: Telemetry,
        clock: Clock,
        intervals: Mapping[str, float],
    ) -> None:
        self._register = register
        self._accounts = accounts
        self._telemetry = telemetry
        self._clock = clock
        self._intervals = intervals

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(*(self._follow(account) for account in self._accounts), self._watch_absent())

    async def _follow(self, account: str) -> None:
        pause = self._intervals[account]
        while True:
            await asyncio.sleep(pause)
            try:
                await self.round(account)
                pause = self._intervals[account]
            except (ExchangeUnavailable, JournalUnavailable) as error:
                pause = max(min(pause * 2, _LONGEST_PAUSE_S), self._intervals[account])
                log.warning("following %s: %s; again in %g s", account, error, pause)
            except Exception:  # the follower must outlive any one order's defect; the order stays as journaled
                log.exception("following %s failed", account)

    async def round(self, account: str) -> None:
        """Bring every order of the account that rests, or lacks fills, up to the exchange's state."""
        calls = self._accounts[account]
        resting = [(live, live.order.version) for live in self._register.resting(account)]
        if resting:
            await calls.exchange.slot(account, Priority.FOLLOW)
            reports = {report.client_order_id: report for report in await calls.open_orders(account)}
            for live, version in resting:
                await self._follow_one(live, version, reports.get(live.order.client_order_id), calls)
        await self._read_fills(account, calls)

    async def _read_fills(self, account: str, calls: ExchangeCalls) -> None:
        """What was executed of the orders that lack fills, or may still get some after their end."""
        ended = self._register.unsettled(account)
        lacking = [*ended, *(live for live in self._register.resting(account) if live.lacks_fills)]
        if not lacking:
            return
        symbols = sorted({live.order.symbol for live in lacking})
        since_ns = min(live.order.submitted_ns or live.order.received_ns for live in lacking) - _CLOCKS_DIFFER_NS
        await calls.exchange.slot(account, Priority.FOLLOW)
        trades = await calls.fills_since(account, symbols, since_ns)
        for live in lacking:
            await self._add_fills(live, [trade for trade in trades if _is_of(trade, live.order)])

    async def _add_fills(self, live: LiveOrder, trades: Sequence[Trade]) -> None:
        """Journal the fills that are not known yet, or that there are no more to wait for."""
        async with live.lock:
            fills = tuple(trade.fill_of(live.order.client_order_id) for trade in trades)
            fresh = tuple(fill for fill in fills if fill.id not in live.fill_ids)
            if fresh:
                with self._telemetry.span(
                    c.SPAN_ORDER_UPDATE, live.identity, parent=attributes.trace_of(live.order)
                ) as span:
                    await self._register.apply(live, report_of_fills(live.order, fills), span)
                    live.tell(span)
            await self._register.settle_if_over(live)

    async def _follow_one(
        self, live: LiveOrder, version: int, report: OrderReport | None, calls: ExchangeCalls
    ) -> None:
        if report is None:
            report = await self._look_up(live, calls)
        else:
            live.missing_since_ns = None
        # A report read before a change of the order says nothing about the order after it.
        if report is not None and live.order.version == version:
            await self._update(live, report)
        if live.order.status not in RESTING:
            return
        if live.order.status is not _S.PENDING_CANCEL:
            if live.order.cancel_requested:
                await self.cancel(live)
        elif self._cancel_is_over(live, calls):
            await self._send_cancel(live)

    async def _look_up(self, live: LiveOrder, calls: ExchangeCalls) -> OrderReport | None:
        await calls.exchange.slot(live.order.account, Priority.FOLLOW)
        answer = await calls.look_up(reference(live.order), live.identity, poll=True)
        if isinstance(answer, NotFound):
            live.missing_since_ns = live.missing_since_ns or self._clock.monotonic_ns()
        elif isinstance(answer, Found):
            live.missing_since_ns = None
        return answer.report if isinstance(answer, Found) else None

    async def _update(self, live: LiveOrder, report: OrderReport) -> None:
        version = live.order.version
        unchanged = report.status is live.order.status and report.filled_qty == live.order.filled_qty
        if unchanged and all(fill.id in live.fill_ids for fill in report.fills):
            return
        async with live.lock:
            if live.order.version != version:
                return
            with self._telemetry.span(
                c.SPAN_ORDER_UPDATE, live.identity, parent=attributes.trace_of(live.order)
            ) as span:
                await self._register.apply(live, report, span)
                live.tell(span)

    async def _watch_absent(self) -> None:
        """An order believed absent may still show up: ask now and then."""
        while True:
            await asyncio.sleep(_ABSENT_EVERY_S)
            for live in list(self._register.live.values()):
                if live.order.status is not _S.ABSENT or live.executing:
                    continue
                if self._clock.monotonic_ns() - live.changed_ns > _ABSENT_FOR_NS:
                    async with live.lock:
                        await self._register.note(live, settled=True)
                    continue
                report = await self._look_up(live, self._accounts[live.order.account])
                if report is not None:
                    await self._update(live, report)

    async def cancel(self, live: LiveOrder) -> Order:
        """Cancel `live` as far as its state allows now; the order as it is then.

        Unsent: CANCELED. On its way or in doubt: stored, and sent once it is known. Resting: sent. Done: unchanged.
        """
        async with live.lock:
            status = live.order.status
            if status is _S.RECEIVED and not live.executing:
                await self._register.move(live, _S.CANCELED, reason="cancel_requested")
            elif status in {_S.RECEIVED, _S.SUBMITTED, _S.IN_DOUBT}:
                if not live.order.cancel_requested:
                    await self._register.note(live, cancel_requested=True)
            elif status in _OPEN:
                await self._register.move(live, _S.PENDING_CANCEL, reason="cancel_requested", cancel_requested=True)
        if live.order.status is _S.PENDING_CANCEL and status in _OPEN:
            await self._send_cancel(live)
        return live.order

    def _cancel_is_over(self, live: LiveOrder, calls: ExchangeCalls) -> bool:
        """Whether a cancel that shows no effect can have none any more, so that it may be sent again."""
        if live.cancel_sent_ns is None:
            return True
        over_at = absence_provable_at(live.cancel_sent_ns, calls.exchange.rules)
        return over_at is not None and self._clock.monotonic_ns() >= over_at + _CANCEL_MARGIN_NS

    async def _send_cancel(self, live: LiveOrder) -> None:
        calls = self._accounts[live.order.account]
        identity = live.identity
        with self._telemetry.span(c.SPAN_ORDER_UPDATE, identity, parent=attributes.trace_of(live.order)) as span:
            await calls.slot(live.order.account, Priority.CANCEL, identity)
            live.cancel_sent_ns = self._clock.monotonic_ns()
            outcome = await calls.cancel_order(reference(live.order), identity)
            if isinstance(outcome, Refused):
                # Refused mostly because it is done already: the order itself says what is true.
                outcome = await self._look_up(live, calls) or outcome
            async with live.lock:
                if not _is_pending(live):
                    return
                if isinstance(outcome, OrderReport):
                    await self._register.apply(live, outcome, span)
                    live.tell(span)
                    if _is_pending(live) and outcome.status in _OPEN:
                        await self._register.move(live, outcome.status, reason="cancel_refused", cancel_requested=False)
                elif isinstance(outcome, NotExecuted):
                    live.cancel_sent_ns = None  # the next round sends it


def report_of_fills(order: Order, fills: Sequence[Fill]) -> OrderReport:
    """What an order's fills alone tell of it; its state changes only where they make it whole."""
    filled = sum((fill.quantity for fill in fills), Decimal(0))
    whole = order.quantity is not None and filled >= order.quantity
    ended_so = order.status if order.status is _S.FILLED else _S.PARTIALLY_FILLED
    worth = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
    return OrderReport(
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id or "",
        symbol=order.symbol,
        status=_S.FILLED if whole else ended_so,
        filled_qty=filled,
        average_price=MATH.divide(worth, filled) if filled >= order.filled_qty else None,
        ts_event_ns=max(fill.ts_event_ns for fill in fills),
        fills=tuple(fills),
    )


def _is_of(trade: Trade, order: Order) -> bool:
    if trade.symbol != order.symbol:
        return False
    if trade.client_order_id:
        return trade.client_order_id == order.client_order_id
    return trade.exchange_order_id == order.exchange_order_id


def _is_pending(live: LiveOrder) -> bool:
    return live.order.status is _S.PENDING_CANCEL
