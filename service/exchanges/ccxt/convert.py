"""ccxt's dictionaries as our values: markets, reports, trades, balances, positions.

ccxt gives numbers as floats that were decimal text before; `Decimal(str(x))` is that text again (exact up to 15
digits). Everything an exchange left out is None here, never a guess.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from ccxt.base.decimal_to_precision import DECIMAL_PLACES, TICK_SIZE

from service.core.markets import MATH, Balance, Market, MarketType, Position, Quote
from service.core.orders import OrderStatus, OrderType, Trade
from service.core.outcomes import OrderReport

_MS = 1_000_000
_S = OrderStatus
_ZERO = Decimal(0)
_WORKING = frozenset({None, "open", "pending", "canceling"})
_ENDED = {"rejected": _S.REJECTED, "canceled": _S.CANCELED, "cancelled": _S.CANCELED, "expired": _S.EXPIRED}
_CONTRACTS = frozenset({"gate", "htx", "kucoin", "mexc", "okx"})
"""ccxt classes whose swap amounts are contracts: read in their `create_order` and `parse_order`."""
_BASE_UNITS = frozenset({"deribit"})
"""ccxt classes whose linear swap amounts are base units although `contractSize` is not 1 (Deribit's `amount`)."""


_POSITION_IN_BASE = {"deribit": "size_currency"}
"""ccxt classes whose linear positions are counted in quote units, and where in `info` their base units stand.

https://github.com/ccxt/ccxt/issues/13313
"""


class Listed(msgspec.Struct, frozen=True):
    """A market and how many base units ccxt's amount 1 is.

    `position_key`: where in a position's `info` its base units stand, if its contracts are not in that unit.
    """

    market: Market
    unit: Decimal
    position_key: str | None = None

    def to_amount(self, quantity: Decimal) -> Decimal:
        return MATH.divide(quantity, self.unit)

    def to_quantity(self, amount: Decimal) -> Decimal:
        return MATH.multiply(amount, self.unit)


def decimal_of(value: Any) -> Decimal | None:
    """A number as ccxt gives it, exactly as it is written; None for nothing, for no number and for NaN."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def time_ns(*milliseconds: Any) -> int | None:
    """The first that is there, Unix milliseconds as Unix nanoseconds."""
    for value in milliseconds:
        number = decimal_of(value)
        if number:
            return int(number * _MS)
    return None


def listed_of(
    raw: Mapping[str, Any], *, classes: AbstractSet[str], precision_mode: int, order_types: frozenset[OrderType]
) -> Listed | None:
    """A spot or linear perpetual market that is open for trading; None for all others.

    Left out are options, dated futures, inverse contracts, and swaps of which it is not known in which unit ccxt
    counts their amounts: a wrong unit would be a wrong quantity. `classes` are the names of the exchange's ccxt class
    and of those that it is made from.
    """
    market_type = _type_of(raw)
    if raw.get("active") is False or market_type is None:
        return None
    contract_size = Decimal(1) if market_type is MarketType.SPOT else decimal_of(raw.get("contractSize"))
    unit = _unit(classes, contract_size)
    precision, limits = raw.get("precision") or {}, raw.get("limits") or {}
    step = _step(precision.get("amount"), precision_mode)
    tick = _step(precision.get("price"), precision_mode)
    if unit is None or contract_size is None or not step or not tick:
        return None
    return Listed(
        Market(
            symbol=raw["symbol"],
            base=raw["base"],
            quote=raw["quote"],
            type=market_type,
            settle=None if market_type is MarketType.SPOT else raw.get("settle"),
            contract_size=contract_size,
            amount_step=_plain(MATH.multiply(step, unit)),
            price_tick=tick,
            min_quantity=_plain(MATH.multiply(_least(limits, "amount"), unit)),
            min_notional=_least(limits, "cost"),
            order_types=order_types,
        ),
        unit,
        next((key for name, key in _POSITION_IN_BASE.items() if name in classes), None),
    )


def _type_of(raw: Mapping[str, Any]) -> MarketType | None:
    if raw.get("spot"):
        return MarketType.SPOT
    if raw.get("swap") and raw.get("linear") and not raw.get("inverse"):
        return MarketType.SWAP
    return None


def _unit(classes: AbstractSet[str], contract_size: Decimal | None) -> Decimal | None:
    """Base units in ccxt's amount 1; None where that is not known."""
    if contract_size is None or contract_size <= 0:
        return None
    if contract_size == 1 or classes & _CONTRACTS:
        return contract_size
    return Decimal(1) if classes & _BASE_UNITS else None


def _step(precision: Any, mode: int) -> Decimal | None:
    number = decimal_of(precision)
    if number is None:
        return None
    if mode == TICK_SIZE:
        return _plain(number) if number > 0 else None
    if mode == DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(number))
    # Significant digits make no step that holds at every price: the finest, and ccxt rounds what is sent.
    return Decimal("1e-8")


