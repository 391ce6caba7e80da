"""When an order triggers and fills, how much of it, and at which price. Pure."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import NamedTuple

import msgspec

from service.core.markets import Market, Quote
from service.core.orders import Fill, OrderStatus, OrderType, Side
from service.exchanges.paper.ledger import EXACT
from service.exchanges.paper.orders import STOPS, PaperOrder
from service.exchanges.paper.settings import FeeRates, PartialFills

_CHANCES = 2**32


class Match(NamedTuple):
    """A quote moves an order: `price` is where it fills, None where it only triggers and rests on as a limit."""

    price: Decimal | None
    taker: bool


def match(order: PaperOrder, quote: Quote, *, arriving: bool = False) -> Match | None:
    """What `quote` does to an open order; None: nothing.

    A buy looks at the ask, a sell at the bid. A market order fills there at once, a limit as soon as that price
    reaches it: at its limit when it rested, at the better price when it comes in (`arriving`). A stop that is
    reached fills at the price found then, which may lie beyond it after a gap; with a limit it fills there only
    within the limit, and rests otherwise.
    """
    price = quote.for_side(order.side)
    if order.order_type is OrderType.MARKET:
        return Match(price, taker=True)
    if awaits_trigger(order):
        return _match_stop(order, price) if is_reached(order, price) else None
    if not _is_marketable(order, price):
        return None
    return Match(price if arriving else order.price, taker=arriving)


def awaits_trigger(order: PaperOrder) -> bool:
    return order.order_type in STOPS and order.status is OrderStatus.ACCEPTED


def is_reached(order: PaperOrder, price: Decimal) -> bool:
    """Whether the market's `price` is at or beyond the stop price.

    A stop-loss waits for the bad direction (a sell below the market, a buy above it), a take-profit for the other.
    """
    assert order.stop_price is not None  # checked when it came in
    falls = (order.side is Side.SELL) == (order.order_type is OrderType.STOP_LOSS)
    return price <= order.stop_price if falls else price >= order.stop_price


def _match_stop(order: PaperOrder, price: Decimal) -> Match:
    fills = order.price is None or _is_marketable(order, price)
    return Match(price if fills else None, taker=True)


def _is_marketable(order: PaperOrder, price: Decimal) -> bool:
    assert order.price is not None  # checked when it came in
    return price <= order.price if order.side is Side.BUY else price >= order.price


def parts_of(order: PaperOrder, settings: PartialFills, seed: int) -> int:
    """In how many parts it fills: chance, but the same for the same id and seed, also after a restart.

    An order without a limit is never split.
    """
    if order.price is None:
        return 1
    chance = zlib.crc32(f"{seed}/{order.client_order_id}".encode())
    return settings.parts if chance < settings.probability * _CHANCES else 1


def apply(order: PaperOrder, matched: Match, market: Market, fees: FeeRates, parts: int, now_ns: int) -> PaperOrder:
    """The order after `matched`: triggered, or with one more fill."""
    if matched.price is None:
        return msgspec.structs.replace(order, status=OrderStatus.TRIGGERED, updated_ns=now_ns)
    leaves = order.leaves_qty
    quantity = _next_part(order, leaves, market.amount_step, parts)
    received = quantity if order.side is Side.BUY else EXACT.multiply(quantity, matched.price)
    fill = Fill(
        id=f"{order.exchange_order_id}-{len(order.fills) + 1}",
        client_order_id=order.client_order_id,
        quantity=quantity,
        price=matched.price,
        fee=EXACT.multiply(received, fees.taker if matched.taker else fees.maker),
        fee_currency=order.receives,
        ts_event_ns=now_ns,
    )
    return msgspec.structs.replace(
        order,
        status=OrderStatus.FILLED if quantity == leaves else OrderStatus.PARTIALLY_FILLED,
        fills=(*order.fills, fill),
        updated_ns=now_ns,
    )


def _next_part(order: PaperOrder, leaves: Decimal, amount_step: Decimal, parts: int) -> Decimal:
    """Equal parts in whole steps, the rest with the last one."""
    if parts == 1:
        return leaves
    part = order.quantity // (amount_step * parts) * amount_step
    return part if part > 0 and leaves >= 2 * part else leaves
