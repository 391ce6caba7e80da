"""The executor: takes an acknowledged order to its outcome, once.

Right before a send everything that could have changed since the acknowledgement is checked again. SUBMITTED is on
disk before the first byte leaves. What is not proven is handed to the reconciler, and the lane waits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal

from service.bounded import within
from service.clock import Clock
from service.core.orders import Action, Order, OrderStatus
from service.core.outcomes import Accepted, NotExecuted, Outcome, Refused, RejectReason
from service.core.refusals import ExpiryReason
from service.exchanges.protocol import OrderRequest, Priority
from service.execution import attributes
from service.execution.calls import ExchangeCalls
from service.execution.cancels import Cancels
from service.execution.checks import HALTED, RETRY_S, Denied, Expired, Ready, SendChecks, Verdict, Withdrawn
from service.execution.funds import AccountFunds
from service.execution.lanes import Lanes
from service.execution.measures import OrderMeasures
from service.execution.reconciler import ABSENT, RESEND, Reconciler, closes_position
from service.execution.register import LiveOrder, Register
from service.journal.protocol import JournalUnavailable
from telemetry import conventions as c
from telemetry.facade import Span, Telemetry

log = logging.getLogger(__name__)

_S = OrderStatus

_LONGEST_RETRY_S = 10.0
"""Between two attempts of an order that an exchange does not take; each pause is twice the one before."""


class Executor:
    """Executes orders in lanes; `exchanges` by configured name, `funds` by account."""

    def __init__(
        self,
        *,
        register: Register,
        exchanges: Mapping[str, ExchangeCalls],
        funds: Mapping[str, AccountFunds],
        checks: SendChecks,
        reconciler: Reconciler,
        cancels: Cancels,
        measures: OrderMeasures,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._register = register
        self._exchanges = exchanges
        self._funds = funds
        self._checks = checks
        self._reconciler = reconciler
        self._cancels = cancels
        self._measures = measures
        self._telemetry = telemetry
        self._clock = clock
        self._lanes = Lanes(self.execute)
        self._stopping = False

    def submit(self, live: LiveOrder) -> None:
        """Queue an order that is in the journal; an alert that cancels waits behind nothing."""
        if live.order.action is Action.CANCEL:
            self._cancels.start(live)
        else:
            self._lanes.put(live)

    async def stop(self, within: float) -> None:
        """Finish what is on the wire `within` so many seconds; the rest continues at the next start."""
        self._stopping = True
        await self._cancels.stop()
        await self._lanes.stop(within, on_the_wire=lambda live: live.executing)

    async def execute(self, live: LiveOrder) -> None:
        """Take `live` to its first known outcome, or to ABSENT; the lane is held meanwhile."""
        live.dequeued_ns = self._clock.monotonic_ns()
        if live.order.status is _S.IN_DOUBT:
            await self._reconciler.settle(live)
        while live.order.status is _S.RECEIVED or _to_be_resent(live):
            live.executing = True
            try:
                retry_after = await self._attempt_traced(live)
            except JournalUnavailable:
                # Nothing was sent: SUBMITTED is not on disk. An outcome that could not be written is looked up
                # again below. Either way the order waits for the disk, and ages.
                log.warning("the journal is not writable, the order waits", extra={"order_id": live.order.id})
                retry_after = RETRY_S
            finally:
                live.executing = False
            if self._stopping:
                return
            if live.uncertain:
                await self._reconciler.settle(live)
            elif live.order.status is _S.RECEIVED:
                await self._checks.pause(live, retry_after)
        self._funds[live.order.account].release(live.order.id)

    async def _attempt_traced(self, live: LiveOrder) -> float:
        order = live.order
        with self._telemetry.span(c.SPAN_ORDER_EXECUTE, live.identity, parent=attributes.trace_of(order)) as span:
            retry_after = await self._attempt(live, span)
            if live.order.side is not order.side:
                span.set(live.identity)  # only the position told which
            live.tell(span)
            if live.order.reason is not None and live.order.status in {_S.DENIED, _S.EXPIRED}:
                span.set({c.ATTR_DENIAL_REASON: live.order.reason})
        return retry_after

    async def _attempt(self, live: LiveOrder, span: Span) -> float:
        """One way to the exchange; seconds to wait before the next one, where there is one."""
        calls = self._exchanges[live.order.exchange]
        await self._take_slot(live, calls)
        verdict = await self._checks.verdict(live, calls)
        async with live.lock:
            if not await self._submit(live, verdict):
                return 0.0
        outcome = await calls.create_order(_request(live), live.identity, attempt=live.order.attempts)
        async with live.lock:
            return await self._settle(live, outcome, span)

    async def _take_slot(self, live: LiveOrder, calls: ExchangeCalls) -> None:
        """Wait for the exchange's limit, but not beyond the order's age: the checks then see that it is too old."""
        try:
            slot = calls.slot(live.order.account, Priority.ORDER, live.identity)
            await within(self._checks.seconds_left(live), slot)
        except TimeoutError:
            log.warning("no request may be sent to %s for now", calls.name, extra={"order_id": live.order.id})

    async def _submit(self, live: LiveOrder, verdict: Verdict) -> bool:
        """Whether the order may now leave; SUBMITTED is on disk then. The caller holds `live.lock`."""
        before = live.order
        if before.status not in {_S.RECEIVED, _S.ABSENT}:
            return False  # canceled or expired meanwhile
        if before.cancel_requested:
            verdict = Withdrawn()
        if not isinstance(verdict, Ready):
            await self._end_unsent(live, verdict)
            return False
        if before.status is _S.ABSENT and closes_position(before) and verdict.sized.quantity != before.quantity:
            # Only the whole position can be closed twice without harm, and it is not what it was.
            await self._end_unsent(live, Withdrawn())
            return False
        await self._register.move(
            live,
            _S.SUBMITTED,
            detail=_left_over(verdict.sized.dust),
            side=verdict.sized.side,
            reduce_only=verdict.sized.reduce_only,
            quantity=verdict.sized.quantity,
            contracts=verdict.sized.contracts,
            adjusted_from=verdict.sized.adjusted_from,
            attempts=before.attempts + 1,
            submitted_ns=self._clock.now_ns(),
        )
        if self._checks.halted(live):
            # The switch was thrown while SUBMITTED was being written: nothing has left, so nothing may leave.
            await self._withhold(live, before.status)
            return False
        if live.order.attempts == 1:  # sent again it is still one order
            self._measures.sized(live.order, verdict.sized)
        return True

    async def _withhold(self, live: LiveOrder, before: OrderStatus) -> None:
        if before is _S.ABSENT:
            await self._register.move(live, _S.IN_DOUBT, reason=ExpiryReason.HALTED.value)
            await self._register.move(live, _S.ABSENT, reason=ABSENT)
            return
        await self._register.move(live, _S.RECEIVED, reason=ExpiryReason.HALTED.value)
        await self._end_unsent(live, HALTED)

    async def _end_unsent(self, live: LiveOrder, verdict: Denied | Expired | Withdrawn) -> None:
        """Not sent, for good. An absent order that may not be sent again stays ABSENT."""
        if live.order.status is _S.ABSENT:
            await self._register.note(live, reason=ABSENT, detail=_not_again(verdict), outcome_counted=True)
        elif isinstance(verdict, Denied):
            await self._register.move(live, _S.DENIED, reason=verdict.reason.value, detail=verdict.detail)
        elif isinstance(verdict, Expired):
            await self._register.move(live, _S.EXPIRED, reason=verdict.reason.value, detail=verdict.detail)
        else:
            await self._register.move(live, _S.CANCELED, reason=verdict.reason, detail=verdict.detail)

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
                return max(retry_after, _pause_after(live.order.attempts))
            case _:
                await self._reconciler.begin_doubt(live, outcome.cause)
        return 0.0


def _pause_after(attempts: int) -> float:
    """Seconds before the next attempt, after so many."""
    return float(min(RETRY_S * 2 ** min(attempts - 1, 10), _LONGEST_RETRY_S))


def _not_again(verdict: Denied | Expired | Withdrawn) -> str:
    """Why an absent order that might be sent again is not."""
    return f"not sent again: {verdict.reason}" + (f": {verdict.detail}" if verdict.detail else "")


def _left_over(dust: Decimal | None) -> str | None:
    return f"{dust:f} base units are too few to be traded and stay" if dust else None


def _to_be_resent(live: LiveOrder) -> bool:
    return live.order.status is _S.ABSENT and live.order.reason == RESEND


def _request(live: LiveOrder) -> OrderRequest:
    order: Order = live.order
    assert order.quantity is not None, "a submitted order is sized"
    assert order.side is not None, "a submitted order is sized"
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
