"""What an alert wants done: an order, a position to end with, a close, or a cancel; and how much of it."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from service.core.documents import is_absent, shown
from service.core.fields import FieldReader
from service.core.orders import Action, OrderType, Side, Sizing, SizingMethod


class _Kind(StrEnum):
    """What an alert asks for; the words of `action` among them are its values."""

    ORDER = "order"
    TARGET = "target"
    CLOSE = "close"
    CANCEL = "cancel"


class _Target(StrEnum):
    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


PROTECTION = ("stop_loss", "take_profit")
"""Orders that would protect the position which an order opens."""

_WAYS = ("quantity", "quote_amount", "equity_percent", "risk_percent")
_TRIGGERED = frozenset({OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})
_ACTIONS = {kind.value: kind for kind in (_Kind.CLOSE, _Kind.CANCEL)}
_TARGETS = {target.value: target for target in _Target}
_SIDES = {side.value: side for side in Side}
_ORDER_TYPES = {order_type.value: order_type for order_type in OrderType}
_METHODS = {
    "quantity": SizingMethod.EXPLICIT,
    "quote_amount": SizingMethod.QUOTE_AMOUNT,
    "equity_percent": SizingMethod.FIXED_PERCENTAGE,
}
_SIZES = (*_WAYS, "atr", "atr_multiple", "stop_price")
_BESIDE_SIZES = ("side", "price", *PROTECTION, "target_position", "target_quantity")
_ALONE = {
    _Kind.TARGET: _SIZES,
    _Kind.CLOSE: (*_SIZES, *_BESIDE_SIZES),
    _Kind.CANCEL: (*_SIZES, *_BESIDE_SIZES, "order_type", "reduce_only"),
}
"""Fields that would say what nobody listens to: whoever wrote them meant something else."""

_BEYOND_A_QUANTITY = frozenset({"action", "order_type", "reduce_only", *_SIZES, *_BESIDE_SIZES}) - {"side", "quantity"}
"""Without any of these fields an alert is a market order of a quantity."""

_WHY_ALONE = {
    _Kind.TARGET: "target_position says where to end, with target_quantity; leave this out",
    _Kind.CLOSE: "action close sells or buys back all that is held, at the market; leave this out",
    _Kind.CANCEL: "action cancel takes all open orders of the symbol, with tag those that carry it; leave this out",
}
_ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_DEFAULT_ATR_MULTIPLE = Decimal(2)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an alert that says what to do; the fields are those of `alerts.Alert`."""

    side: Side | None = None
    action: Action = Action.PLACE
    order_type: OrderType = OrderType.MARKET
    sizing: Sizing
    price: Decimal | None = None
    stop_price: Decimal | None = None
    reduce_only: bool = False


_CANCEL = Plan(action=Action.CANCEL, sizing=Sizing(method=SizingMethod.EXPLICIT, value=_ZERO))
_CLOSE = Plan(sizing=Sizing(method=SizingMethod.TARGET, value=_ZERO), reduce_only=True)


def read_plan(reader: FieldReader) -> Plan | None:
    """What the alert wants; None where that cannot be read. Errors are noted in `reader`, also beside a plan."""
    # Most alerts: none of the questions below is about what they say.
    if "quantity" in reader.document and reader.document.keys().isdisjoint(_BEYOND_A_QUANTITY):
        return _read_market_order(reader)
    return _read_any_plan(reader)


def _read_any_plan(reader: FieldReader) -> Plan | None:
    """As `read_plan`, whatever the alert says."""
    kind = _read_kind(reader)
    if kind is None:
        return None
    if kind is _Kind.ORDER:
        return _read_order(reader)
    for field in _ALONE[kind]:
        if reader.document.get(field) is not None:
            reader.error(field, "conflict", _WHY_ALONE[kind])
    if kind is _Kind.CANCEL:
        return _CANCEL
    _read_order_type(reader, only_market=kind)
    reduce_only = reader.boolean("reduce_only")
    return _CLOSE if kind is _Kind.CLOSE else _read_target(reader, reduce_only=reduce_only or False)


def _read_kind(reader: FieldReader) -> _Kind | None:
    """What the alert asks for; None when it cannot be known, and then nothing more of it can be judged."""
    document = reader.document
    action = document.get("action")
    if action is not None:
        word = action.strip().lower() if isinstance(action, str) else None
        if word in _SIDES:
            reader.error("action", "range", f'is {shown(action)}, a side: write "side": "{word}" and leave action out')
            return None
        return reader.choice("action", _ACTIONS)
    if document.get("target_position") is not None:
        return _Kind.TARGET
    if document.get("target_quantity") is not None:
        reader.error("target_position", "missing", "target_quantity needs it: long, short or flat")
        return None
    return _Kind.ORDER


def _read_target(reader: FieldReader, *, reduce_only: bool) -> Plan | None:
    """The position to end with; a price, and a side, are read and not used: templates carry them along."""
    if not is_absent(reader.document.get("side")):
        reader.choice("side", _SIDES)
    reader.amount("price")
    _read_protection(reader)
    target = reader.choice("target_position", _TARGETS)
    if target is None:
        reader.amount("target_quantity", zero=True)
        return None
    quantity = reader.amount("target_quantity", zero=target is _Target.FLAT)
    if target is _Target.FLAT:
        if quantity:
            reader.error("target_quantity", "conflict", f"is {quantity}, but flat is nothing: send 0 or leave it out")
        # Whether reduce_only was said or not: flat can do nothing else, and an exit is not refused for that.
        return _CLOSE
    if "target_quantity" not in reader.document:
        reader.error("target_quantity", "missing", f"{target} needs it: the position to end with, in base units")
    if reduce_only:
        reader.error("reduce_only", "conflict", "target_position itself says whether to reduce; leave it out")
    if quantity is None:
        return None
    value = quantity if target is _Target.LONG else quantity.copy_negate()
    return Plan(sizing=Sizing(method=SizingMethod.TARGET, value=value))


