"""How much to trade: from an alert's sizing, the account's balances and its position to a quantity that can be sent.

All of it happens in `MATH`, where quotients are cut towards zero: a size is never rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

import msgspec

from service.core.markets import MATH, Balance, Market, MarketType, Quote
from service.core.orders import Order, OrderType, Side, SizingMethod
from service.core.refusals import DenialReason
from service.core.risk import below_minimum

_ABSOLUTE = frozenset({SizingMethod.EXPLICIT, SizingMethod.QUOTE_AMOUNT, SizingMethod.TARGET})
_ZERO = Decimal(0)
_NO_BALANCE = Balance()
_SHOWN = Context(prec=12, rounding=ROUND_HALF_EVEN)  # for reading only, never for trading


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity (base units, on the market's step) that may be sent, and which way.

    `reduce_only` says that the order must not do more than reduce. `contracts` is the quantity as the exchange counts
    it, None on spot. `adjusted_from` is what was asked for where balance or position allowed less. `equity` (quote
    units) is on spot the free quote currency and all held base at mid, on swaps all of the settle currency;
    `percent_of_equity` what the quantity is of it, None without equity; `mid` is the price between bid and ask.
    `reserve_amount` of `reserve_currency` is what the order uses up once it is sent. `dust` (base units) is what a
    target of flat leaves because it is less than a step, None where it leaves nothing.
    """

    quantity: Decimal
    side: Side
    reduce_only: bool
    contracts: Decimal | None
    adjusted_from: Decimal | None
    equity: Decimal
    percent_of_equity: Decimal | None
    mid: Decimal
    reserve_currency: str
    reserve_amount: Decimal
    dust: Decimal | None


class Unsizable(msgspec.Struct, frozen=True, kw_only=True):
    """No quantity can be sent, and why."""

    reason: DenialReason
    detail: str


class AtTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing has to be sent: there is nothing to reduce, or the position is as near to its target as can be traded.

    `dust` (base units) is how far it is still from there, None when it is there.
    """

    detail: str
    dust: Decimal | None


Size = Sized | Unsizable | AtTarget


class _Account(msgspec.Struct, frozen=True, kw_only=True):
    """What sizing needs to know of an account; `free_*` without what other orders have reserved, never below 0.

    `position` is base units: on a swap the account's, below 0 when short; on spot what the order's source holds.
    `free_base` is what may be sold on spot, `free_cash` the free quote or settle currency; `mid` the price between
    bid and ask.
    """

    mid: Decimal
    position: Decimal
    held_base: Decimal
    free_base: Decimal
    free_cash: Decimal
    equity: Decimal

    def reducible(self, side: Side) -> Decimal:
        """What an order of this side can reduce the position by."""
        return max(self.position if side is Side.SELL else -self.position, _ZERO)


class _Move(msgspec.Struct, frozen=True, kw_only=True):
    """Which way, `wanted` how far (base units, not rounded), at `price`; `reduces`: no further than to nothing."""

    side: Side
    price: Decimal
    wanted: Decimal
    reduces: bool


def size_order(
    order: Order,
    market: Market,
    quote: Quote,
    balances: Mapping[str, Balance],
    reserved: Mapping[str, Decimal],
    *,
    position: Decimal,
    holding: Decimal | None,
) -> Size:
    """The quantity to send, rounded down to the step.

    `reserved` is what orders under way use up and `balances` do not show yet, by currency. `position` (swaps, base
    units, below 0 when short) is needed for reduce_only and targets; `holding` (spot, base units) is what the order's
    source bought through us, for the same: others' coins in the account are not its to sell. None: all of them are.

    Plain orders: an absolute size (base or quote units) beyond what is free on spot is refused, a relative one is cut
    to what is free. Orders that reduce are cut to the position, on spot also to what is free. A target trades the
    difference to the position; it reduces where it lies between the position and nothing, and then, as with every
    order that reduces on a swap, the least notional does not count: exchanges let such orders close what is left.

    Percent is of equity; for sells on spot of the held base; for orders that reduce of what they can reduce.

    Swaps: leverage and margin are the exchange's to know, and what it refuses for want of margin it refuses with a
    code of its own. So an order that opens only needs some settle currency, free or in use (a reversal frees what it
    needs), and nothing is reserved: the notional would forbid at any leverage what the margin allows.
    """
    is_target = order.sizing.method is SizingMethod.TARGET
    if is_target and order.sizing.value < 0 and market.type is MarketType.SPOT:
        detail = f"{market.symbol} is spot: nothing can be held short there"
        return Unsizable(reason=DenialReason.POSITION_UNSUPPORTED, detail=detail)
    mid = quote.mid
    if mid <= 0:
        return _no_price(market)
    with localcontext(MATH):
        account = _account(market, mid, balances, reserved, position, holding)
        move = _move_to_target(order, market, quote, account) if is_target else _move(order, market, quote, account)
        if not isinstance(move, _Move):
            return move
        return _reduce(order, market, move, account) if move.reduces else _open(order, market, move, account)


def _account(
    market: Market,
    mid: Decimal,
    balances: Mapping[str, Balance],
    reserved: Mapping[str, Decimal],
    position: Decimal,
    holding: Decimal | None,
) -> _Account:
    currency = _cash(market)
    cash = balances.get(currency, _NO_BALANCE)
    free_cash = max(cash.free - reserved.get(currency, _ZERO), _ZERO)
    if market.type is MarketType.SWAP:
        equity = max(cash.total, _ZERO)
        return _Account(
            mid=mid, position=position, held_base=_ZERO, free_base=_ZERO, free_cash=free_cash, equity=equity
        )
    base = balances.get(market.base, _NO_BALANCE)
    held = base.total
    return _Account(
        mid=mid,
        position=held if holding is None else min(max(holding, _ZERO), held),
        held_base=held,
        free_base=max(base.free - reserved.get(market.base, _ZERO), _ZERO),
        free_cash=free_cash,
        equity=free_cash + held * mid,
    )


def _cash(market: Market) -> str:
    """What the market is paid with. Swaps traded here are linear: a settle unit counts as a quote unit."""
    return market.quote if market.settle is None else market.settle


def _no_price(market: Market) -> Unsizable:
    return Unsizable(reason=DenialReason.NO_MARKET_DATA, detail=f"no price above 0 is known for {market.symbol}")


def _move_to_target(order: Order, market: Market, quote: Quote, account: _Account) -> _Move | Unsizable | AtTarget:
    """From the position to the one wanted; what an earlier attempt took for the order's side does not count."""
    target = order.sizing.value
    difference = target - account.position
    if difference == 0:
        return AtTarget(detail=f"the position is {account.position} {market.base} already", dust=None)
    side = Side.BUY if difference > 0 else Side.SELL
    price = quote.for_side(side)
    if price <= 0:
        return _no_price(market)
    reduces = min(account.position, _ZERO) <= target <= max(account.position, _ZERO)
    return _Move(side=side, price=price, wanted=abs(difference), reduces=reduces)


