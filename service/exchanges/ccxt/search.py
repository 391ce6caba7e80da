"""Finding an order at an exchange that cannot be asked by our id: by what it looks like.

One that is found is found; that none is found proves nothing, and several that look alike are no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from service.core.markets import MATH
from service.core.orders import OrderStatus, OrderType
from service.core.outcomes import Found, LookUp, OrderReport, Unanswered
from service.exchanges.ccxt.clients import Client
from service.exchanges.ccxt.convert import Listed, client_id_of, decimal_of, time_ns
from service.exchanges.ccxt.shared import Shared
from service.exchanges.protocol import OrderRef

_CLOCKS_NS = 2_000_000_000
"""How far the exchange's stamp of an order may lie before our sending of it."""
_LISTS = (("fetchOrders", "fetch_orders"), ("fetchOpenOrders", "fetch_open_orders"))
_ENDED = (
    ("fetchCanceledAndClosedOrders", "fetch_canceled_and_closed_orders"),
    ("fetchClosedOrders", "fetch_closed_orders"),
    ("fetchCanceledOrders", "fetch_canceled_orders"),
)


async def find(shared: Shared, client: Client, listed: Listed, ref: OrderRef) -> LookUp:
    """Found or Unanswered, never NotFound; raises `ExchangeUnavailable` where a list cannot be read.

    By the exchange's id where it is known; else the one order in the lists that repeats our id, or, where they repeat
    none, has the same side, type, quantity and price and is not older; else the one whose executions add up to ours.
    """
    if ref.exchange_order_id and client.answers("fetchOrder"):
        raw = await shared.traffic.read(
            lambda: client.api.fetch_order(ref.exchange_order_id, ref.symbol), lambda answer: answer
        )
        return _found(shared, raw, listed, ref)
    if ref.side is None or ref.quantity is None or ref.submitted_ns is None:
        return Unanswered(cause="too little is known of the order to search for it")
    orders = await _orders(shared, client, ref)
    alike = [raw for raw in orders.values() if _could_be(shared, raw, listed, ref)]
    if len(alike) == 1:
        return _found(shared, alike[0], listed, ref)
    if alike:
        return Unanswered(cause="several orders could be it")
    return await _by_trades(shared, client, listed, ref, known=orders)


async def _orders(shared: Shared, client: Client, ref: OrderRef) -> dict[str, Mapping[str, Any]]:
    """By the exchange's id: all of the symbol since our order, open and ended."""
    found: dict[str, Mapping[str, Any]] = {}
    since_ms = _since_ms(ref)
    for available, method in (*_LISTS, *_ENDED):
        if client.has(available):
            for raw in await shared.traffic.read(_ask(client, method, ref.symbol, since_ms), list, whole=True):
                if raw.get("id") is not None:
                    found[str(raw["id"])] = raw
    return found


def _ask(client: Client, method: str, symbol: str, since_ms: int) -> Callable[[], Any]:
    return lambda: getattr(client.api, method)(symbol, since_ms)


def _since_ms(ref: OrderRef) -> int:
    assert ref.submitted_ns is not None, "the caller looked"
    return (ref.submitted_ns - _CLOCKS_NS) // 1_000_000


def _could_be(shared: Shared, raw: Mapping[str, Any], listed: Listed, ref: OrderRef) -> bool:
    """An id decides where it can be ours; elsewhere it is one that ccxt or the exchange made up."""
    repeated = client_id_of(raw, shared.profile.reported_as)
    if repeated is not None and shared.repeats_id:
        return repeated == ref.client_order_id
    amount = decimal_of(raw.get("amount"))
    is_market = ref.order_type is OrderType.MARKET
    return (
        raw.get("symbol") == ref.symbol
        and raw.get("side") == ref.side
        and raw.get("type") == ("market" if is_market else "limit")
        and amount is not None
        and listed.to_quantity(amount) == ref.quantity
        and (is_market or decimal_of(raw.get("price")) == ref.price)
        and _is_new(raw, ref)
    )


def _is_new(raw: Mapping[str, Any], ref: OrderRef) -> bool:
    stamped_ns = time_ns(raw.get("timestamp"))
    return stamped_ns is not None and stamped_ns // 1_000_000 >= _since_ms(ref)


def _found(shared: Shared, raw: Mapping[str, Any], listed: Listed, ref: OrderRef) -> LookUp:
    report = shared.report(raw, listed, ref.client_order_id, quantity=ref.quantity)
    if report is None or not report.exchange_order_id:
        return Unanswered(cause="the order told cannot be read, or is another one")
    return Found(report)


async def _by_trades(
    shared: Shared, client: Client, listed: Listed, ref: OrderRef, *, known: Mapping[str, Any]
) -> LookUp:
    """An order that ended may be in no list any more, while its executions are."""
    if not client.answers("fetchMyTrades"):
        return Unanswered(cause="no order like it is told, which proves nothing here")
    raws = await shared.traffic.read(_ask(client, "fetch_my_trades", ref.symbol, _since_ms(ref)), list, whole=True)
    mine = [raw for raw in raws if raw.get("side") == ref.side and raw.get("order") and _is_new(raw, ref)]
    orders: dict[str, list[Mapping[str, Any]]] = {}
    for raw in mine:
        if str(raw["order"]) not in known:
            orders.setdefault(str(raw["order"]), []).append(raw)
    whole = {order: parts for order, parts in orders.items() if _quantity(parts, listed) == ref.quantity}
    if len(whole) != 1:
        several = "several orders could be it" if whole else "no order like it is told, which proves nothing here"
        return Unanswered(cause=several)
    ((order, parts),) = whole.items()
    return Found(_filled(order, parts, ref))


def _quantity(parts: Iterable[Mapping[str, Any]], listed: Listed) -> Decimal:
    return sum((listed.to_quantity(decimal_of(part.get("amount")) or Decimal(0)) for part in parts), Decimal(0))


def _filled(exchange_order_id: str, parts: Sequence[Mapping[str, Any]], ref: OrderRef) -> OrderReport:
    assert ref.quantity is not None, "the caller looked"
    amounts = [decimal_of(part.get("amount")) or Decimal(0) for part in parts]
    worth = sum(
        (
            MATH.multiply(amount, decimal_of(part.get("price")) or Decimal(0))
            for amount, part in zip(amounts, parts, strict=True)
        ),
        Decimal(0),
    )
    return OrderReport(
        client_order_id=ref.client_order_id,
        exchange_order_id=exchange_order_id,
        symbol=ref.symbol,
        status=OrderStatus.FILLED,
        filled_qty=ref.quantity,
        average_price=MATH.divide(worth, sum(amounts, Decimal(0))),
        ts_event_ns=max(time_ns(part.get("timestamp")) or 0 for part in parts),
    )