def _read_market_order(reader: FieldReader) -> Plan | None:
    """As `_read_order` reads what has a quantity and nothing beyond."""
    side, quantity = reader.choice("side", _SIDES), reader.amount("quantity")
    if side is None or quantity is None:
        return None
    return Plan(side=side, sizing=Sizing(method=SizingMethod.EXPLICIT, value=quantity))


def _read_order(reader: FieldReader) -> Plan | None:
    side = reader.choice("side", _SIDES)
    order_type = _read_order_type(reader)
    price, stop_price = _read_prices(reader, order_type)
    sizing = _read_sizing(reader, order_type, stop_price)
    reduce_only = reader.boolean("reduce_only") or False
    if side is None or order_type is None or sizing is None:
        return None
    return Plan(
        side=side,
        order_type=order_type,
        sizing=sizing,
        price=None if order_type is OrderType.MARKET else price,
        stop_price=stop_price if order_type in _TRIGGERED else None,
        reduce_only=reduce_only,
    )


def _read_order_type(reader: FieldReader, *, only_market: _Kind | None = None) -> OrderType | None:
    """Absent is market; an empty or unreadable type is an error: a limit order must not lose its limit."""
    if reader.document.get("order_type") is None:
        return OrderType.MARKET
    order_type = reader.choice("order_type", _ORDER_TYPES)
    if only_market is not None and order_type not in {None, OrderType.MARKET}:
        name = "target_position" if only_market is _Kind.TARGET else f"action {only_market}"
        reader.error("order_type", "conflict", f"{name} is a market order; leave this out")
    return order_type


def is_asked(protection: object) -> bool:
    """Whether stop_loss or take_profit is wanted: null and empty are not; NaN is, and refused by its reader."""
    return protection is not None and protection != ""


def _read_prices(reader: FieldReader, order_type: OrderType | None) -> tuple[Decimal | None, Decimal | None]:
    """`price` and `stop_price`; a price on a market order is taken, because senders put the chart's close there."""
    document = reader.document
    price, stop_price = reader.amount("price"), reader.amount("stop_price")
    _read_protection(reader)
    if order_type is OrderType.LIMIT and "price" not in document:
        reader.error("price", "missing", "a limit order needs its limit")
    if order_type in _TRIGGERED and "stop_price" not in document:
        reader.error("stop_price", "missing", f"a {order_type} order needs stop_price, the price that triggers it")
    if order_type not in _TRIGGERED and "stop_price" in document and "risk_percent" not in document:
        reader.error(
            "stop_price",
            "conflict",
            "is for stop_loss and take_profit orders; beside a market or limit order it only sizes, with risk_percent",
        )
    return price, stop_price


def _read_protection(reader: FieldReader) -> None:
    for field in PROTECTION:
        if is_asked(reader.document.get(field)):
            reader.amount(field)


def _read_sizing(reader: FieldReader, order_type: OrderType | None, stop_price: Decimal | None) -> Sizing | None:
    """The one way in which the alert says how much."""
    document = reader.document
    ways = [way for way in _WAYS if way in document]
    values = [reader.amount(way, at_most=_HUNDRED if way.endswith("_percent") else None) for way in ways]
    if not ways:
        reader.error("quantity", "missing", f"say how much with one of {', '.join(_WAYS)}")
    for way in ways[1:]:
        reader.error(way, "conflict", f"{ways[0]} already says how much; keep one of them")
    if "risk_percent" in ways:
        return _read_risk(reader, order_type, values[ways.index("risk_percent")], stop_price)
    for field in ("atr", "atr_multiple"):
        if not is_absent(document.get(field)):
            reader.error(field, "conflict", "sizes together with risk_percent only")
    if not ways or values[0] is None:
        return None
    return Sizing(method=_METHODS[ways[0]], value=values[0])


def _read_risk(
    reader: FieldReader, order_type: OrderType | None, percent: Decimal | None, stop_price: Decimal | None
) -> Sizing | None:
    """Percent of equity at risk between entry and exit: the distance to a stop, or a multiple of the volatility."""
    document = reader.document
    atr = reader.amount("atr")
    multiple = reader.optional_number("atr_multiple", above=True)
    by_atr, by_stop = "atr" in document, "stop_price" in document and order_type not in _TRIGGERED
    if by_atr and by_stop:
        reader.error("atr", "conflict", "stop_price already gives the distance at risk; keep one of them")
    elif by_atr and percent is not None and atr is not None:
        multiple = _DEFAULT_ATR_MULTIPLE if multiple is None else multiple
        return Sizing(method=SizingMethod.VOLATILITY_ADJUSTED, value=percent, atr=atr, atr_multiple=multiple)
    elif order_type in _TRIGGERED and not by_atr:
        reader.error("atr", "missing", "risk_percent needs atr here: stop_price is this order's trigger")
    elif not by_atr and not by_stop:
        reader.error("stop_price", "missing", "risk_percent needs the distance at risk: stop_price or atr")
    if not by_atr and not is_absent(document.get("atr_multiple")):
        reader.error("atr_multiple", "conflict", "multiplies atr, which is not there")
    if by_atr or percent is None or stop_price is None:
        return None
    return Sizing(method=SizingMethod.RISK_BASED, value=percent, stop=stop_price)