def _move(order: Order, market: Market, quote: Quote, account: _Account) -> _Move | Unsizable | AtTarget:
    side = order.side
    if side is None:
        return Unsizable(reason=DenialReason.INVALID_FIELD, detail="an order without a side has no size")
    if order.reduce_only and side is Side.BUY and market.type is MarketType.SPOT:
        detail = f"{market.symbol} is spot: a buy cannot reduce there"
        return Unsizable(reason=DenialReason.REDUCE_ONLY_UNSUPPORTED, detail=detail)
    if order.reduce_only and account.reducible(side) == 0:
        return AtTarget(detail=f"a {side} has nothing to reduce: held are {account.position} {market.base}", dust=None)
    price = _reference_price(order, side, quote)
    if price <= 0:
        return _no_price(market)
    wanted = _wanted(order, market, side, price, account)
    if isinstance(wanted, Unsizable):
        return wanted
    return _Move(side=side, price=price, wanted=wanted, reduces=order.reduce_only)


def _reference_price(order: Order, side: Side, quote: Quote) -> Decimal:
    """The price that the order's size is about: its limit, its trigger, or what a market order meets."""
    own = order.price if order.order_type is OrderType.LIMIT else order.stop_price
    return quote.for_side(side) if own is None or order.order_type is OrderType.MARKET else own


def _wanted(order: Order, market: Market, side: Side, price: Decimal, account: _Account) -> Decimal | Unsizable:
    """Base units, before rounding and before what can be paid or reduced."""
    sizing = order.sizing
    if sizing.method is SizingMethod.EXPLICIT:
        return sizing.value
    if sizing.method is SizingMethod.QUOTE_AMOUNT:
        return sizing.value / price
    share = sizing.value / 100
    if sizing.method is SizingMethod.FIXED_PERCENTAGE:
        if order.reduce_only:
            return account.reducible(side) * share
        sells_held = side is Side.SELL and market.type is MarketType.SPOT
        return account.held_base * share if sells_held else account.equity * share / price
    distance = _distance(order, side, price)
    if isinstance(distance, Unsizable):
        return distance
    return account.equity * share / distance


def _distance(order: Order, side: Side, price: Decimal) -> Decimal | Unsizable:
    """Quote units a base unit between entry and exit."""
    sizing = order.sizing
    if sizing.method is SizingMethod.VOLATILITY_ADJUSTED:
        distance = (sizing.atr or _ZERO) * (sizing.atr_multiple or _ZERO)
        detail = "a volatility-adjusted size needs atr and atr_multiple above 0"
    elif sizing.stop is None:
        distance, detail = _ZERO, "a risk-based size needs a stop"
    else:
        # A stop on the side of the gain limits no loss: most likely the price went past it while the order waited.
        distance = price - sizing.stop if side is Side.BUY else sizing.stop - price
        where = "below" if side is Side.BUY else "above"
        detail = f"the stop at {sizing.stop} is not {where} the price of {price}, so no loss is limited by it"
    return distance if distance > 0 else Unsizable(reason=DenialReason.INVALID_FIELD, detail=detail)


