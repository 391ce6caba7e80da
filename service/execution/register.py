"""The live orders of this process, and the one way in which an order changes.

Every change goes through `Register.change`: checked by the table, journaled, then visible. The lock of a live order
makes read, decision and journal one step for executor, follower, reconciler and operator alike.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from service.clock import Clock
from service.core.orders import (
    RESTING,
    UNCERTAIN,
    Fill,
    ImpossibleTransition,
    Order,
    OrderStatus,
    Transition,
    is_allowed,
)
from service.core.outcomes import OrderReport
from service.core.reports import Effect, effect_of
from service.core.settling import ENDED, OVER, is_settled
from service.execution import attributes
from service.journal.protocol import Journal
from telemetry import conventions as c
from telemetry.facade import Repeated, Span, SpanContext, Telemetry

log = logging.getLogger(__name__)

_ZERO = Decimal(0)

OUTCOME_UNKNOWN = frozenset({OrderStatus.RECEIVED, OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT})


class LiveOrder:
    """An order that is not settled, with what only this process needs of it.

    Times are monotonic nanoseconds. `changed_ns`: when it last changed. `missing_since_ns`: since when the exchange
    knows no such order though it rested. `dequeued_ns`: when its lane took it, as long as its outcome is not known.
    `identity`: the attributes that all its spans carry.
    """

    __slots__ = (
        "_changed",
        "_outcome",
        "cancel_sent_ns",
        "changed_ns",
        "dequeued_ns",
        "doubt_since_ns",
        "executing",
        "fill_ids",
        "fills_qty",
        "identity",
        "lock",
        "missing_since_ns",
        "order",
        "received_monotonic_ns",
    )

    def __init__(
        self, order: Order, *, received_monotonic_ns: int, changed_ns: int, fills: Iterable[Fill] = ()
    ) -> None:
        self.order = order
        self.identity = attributes.identity(order)
        self._outcome: Repeated | None = None
        self.received_monotonic_ns = received_monotonic_ns
        self.changed_ns = changed_ns
        self.lock = asyncio.Lock()
        self._changed: asyncio.Event | None = None
        self.fill_ids: set[str] = set()
        self.fills_qty = _ZERO
        self.add_fills(fills)
        self.executing = False
        self.missing_since_ns: int | None = None
        self.doubt_since_ns: int | None = None
        self.dequeued_ns: int | None = None
        self.cancel_sent_ns: int | None = None

    @property
    def uncertain(self) -> bool:
        """Whether it may or may not be at the exchange."""
        return self.order.status in UNCERTAIN

    @property
    def outcome_known(self) -> bool:
        return self.order.status not in OUTCOME_UNKNOWN

    @property
    def lacks_fills(self) -> bool:
        """Whether more was filled than the known fills tell."""
        return self.order.filled_qty > self.fills_qty

    def add_fills(self, fills: Iterable[Fill]) -> None:
        """Each once, by its trade id."""
        for fill in fills:
            if fill.id not in self.fill_ids:
                self.fill_ids.add(fill.id)
                self.fills_qty += fill.quantity

    async def wait_change(self) -> None:
        """Return after the next change of the order."""
        if self._changed is None:  # hardly anybody waits
            self._changed = asyncio.Event()
        await self._changed.wait()

    def tell(self, span: Span) -> None:
        """Give `span` what became of the order."""
        if span.recording:
            if self._outcome is None:
                self._outcome = attributes.outcome(self.order)
            span.set(self._outcome)

    def replace(self, order: Order, changed_ns: int, outcome: Repeated | None) -> None:
        """`outcome` are the attributes of the order as it is now, where somebody had them made."""
        self._outcome = outcome
        if order.side is not self.order.side:
            self.identity = attributes.identity(order)
        self.order = order
        self.changed_ns = changed_ns
        if self._changed is not None:
            self._changed.set()
            self._changed = None


class Change(msgspec.Struct, frozen=True):
    """One journaled change, as observers see it."""

    before: Order
    after: Order
    fills: tuple[Fill, ...]
    conclusive: bool


Observer = Callable[[LiveOrder, Change], None]


class Register:
    """`settling_ns` by exchange: how long after an order's end fills of it may still come in."""

    def __init__(
        self,
        journal: Journal,
        telemetry: Telemetry,
        clock: Clock,
        settling_ns: Mapping[str, int],
    ) -> None:
        self._journal = journal
        self._settling_ns = settling_ns
        self._telemetry = telemetry
        self._clock = clock
        self._observers: list[Observer] = []
        self.live: dict[str, LiveOrder] = {}
        self._of_account: dict[str, dict[str, LiveOrder]] = {}
        self._executed_ns: dict[tuple[str, str], int] = {}
        self._began_ns = clock.monotonic_ns()
        self.impossible_facts: dict[str, int] = {}

    def observe(self, observer: Observer) -> None:
        """Call `observer` after each journaled change; it must not raise or wait."""
        self._observers.append(observer)

    def track(self, order: Order, fills: Iterable[Fill] = (), *, received_monotonic_ns: int | None = None) -> LiveOrder:
        """Begin to follow an order that is in the journal.

        `received_monotonic_ns` is when this process received it; None: an earlier one did, and the wall clock alone
        can tell how long ago.
        """
        if received_monotonic_ns is None:
            received_monotonic_ns = self._monotonic(order.received_ns)
        live = LiveOrder(
            order,
            received_monotonic_ns=received_monotonic_ns,
            changed_ns=self._monotonic(order.updated_ns),
            fills=fills,
        )
        if live.uncertain:
            live.doubt_since_ns = self._clock.monotonic_ns() - self._doubted_for_ns(order)
        self.live[order.id] = live
        self._of_account.setdefault(order.account, {})[order.id] = live
        return live

    def _let_go(self, order: Order) -> None:
        if self.live.pop(order.id, None) is not None:
            self._of_account[order.account].pop(order.id, None)

    def _doubted_for_ns(self, order: Order) -> int:
        """For how long at least the request of an order in doubt has left, when a process begins to follow it.

        It left before the order was journaled as IN_DOUBT; of a SUBMITTED one it is only known that the process that
        sent it has ended. A service that is started again and again proves absence like one that runs.
        """
        if order.status is not OrderStatus.IN_DOUBT:
            return 0
        return max(0, self._clock.now_ns() - order.updated_ns)

    def _monotonic(self, wall_ns: int) -> int:
        """A moment of an earlier process by this one's monotonic clock; never in the future."""
        return self._clock.monotonic_ns() - max(0, self._clock.now_ns() - wall_ns)

    def age_now_ns(self, live: LiveOrder) -> int:
        """Unix nanoseconds as counted from the order's receipt by the monotonic clock: a jump of the wall clock
        makes no order older or younger.
        """
        return live.order.received_ns + self._clock.monotonic_ns() - live.received_monotonic_ns

    def resting(self, account: str) -> list[LiveOrder]:
        return [live for live in self._lives(account) if live.order.status in RESTING]

    async def find(self, reference: str) -> Order | None:
        """Any order in the journal, by any of its ids."""
        return await self._journal.find_order(reference)

    async def other_with(self, order: Order, exchange_order_id: str) -> Order | None:
        """Another order of ours that the exchange of `order` knows by this id."""
        known = await self.find(exchange_order_id)
        is_other = known is not None and known.exchange == order.exchange and known.id != order.id
        return known if is_other else None

    def of_symbol(self, account: str, symbol: str) -> list[LiveOrder]:
        return [live for live in self._lives(account) if live.order.symbol == symbol]

    def unsettled(self, account: str) -> list[LiveOrder]:
        """Ended at the exchange, but more fills may come, or some that are known of are still to be read."""
        return [live for live in self._lives(account) if live.order.status in ENDED]

    def _lives(self, account: str) -> Iterable[LiveOrder]:
        """Those of one account: what is asked once an account and round must not look at all of them each time."""
        return self._of_account.get(account, {}).values()

    def since_execution_ns(self, account: str, symbol: str) -> int:
        """How long nothing was executed there, as far as this process knows: at most since it began."""
        return self._clock.monotonic_ns() - self._executed_ns.get((account, symbol), self._began_ns)

    def settling_ns(self, exchange: str) -> int:
        return self._settling_ns.get(exchange, 0)

    async def move(
        self,
        live: LiveOrder,
        to_status: OrderStatus,
        *,
        reason: str | None = None,
        detail: str | None = None,
        conclusive: bool = True,
        **fields: Any,
    ) -> None:
        """Our own step; raises ImpossibleTransition where the table forbids it. The caller holds `live.lock`."""
        before = live.order
        if not is_allowed(before.status, to_status):
            raise ImpossibleTransition(before.id, before.status, to_status)
        fields |= {"status": to_status, "reason": reason, "detail": detail}
        await self._commit(live, fields, conclusive=conclusive)

    async def note(self, live: LiveOrder, **fields: Any) -> None:
        """Change fields without a step. The caller holds `live.lock`."""
        await self._commit(live, fields)

    async def settle_if_over(self, live: LiveOrder) -> None:
        """Let go of an ended order of which nothing more is expected. The caller holds `live.lock`."""
        if not live.order.settled and self._settles(live, {}, ()):
            if live.lacks_fills:
                missing = live.order.filled_qty - live.fills_qty
                detail = f"the exchange tells no fills for {missing:f} of {live.order.filled_qty:f} filled"
                await self._note_anomaly(live, "fills_missing", detail)
            await self.note(live, settled=True)

    async def apply(self, live: LiveOrder, report: OrderReport, span: Span) -> bool:
        """The exchange's word; whether it changed anything.

        The caller holds `live.lock`, and tells `span` the outcome.
        """
        effect = effect_of(live.order, report)
        fills = tuple(fill for fill in report.fills if fill.id not in live.fill_ids)
        if effect.impossible:
            await self._note_impossible(live, report)
        if not effect.changed and not fills:
            return False
        await self._apply(live, effect, report, fills)
        if span.recording and fills:
            span.set(attributes.fees(fills))
        return True

    async def _apply(self, live: LiveOrder, effect: Effect, report: OrderReport, fills: tuple[Fill, ...]) -> None:
        if _overfills(live.order, report):
            detail = f"{report.filled_qty:f} filled, {live.order.quantity:f} ordered"
            await self._note_anomaly(live, "overfilled", detail)
        fields: dict[str, Any] = {**effect.figures}
        if effect.to_status is not None:
            reason = report.reject_reason.value if report.reject_reason else None
            fields |= {"status": effect.to_status, "reason": reason, "detail": None}
        await self._commit(live, fields, fills)

    async def _commit(
        self, live: LiveOrder, fields: dict[str, Any], fills: tuple[Fill, ...] = (), *, conclusive: bool = True
    ) -> None:
        """Change these fields of the order, on disk and then here."""
        before, outcome = live.order, None
        with self._telemetry.span(c.SPAN_JOURNAL_APPEND, live.identity, parent=self._parent(before)) as span:
            after = self._after(live, fields, fills, conclusive=conclusive, span_id=span.context.span_id)
            step = _step(before, after)
            if step is not None and span.recording:
                span.event(c.EVENT_ORDER_TRANSITION, attributes.transition(before.status, after.status))
            # Only the end of the process cancels this; the next start then reads from the journal how it ended.
            commit = await self._journal.record(after, step, fills)
            if span.recording:
                outcome = attributes.outcome(after)
                span.set(attributes.commit(commit, "record"))
                span.set(outcome)
                if after.side is not before.side:
                    span.set(attributes.identity(after))  # only the position told which
        now_ns = self._clock.monotonic_ns()
        live.add_fills(fills)
        if fills or after.filled_qty != before.filled_qty:
            self._executed_ns[after.account, after.symbol] = now_ns
        live.replace(after, now_ns, outcome)
        change = Change(before, after, fills, conclusive)
        for observer in self._observers:
            observer(live, change)
        if after.settled:
            self._let_go(after)

    def _after(
        self, live: LiveOrder, fields: dict[str, Any], fills: tuple[Fill, ...], *, conclusive: bool, span_id: str
    ) -> Order:
        """The order with `fields`, and with what follows from them."""
        before = live.order
        if conclusive and fields.get("status", before.status) not in OUTCOME_UNKNOWN:
            fields["outcome_counted"] = True
        if self._settles(live, fields, fills):
            fields["settled"] = True
        return msgspec.structs.replace(
            before, version=before.version + 1, updated_ns=self._clock.now_ns(), last_span_id=span_id, **fields
        )

    def _settles(self, live: LiveOrder, fields: dict[str, Any], fills: tuple[Fill, ...]) -> bool:
        """Whether nothing more is expected of the order with `fields` and `fills`."""
        order = live.order
        status = fields.get("status", order.status)
        if status not in OVER:
            return False
        now_ns = self._clock.monotonic_ns()
        known = sum((fill.quantity for fill in fills if fill.id not in live.fill_ids), live.fills_qty)
        return is_settled(
            status,
            sent=fields.get("submitted_ns", order.submitted_ns) is not None,
            lacks_fills=known < fields.get("filled_qty", order.filled_qty),
            ended_ns=live.changed_ns if status is order.status else now_ns,
            now_ns=now_ns,
            settling_ns=self.settling_ns(order.exchange),
        )

    def _parent(self, order: Order) -> SpanContext | None:
        """None inside a span of the order's own trace; else the SERVER span: no step may start a trace of its own."""
        current = self._telemetry.current()
        inside = current is not None and current.trace_id == order.trace.trace_id
        return None if inside else attributes.trace_of(order)

    async def _note_impossible(self, live: LiveOrder, report: OrderReport) -> None:
        reported = f"{report.status} (filled {report.filled_qty:f})"
        detail = f"the exchange reports {reported} for an order that is {live.order.status}"
        await self._note_anomaly(live, "impossible_transition", detail)

    async def _note_anomaly(self, live: LiveOrder, kind: str, detail: str) -> None:
        """A fact that must not be: stored, counted for the alert rule, never dropped."""
        log.error("%s: %s", kind, detail, extra={"order_id": live.order.id})
        self.impossible_facts[live.order.exchange] = self.impossible_facts.get(live.order.exchange, 0) + 1
        await self._journal.record_anomaly(live.order.id, self._clock.now_ns(), kind, detail)


def _overfills(before: Order, report: OrderReport) -> bool:
    """Whether a report first tells that more was filled than was ordered: a doubled order, most likely."""
    ordered = before.quantity
    return ordered is not None and before.filled_qty <= ordered < report.filled_qty


def _step(before: Order, after: Order) -> Transition | None:
    """What the journal's history says of a change; None where the status stays."""
    if after.status is before.status:
        return None
    return Transition(
        order_id=after.id,
        version=after.version,
        ts_ns=after.updated_ns,
        from_status=before.status,
        to_status=after.status,
        reason=after.reason,
        detail=after.detail,
        span_id=after.last_span_id,
    )
