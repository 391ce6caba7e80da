"""What an operator may do: cancel, halt, resume, resolve. Each is audited with who, what and how it ended."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from typing import Any

from service.clock import Clock
from service.core.documents import NUMBER_BOUNDS, is_bounded
from service.core.orders import EXCHANGE_STATES, FINAL, Order, OrderStatus
from service.exchanges.protocol import ExchangeUnavailable
from service.execution import attributes
from service.execution.comparison import Comparison
from service.execution.follower import Follower
from service.execution.halts import ALL, Halts
from service.execution.register import LiveOrder, Register
from service.execution.sweeper import Sweeper
from service.journal.protocol import AuditEvent, HaltLevel, Journal
from telemetry import conventions as c
from telemetry.facade import Telemetry

log = logging.getLogger(__name__)

_S = OrderStatus
_RESOLVABLE = frozenset({_S.IN_DOUBT, _S.PENDING_CANCEL})
_RESOLUTIONS = EXCHANGE_STATES | {_S.ABSENT}
_MAX_EVIDENCE = 2_000


class OperationRefused(Exception):  # noqa: N818 - an answer to the operator, not a defect
    """What was asked is not possible; with the HTTP status and a machine-readable reason."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Operations:
    def __init__(
        self,
        *,
        journal: Journal,
        register: Register,
        follower: Follower,
        sweeper: Sweeper,
        halts: Halts,
        comparison: Comparison,
        accounts: frozenset[str],
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._register = register
        self._follower = follower
        self._sweeper = sweeper
        self._halts = halts
        self._comparison = comparison
        self._accounts = accounts
        self._telemetry = telemetry
        self._clock = clock

    async def find(self, reference: str) -> Order:
        """By any of its ids; raises OperationRefused 404."""
        live = self._register.live.get(reference)
        order = live.order if live is not None else await self._journal.find_order(reference)
        if order is None:
            raise OperationRefused(404, "unknown_order", f"no order has the id {reference[:128]!r}")
        return order

    async def cancel(self, reference: str, client: str) -> Order:
        """As far as the order's state allows now; raises OperationRefused 409 for one that is done."""
        order = await self.find(reference)
        live = self._register.live.get(order.id)
        if live is None or order.status in FINAL:
            raise OperationRefused(409, "order_done", f"order {order.id} is {order.status} and cannot be canceled")
        await self._audit("cancel", client, order.id, order_id=order.id)
        return await self._follower.cancel(live)

    async def halt(self, account: str, level: HaltLevel, client: str) -> int:
        """Set the kill switch; how many queued orders it ended. Raises OperationRefused 422 for an unknown account."""
        if account != ALL and account not in self._accounts:
            known = ", ".join(sorted(self._accounts))
            raise OperationRefused(
                422, "unknown_account", f"account {account[:64]!r} is not configured; known: {known}"
            )
        await self._halts.set(account, level, self._event("halt", client, f"{account} {level.name.lower()}"))
        self._count_audit(client)
        return 0 if level is HaltLevel.OFF else await self._sweeper.expire_halted()

    async def compare(self, client: str) -> dict[str, str]:
        """Compare every account with its exchange now; accounts that could not be, with the reason."""
        await self._audit("compare", client, "exchange and journal")
        results = await asyncio.gather(
            *(self._comparison.compare(account) for account in self._accounts), return_exceptions=True
        )
        errors: dict[str, str] = {}
        for account, result in zip(self._accounts, results, strict=True):
            if isinstance(result, ExchangeUnavailable):
                errors[account] = str(result)
            elif isinstance(result, BaseException):
                raise result
        return errors

    def halt_names(self) -> dict[str, str]:
        return self._halts.names()

    async def resolve(
        self,
        reference: str,
        status: OrderStatus,
        *,
        evidence: str,
        client: str,
        exchange_order_id: str | None = None,
        filled_qty: Decimal | None = None,
        average_price: Decimal | None = None,
    ) -> Order:
        """The operator's word on an order in doubt; `evidence` says what it rests on and is kept."""
        order = await self.find(reference)
        live = self._register.live.get(order.id)
        if live is None or order.status not in _RESOLVABLE:
            raise OperationRefused(409, "not_in_doubt", f"order {order.id} is {order.status}, not in doubt")
        fields = _resolution(order, status, evidence, exchange_order_id, filled_qty, average_price)
        if exchange_order_id:
            await self._refuse_anothers(order, exchange_order_id)
        await self._audit("resolve", client, f"{order.id} {status}: {evidence[:_MAX_EVIDENCE]}", order_id=order.id)
        return await self._resolve(live, status, evidence, fields)

    async def _refuse_anothers(self, order: Order, exchange_order_id: str) -> None:
        """What was executed of one order at the exchange must not count for two of ours."""
        other = await self._register.other_with(order, exchange_order_id)
        if other is not None and (other.account, other.symbol) == (order.account, order.symbol):
            raise OperationRefused(
                409, "anothers_order", f"{exchange_order_id} belongs to order {other.id}: give the id of this one"
            )

    async def _resolve(self, live: LiveOrder, status: OrderStatus, evidence: str, fields: dict[str, Any]) -> Order:
        identity = live.identity
        async with live.lock:
            if live.order.status not in _RESOLVABLE:
                raise OperationRefused(
                    409, "not_in_doubt", f"order {live.order.id} became {live.order.status} meanwhile"
                )
            with self._telemetry.span(c.SPAN_ORDER_UPDATE, identity, parent=attributes.trace_of(live.order)) as span:
                await self._register.move(
                    live, status, reason="resolved_by_operator", detail=evidence[:_MAX_EVIDENCE], **fields
                )
                live.tell(span)
        return live.order

    async def _audit(self, action: str, client: str, detail: str, *, order_id: str | None = None) -> None:
        await self._journal.audit(self._event(action, client, detail, order_id))
        self._count_audit(client)

    def _event(self, action: str, client: str, detail: str, order_id: str | None = None) -> AuditEvent:
        about = {"client_address": client} | ({"order_id": order_id} if order_id else {})
        log.info("operator: %s %s", action, detail, extra=about)
        return AuditEvent(
            ts_ns=self._clock.now_ns(),
            event_type="operator_action",
            client_ip=client,
            result="success",
            detail=f"{action} {detail}",
        )

    def _count_audit(self, client: str) -> None:
        self._telemetry.add(c.AUDIT_EVENTS, event_type="operator_action", client_ip=client, result="success")


def _resolution(
    order: Order,
    status: OrderStatus,
    evidence: str,
    exchange_order_id: str | None,
    filled_qty: Decimal | None,
    average_price: Decimal | None,
) -> dict[str, Any]:
    """The fields that the resolution sets; raises OperationRefused 422 where they contradict each other."""
    if not evidence.strip():
        raise OperationRefused(422, "evidence_missing", "evidence must say what the resolution rests on")
    allowed = _RESOLUTIONS if order.status is _S.IN_DOUBT else _RESOLUTIONS - {_S.ABSENT}
    if status not in allowed:
        raise OperationRefused(
            422, "impossible_status", f"{status} is no resolution; expected {', '.join(sorted(allowed))}"
        )
    filled = filled_qty if filled_qty is not None else (order.quantity if status is _S.FILLED else order.filled_qty)
    if filled is None or not is_bounded(filled) or filled < order.filled_qty or filled > (order.quantity or filled):
        raise OperationRefused(
            422, "impossible_quantity", f"filled_qty must lie between {order.filled_qty:f} and {order.quantity}"
        )
    fields: dict[str, Any] = {"filled_qty": filled}
    if exchange_order_id:
        fields["exchange_order_id"] = exchange_order_id
    if average_price is not None:
        if not is_bounded(average_price) or average_price <= 0:
            raise OperationRefused(422, "impossible_price", f"average_price must be more than 0; {NUMBER_BOUNDS}")
        fields["average_price"] = average_price
    return fields