def _reduce(order: Order, market: Market, move: _Move, account: _Account) -> Size:
    """No more than the position, and on spot no more than is free of it."""
    is_spot = market.type is MarketType.SPOT
    least_price = move.price if is_spot else None
    held = account.reducible(move.side)
    asked = market.round_quantity(move.wanted)
    quantity = min(asked, market.round_quantity(min(held, account.free_base) if is_spot else held))
    problem = below_minimum(quantity, least_price, market)
    if problem is None:
        return _sized(order, market, move, account, asked, quantity)
    is_target = order.sizing.method is SizingMethod.TARGET
    if is_target and below_minimum(asked, least_price, market) is not None:
        return AtTarget(detail=f"{move.wanted} {market.base} from the target: {problem}", dust=move.wanted)
    if below_minimum(market.round_quantity(held), least_price, market) is not None:
        return AtTarget(detail=f"of {held} {market.base} nothing can be traded: {problem}", dust=held)
    if is_spot and quantity < min(asked, held):
        detail = f"{asked} {market.base} is to be sold, {account.free_base} {market.base} is free"
        return Unsizable(reason=DenialReason.INSUFFICIENT_BALANCE, detail=detail)
    return Unsizable(reason=DenialReason.BELOW_MINIMUM, detail=problem)


def _open(order: Order, market: Market, move: _Move, account: _Account) -> Size:
    """`wanted` rounded down and, on spot, cut to what is free where it may be."""
    asked = market.round_quantity(move.wanted)
    if order.sizing.method is SizingMethod.TARGET:
        problem = below_minimum(asked, move.price, market)
        same_direction = account.position * order.sizing.value > 0 and market.round_quantity(abs(account.position)) > 0
        if problem is not None and same_direction:
            return AtTarget(detail=f"{move.wanted} {market.base} from the target: {problem}", dust=move.wanted)
    if market.type is MarketType.SWAP:
        if account.equity <= 0:
            detail = f"the account holds no {_cash(market)}, and nothing can be opened without margin"
            return Unsizable(reason=DenialReason.INSUFFICIENT_BALANCE, detail=detail)
        return _sized(order, market, move, account, asked, asked)
    cost = _cost(order, move)
    needed, free = (asked * cost, account.free_cash) if move.side is Side.BUY else (asked, account.free_base)
    if needed <= free:
        return _sized(order, market, move, account, asked, asked)
    if order.sizing.method in _ABSOLUTE:
        detail = f"{needed} {_used(market, move)} is needed, {_free(market, move, account)} is free"
        return Unsizable(reason=DenialReason.INSUFFICIENT_BALANCE, detail=detail)
    most = market.round_quantity(free / cost if move.side is Side.BUY else free)
    return _sized(order, market, move, account, asked, most)


def _cost(order: Order, move: _Move) -> Decimal:
    """Quote units a base unit at most: a stop with a limit pays up to its limit."""
    if move.side is Side.SELL or order.order_type is OrderType.MARKET:
        return move.price
    return max(move.price, order.price or _ZERO)


def _used(market: Market, move: _Move) -> str:
    """The currency that the order uses up."""
    return _cash(market) if market.type is MarketType.SWAP or move.side is Side.BUY else market.base


def _free(market: Market, move: _Move, account: _Account) -> str:
    amount = account.free_base if _used(market, move) == market.base else account.free_cash
    return f"{amount} {_used(market, move)}"


def _sized(
    order: Order, market: Market, move: _Move, account: _Account, asked: Decimal, quantity: Decimal
) -> Sized | Unsizable:
    """Of what was `asked` for this quantity, with all that is told of it; what is too small to be sent has none."""
    least_price = None if move.reduces and market.type is MarketType.SWAP else move.price
    problem = below_minimum(quantity, least_price, market)
    if problem is not None:
        cut = f"; {asked} was asked for, {_free(market, move, account)} is free" if asked > quantity else ""
        return Unsizable(reason=DenialReason.BELOW_MINIMUM, detail=problem + cut)
    reserves = _ZERO if market.type is MarketType.SWAP else quantity
    leaves = move.wanted - asked if order.sizing.method is SizingMethod.TARGET and order.sizing.value == 0 else _ZERO
    return Sized(
        quantity=quantity,
        side=move.side,
        reduce_only=move.reduces,
        contracts=market.contracts(quantity),
        adjusted_from=asked if asked > quantity else None,
        equity=account.equity,
        percent_of_equity=_percent(quantity * move.price, account.equity),
        mid=account.mid,
        reserve_currency=_used(market, move),
        reserve_amount=reserves * _cost(order, move) if move.side is Side.BUY else reserves,
        dust=leaves or None,
    )


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    return _SHOWN.divide(part * 100, whole) if whole > 0 else None
