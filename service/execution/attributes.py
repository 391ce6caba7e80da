"""Span attributes of orders, in one place so that every span of an order carries the same."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from service.core.orders import Fill, Order, OrderStatus, OrderType, Side
from service.journal.protocol import Commit
from telemetry import conventions as c
from telemetry.facade import AttributeValue, Repeated, SpanContext

_IDENTITIES = 2048
"""Orders under way at once; one that is asked for again later is made again."""
_KINDS = 256
"""Of one sort of attributes: group commits come and go, the others are few."""


def identity(order: Order) -> Repeated:
    """What every span of an order carries."""
    return _identity(
        order.id, order.client_order_id, order.exchange, order.account, order.symbol, order.order_type, order.side
    )


@lru_cache(maxsize=_IDENTITIES)
def _identity(
    order_id: str,
    client_order_id: str,
    exchange: str,
    account: str,
    symbol: str,
    order_type: OrderType,
    side: Side | None,
) -> Repeated:
    known: dict[str, AttributeValue] = {} if side is None else {c.ATTR_ORDER_SIDE: side.value}
    return Repeated(
        known
        | {
            c.ATTR_ORDER_ID: order_id,
            c.ATTR_ORDER_CLIENT_ORDER_ID: client_order_id,
            c.ATTR_EXCHANGE_ID: exchange,
            c.ATTR_ACCOUNT_ID: account,
            c.ATTR_ORDER_SYMBOL: symbol,
            c.ATTR_ORDER_TYPE: order_type.value,
        }
    )


def outcome(order: Order) -> Repeated:
    """What became of it, as far as it is known: the span of the write and the one that led to it carry the same."""
    attributes: dict[str, AttributeValue] = {c.ATTR_ORDER_STATUS: order.status.value}
    if order.exchange_order_id:
        attributes[c.ATTR_ORDER_EXCHANGE_ORDER_ID] = order.exchange_order_id
    if order.filled_qty:
        attributes[c.ATTR_ORDER_FILLED_QUANTITY] = order.filled_qty
    if order.average_price is not None:
        attributes[c.ATTR_ORDER_AVERAGE_PRICE] = order.average_price
    return Repeated(attributes)


@lru_cache(maxsize=_KINDS)
def transition(before: OrderStatus, after: OrderStatus) -> Repeated:
    """Of the event that tells a step from one state to another."""
    return Repeated({c.ATTR_TRANSITION_FROM: before.value, c.ATTR_TRANSITION_TO: after.value})


@lru_cache(maxsize=_KINDS)
def call(endpoint: str, attempt: int | None = None) -> Repeated:
    """Which exchange call it is, and the how manieth attempt of an order's."""
    known: dict[str, AttributeValue] = {} if attempt is None else {c.ATTR_EXCHANGE_ATTEMPT: attempt}
    return Repeated({c.ATTR_EXCHANGE_ENDPOINT: endpoint} | known)


@lru_cache(maxsize=_KINDS)
def answer(label: str, *, sent: bool) -> Repeated:
    """How an attempt ended, and whether its request left."""
    return Repeated({c.ATTR_EXCHANGE_OUTCOME: label, c.ATTR_EXCHANGE_REQUEST_SENT: sent})


def fees(fills: tuple[Fill, ...]) -> dict[str, AttributeValue]:
    """`order.fee` as amount and currency, one after the other: `0.00001 BTC`; nothing without fills."""
    totals: dict[str, Decimal] = {}
    for fill in fills:
        totals[fill.fee_currency] = totals.get(fill.fee_currency, Decimal(0)) + fill.fee
    text = ", ".join(f"{amount:f} {currency}" for currency, amount in totals.items())
    return {c.ATTR_ORDER_FEE: text} if text else {}


@lru_cache(maxsize=_KINDS)
def commit(done: Commit, operation: str) -> Repeated:
    """Which group commit carried a write; all writes of the group say the same."""
    return Repeated(
        {
            c.ATTR_DB_SYSTEM_NAME: "sqlite",
            c.ATTR_DB_OPERATION_NAME: operation,
            c.ATTR_JOURNAL_COMMIT_ID: done.id,
            c.ATTR_JOURNAL_BATCH_SIZE: done.batch_size,
        }
    )


def trace_of(order: Order) -> SpanContext:
    """The SERVER span of the alert: the parent of every later span of the order."""
    return SpanContext(order.trace.trace_id, order.trace.span_id)