def _least(limits: Mapping[str, Any], kind: str) -> Decimal:
    return decimal_of((limits.get(kind) or {}).get("min")) or _ZERO


def _plain(number: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent."""
    return Decimal(f"{number.normalize(MATH):f}")


def status_of(raw: Mapping[str, Any], quantity: Decimal | None) -> OrderStatus | None:
    """What an order's state at the exchange is; None where it cannot be told.

    `quantity` (in ccxt's unit) is what was ordered, if known; else the reply's own amount counts. An order whose
    whole quantity is filled is FILLED whatever word stands beside it: nothing more can happen to it. `closed` with
    less is how several classes give an order that ended with a part unfilled, a market order without a counterparty
    or a canceled one: CANCELED. A reply without a status, but with an id, is one of a class that only confirms:
    ACCEPTED, and the next look at the order tells more.
    """
    status, filled = raw.get("status"), decimal_of(raw.get("filled"))
    amount = quantity or decimal_of(raw.get("amount"))
    if status != "rejected" and filled and amount and filled >= amount:
        return _S.FILLED
    if status in _WORKING:
        return _S.PARTIALLY_FILLED if filled else _S.ACCEPTED
    if status == "closed":
        return None if filled is None else _S.FILLED if filled and not amount else _S.CANCELED
    return _ENDED.get(str(status))


def report_of(
    raw: Mapping[str, Any],
    listed: Listed,
    *,
    now_ns: int,
    client_order_id: str | None,
    id_key: str | None = None,
    repeats_id: bool = True,
    quantity: Decimal | None = None,
) -> OrderReport | None:
    """Ccxt's order as a report; None where it cannot be read, or is of another order.

    `client_order_id` is the one asked for (None: whichever it is), `id_key` where in `info` the exchange repeats it,
    `quantity` (base units) what was ordered. An exchange that does not repeat the id is taken at its word: the
    answer is to our own request. `repeats_id` False: an id that stands there was made up by ccxt or the exchange.
    """
    theirs = client_id_of(raw, id_key) if repeats_id else None
    if client_order_id is not None and theirs not in {None, client_order_id}:
        return None
    if raw.get("symbol") not in {None, listed.market.symbol}:
        return None
    status = status_of(raw, None if quantity is None else listed.to_amount(quantity))
    if status is None:
        return None
    ts_ns = time_ns(raw.get("lastUpdateTimestamp"), raw.get("lastTradeTimestamp"), raw.get("timestamp")) or now_ns
    ours = client_order_id or theirs or ""
    exchange_order_id = _text(raw.get("id")) or ""
    return OrderReport(
        client_order_id=ours,
        exchange_order_id=exchange_order_id,
        symbol=listed.market.symbol,
        status=status,
        filled_qty=listed.to_quantity(decimal_of(raw.get("filled")) or _ZERO),
        average_price=decimal_of(raw.get("average")) or None,
        ts_event_ns=ts_ns,
        fills=tuple(
            trade.fill_of(ours)
            for trade in trades_of(raw.get("trades") or (), listed, now_ns=ts_ns, exchange_order_id=exchange_order_id)
        ),
    )


def client_id_of(raw: Mapping[str, Any], id_key: str | None = None) -> str | None:
    """The client order id that an order or trade repeats, if it does."""
    info = raw.get("info")
    told = info.get(id_key) if id_key is not None and isinstance(info, Mapping) else None
    return _text(told) or _text(raw.get("clientOrderId"))


def _text(value: Any) -> str | None:
    return None if value is None or str(value) == "" else str(value)


def trades_of(
    raws: Iterable[Mapping[str, Any]],
    listed: Listed,
    *,
    now_ns: int,
    exchange_order_id: str = "",
    id_key: str | None = None,
) -> list[Trade]:
    """The readable ones, in the given order; `now_ns` and `exchange_order_id` for those that do not say.

    An execution without an id gets one of its order, time, quantity and price, numbered where several are alike, so
    that it is the same at every reading.
    """
    seen: Counter[str] = Counter()
    trades = []
    for raw in raws:
        amount, price = decimal_of(raw.get("amount")), decimal_of(raw.get("price"))
        if not amount or price is None:
            continue
        order_id = _text(raw.get("order")) or exchange_order_id
        trade_id = _text(raw.get("id"))
        if trade_id is None:
            alike = f"{order_id}-{raw.get('timestamp')}-{amount:f}-{price:f}"
            seen[alike] += 1
            trade_id = f"{alike}-{seen[alike]}"
        fee, currency = _fee(raw, listed.market)
        trades.append(
            Trade(
                id=trade_id,
                exchange_order_id=order_id,
                client_order_id=client_id_of(raw, id_key),
                symbol=listed.market.symbol,
                quantity=listed.to_quantity(amount),
                price=price,
                fee=fee,
                fee_currency=currency,
                ts_event_ns=time_ns(raw.get("timestamp")) or now_ns,
            )
        )
    return trades


def _fee(raw: Mapping[str, Any], market: Market) -> tuple[Decimal, str]:
    """The fee in the currency of its first part; zero quote units where the exchange does not tell it."""
    fees = [fee for fee in (raw.get("fees") or [raw.get("fee")]) if fee and decimal_of(fee.get("cost")) is not None]
    if not fees:
        return _ZERO, market.settle or market.quote
    currency = fees[0].get("currency")
    parts = (decimal_of(fee["cost"]) or _ZERO for fee in fees if fee.get("currency") == currency)
    return sum(parts, _ZERO), currency or market.settle or market.quote


def balances_of(raw: Mapping[str, Any]) -> dict[str, Balance]:
    """By currency, those that are not zero.

    Where an exchange tells the total alone, all of it counts as free: it refuses itself what is too much.
    """
    balances = {}
    for currency in raw.get("total") or {}:
        free, used = (decimal_of((raw.get(kind) or {}).get(currency)) for kind in ("free", "used"))
        total = decimal_of(raw["total"][currency])
        if free is None and total is not None:
            free = total - (used or _ZERO)
        if used is None and total is not None and free is not None:
            used = total - free
        balance = Balance(free=free or _ZERO, used=used or _ZERO)
        if balance.free or balance.used:
            balances[currency] = balance
    return balances


def positions_of(raws: Sequence[Mapping[str, Any]], listings: Mapping[str, Listed]) -> dict[str, Position]:
    """By symbol, those that are not flat; signed by `side` (some classes give a short one's contracts below 0).

    Raises `KeyError` where base units do not stand where they should.
    """
    quantities: defaultdict[str, Decimal] = defaultdict(Decimal)
    for raw in raws:
        contracts, listed = decimal_of(raw.get("contracts")), listings.get(str(raw.get("symbol")))
        if not contracts or listed is None:
            continue
        quantity = listed.to_quantity(abs(contracts))
        if listed.position_key is not None:
            quantity = abs(decimal_of(raw["info"][listed.position_key]) or _ZERO)
        short = raw.get("side") == "short" or (raw.get("side") is None and contracts < 0)
        quantities[listed.market.symbol] += -quantity if short else quantity
    return {symbol: Position(symbol, quantity) for symbol, quantity in quantities.items() if quantity}


def quote_of(raw: Mapping[str, Any], symbol: str, now_ns: int) -> Quote | None:
    """Best bid and ask of a ticker or an order book; None where one is missing or they cross."""
    bid, ask = (decimal_of(raw.get(key)) for key in ("bid", "ask"))
    if bid is None and ask is None:
        bid, ask = decimal_of(_top(raw.get("bids"))), decimal_of(_top(raw.get("asks")))
    if not bid or not ask or bid <= 0 or ask < bid:
        return None
    return Quote(symbol=symbol, bid=bid, ask=ask, ts_ns=now_ns)


def _top(value: Any) -> Any:
    """The price of the first level of a book's side; a plain price as it is."""
    if not isinstance(value, list | tuple):
        return value
    return value[0][0] if value else None
