"""The live orders of this process, and the one way in which an order changes.

Every change goes through `Register.change`: checked by the table, journaled, then visible. The lock of a live order
makes read, decision and journal one step for executor, follower, reconciler and operator alike.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from service.clock import Clock
from service.core.orders import (
    FINAL,
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
from service.core.reports import effect_of
from service.execution import attributes
from service.journal.protocol import Journal
from telemetry import conventions as c
from telemetry.facade import Span, SpanContext, Telemetry

log = logging.getLogger(__name__)

OUTCOME_UNKNOWN = frozenset({OrderStatus.RECEIVED, OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT})


class LiveOrder:
    """An order that is not done, with what only this process needs of it."""

    __slots__ = (
        "cancel_sent_ns",
        "changed",
        "doubt_since_ns",
        "executing",
        "fill_ids",
        "lock",
        "order",
        "received_monotonic_ns",
    )

    def __init__(self, order: Order, received_monotonic_ns: int, fill_ids: Iterable[str] = ()) -> None:
        self.order = order
        self.received_monotonic_ns = received_monotonic_ns
        self.lock = asyncio.Lock()
        self.changed = asyncio.Event()
        self.fill_ids = set(fill_ids)
        self.executing = False
        self.doubt_since_ns: int | None = None
        self.cancel_sent_ns: int | None = None

    @property
    def uncertain(self) -> bool:
        """Whether it may or may not be at the exchange."""
        return self.order.status in UNCERTAIN

    @property
    def outcome_known(self) -> bool:
        return self.order.status not in OUTCOME_UNKNOWN

    async def wait_change(self) -> None:
        """Return after the next change of the order."""
        await self.changed.wait()

    def replace(self, order: Order) -> None:
        self.order = order
        self.changed.set()
        self.changed = asyncio.Event()


class Change(msgspec.Struct, frozen=True):
    """One journaled change, as observers see it."""

    before: Order
    after: Order
    fills: tuple[Fill, ...]
    conclusive: bool


Observer = Callable[[LiveOrder, Change], None]


class Register:
    def __init__(self, journal: Journal, telemetry: Telemetry, clock: Clock) -> None:
        self._journal = journal
        self._telemetry = telemetry
        self._clock = clock
        self._observers: list[Observer] = []
        self.live: dict[str, LiveOrder] = {}
        self.impossible_facts: dict[str, int] = {}

    def observe(self, observer: Observer) -> None:
        """Call `observer` after each journaled change; it must not raise or wait."""
        self._observers.append(observer)

    def track(self, order: Order, fill_ids: Iterable[str] = ()) -> LiveOrder:
        """Begin to follow an order that is in the journal."""
        age_ns = max(0, self._clock.now_ns() - order.received_ns)
        live = LiveOrder(order, self._clock.monotonic_ns() - age_ns, fill_ids)
        if live.uncertain:
            # Its request left before the end of the process that sent it, so before now.
            live.doubt_since_ns = self._clock.monotonic_ns()
        self.live[order.id] = live
        return live

    def age_now_ns(self, live: LiveOrder) -> int:
        """Unix nanoseconds as counted from the order's receipt by the monotonic clock: a jump of the wall clock
        makes no order older or younger.
        """
        return live.order.received_ns + self._clock.monotonic_ns() - live.received_monotonic_ns

    def resting(self, account: str) -> list[LiveOrder]:
        return [x for x in self.live.values() if x.order.account == account and x.order.status in RESTING]

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
        after = msgspec.structs.replace(before, status=to_status, reason=reason, detail=detail, **fields)
        await self._commit(live, after, (), conclusive=conclusive)

    async def note(self, live: LiveOrder, **fields: Any) -> None:
        """Change fields without a step. The caller holds `live.lock`."""
        await self._commit(live, msgspec.structs.replace(live.order, **fields), (), conclusive=True)

    async def apply(self, live: LiveOrder, report: OrderReport, span: Span) -> bool:
        """The exchange's word; whether it changed anything. The caller holds `live.lock`."""
        before = live.order
        effect = effect_of(before, report)
        fills = tuple(fill for fill in report.fills if fill.id not in live.fill_ids)
        if effect.impossible:
            await self._note_impossible(live, report)
        if not effect.changed and not fills:
            return False
        after = effect.order
        if effect.to_status is not None:
            reason = report.reject_reason.value if report.reject_reason else None
            after = msgspec.structs.replace(after, status=effect.to_status, reason=reason, detail=None)
        await self._commit(live, after, fills, conclusive=True)
        span.set(attributes.outcome(live.order) | attributes.fees(fills))
        return True

    async def _commit(self, live: LiveOrder, after: Order, fills: tuple[Fill, ...], *, conclusive: bool) -> None:
        before = live.order
        with self._telemetry.span(
            c.SPAN_JOURNAL_APPEND, attributes.identity(after), parent=self._parent(before)
        ) as span:
            now_ns = self._clock.now_ns()
            after = msgspec.structs.replace(
                after,
                version=before.version + 1,
                updated_ns=now_ns,
                last_span_id=span.context.span_id,
                outcome_counted=after.outcome_counted or (conclusive and after.status not in OUTCOME_UNKNOWN),
            )
            transition = None
            if after.status is not before.status:
                transition = Transition(
                    order_id=after.id,
                    version=after.version,
                    ts_ns=now_ns,
                    from_status=before.status,
                    to_status=after.status,
                    reason=after.reason,
                    detail=after.detail,
                    span_id=span.context.span_id,
                )
                span.event(
                    c.EVENT_ORDER_TRANSITION,
                    {c.ATTR_TRANSITION_FROM: before.status.value, c.ATTR_TRANSITION_TO: after.status.value},
                )
            # Only the end of the process cancels this; the next start then reads from the journal how it ended.
            commit = await self._journal.record(after, transition, fills)
            span.set(attributes.commit(commit, "record") | attributes.outcome(after))
        live.fill_ids.update(fill.id for fill in fills)
        live.replace(after)
        for observer in self._observers:
            observer(live, Change(before, after, fills, conclusive))
        if after.status in FINAL and conclusive and after.status is not OrderStatus.ABSENT:
            self.live.pop(after.id, None)

    def _parent(self, order: Order) -> SpanContext | None:
        """None inside a span of the order's own trace; else the SERVER span: no step may start a trace of its own."""
        current = self._telemetry.current()
        inside = current is not None and current.trace_id == order.trace.trace_id
        return None if inside else attributes.trace_of(order)

    async def _note_impossible(self, live: LiveOrder, report: OrderReport) -> None:
        reported = f"{report.status} (filled {report.filled_qty:f})"
        detail = f"the exchange reports {reported} for an order that is {live.order.status}"
        log.error("impossible transition: %s", detail, extra={"order_id": live.order.id})
        self.impossible_facts[live.order.exchange] = self.impossible_facts.get(live.order.exchange, 0) + 1
        await self._journal.record_anomaly(live.order.id, self._clock.now_ns(), "impossible_transition", detail)
