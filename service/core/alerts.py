"""From a decoded document to an alert: every field checked, everything that is wrong named at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from decimal import Decimal
from typing import NoReturn

import msgspec

from service.core.documents import decode_document, is_absent, shown
from service.core.fields import FieldReader
from service.core.orders import OrderType, Side, Sizing, SizingMethod
from service.core.refusals import DenialReason, FieldError, Refusal

__all__ = ["FIELDS", "Alert", "ParsedAlert", "decode_document", "parse_alert"]

FIELDS = (
    "symbol",
    "side",
    "order_type",
    "quantity",
    "quote_amount",
    "equity_percent",
    "risk_percent",
    "atr",
    "atr_multiple",
    "price",
    "stop_price",
    "stop_loss",
    "take_profit",
    "confidence",
    "timestamp",
    "source",
    "account",
    "id",
    "tag",
    "comment",
    "reduce_only",
)
"""Every field an alert may have; anything else is refused."""

_FIELD_SET = frozenset(FIELDS)
_WAYS = ("quantity", "quote_amount", "equity_percent", "risk_percent")
_PROTECTION = ("stop_loss", "take_profit")
_TRIGGERED = frozenset({OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})
_SIDES = {side.value: side for side in Side}
_ORDER_TYPES = {order_type.value: order_type for order_type in OrderType}
_METHODS = {
    "quantity": SizingMethod.EXPLICIT,
    "quote_amount": SizingMethod.QUOTE_AMOUNT,
    "equity_percent": SizingMethod.FIXED_PERCENTAGE,
}
_OTHER_NAMES = {
    "action": "side",
    "amount": "quantity",
    "contracts": "quantity",
    "limit_price": "price",
    "qty": "quantity",
    "size": "quantity",
    "ticker": "symbol",
    "trigger_price": "stop_price",
    "type": "order_type",
}
_MAX_UNKNOWN = 10  # named one by one; each costs a search for the nearest right name
_MAX_IN_DETAIL = 5

_HUNDRED = Decimal(100)
_ONE = Decimal(1)
_DEFAULT_ATR_MULTIPLE = Decimal(2)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender asked for, checked field by field.

    `symbol` is as written, prices are quote units a base unit, `confidence` is 0 to 1, `timestamp_ns` Unix
    nanoseconds. `price` is the limit (None on market orders: there a sender's price is only information),
    `stop_price` the trigger of stop_loss and take_profit orders.
    """

    symbol: str
    side: Side
    order_type: OrderType = OrderType.MARKET
    sizing: Sizing
    price: Decimal | None = None
    stop_price: Decimal | None = None
    confidence: Decimal | None = None
    timestamp_ns: int | None = None
    account: str | None = None
    id: str | None = None
    tag: str | None = None
    comment: str | None = None
    reduce_only: bool = False


class ParsedAlert(msgspec.Struct, frozen=True):
    """An alert and what was done to read it.

    `nan_replaced` names the optional fields whose NaN or Infinity (for numbers also "") was taken as absent;
    `operations` has one of number_from_string, nan_replaced, timestamp, enum_case for each time it was done.
    """

    alert: Alert
    nan_replaced: tuple[str, ...]
    operations: tuple[str, ...]


def parse_alert(document: Mapping[str, object], *, source: str) -> ParsedAlert:
    """The alert in a decoded document from which the token has been taken; `source` is the path's.

    Raises `Refusal` with all field errors: not_a_number where a number that decides about money is NaN, infinite,
    null or empty, else unknown_field, else invalid_field. An alert that asks for protection (stop_loss,
    take_profit) is refused as protection_unsupported: it is never traded without.
    """
    reader = FieldReader(document)
    alert = _read_alert(reader, source)
    if alert is None:
        _refuse(tuple(reader.errors))
    asked = [field for field in _PROTECTION if _is_asked(document.get(field))]
    if asked:
        raise Refusal(
            DenialReason.PROTECTION_UNSUPPORTED,
            f"{' and '.join(asked)} beside an order is not supported, and the order is not traded without its "
            "protection: leave it out and send an order of type stop_loss or take_profit as an alert of its own",
        )
    return ParsedAlert(alert, tuple(reader.nan_replaced), tuple(reader.operations))


def _refuse(errors: tuple[FieldError, ...]) -> NoReturn:
    kinds = {error.kind for error in errors}
    reason = DenialReason.INVALID_FIELD
    if "not_a_number" in kinds:
        reason = DenialReason.NOT_A_NUMBER
    elif "unknown_field" in kinds:
        reason = DenialReason.UNKNOWN_FIELD
    detail = "; ".join(f"{error.field}: {error.message}" for error in errors[:_MAX_IN_DETAIL])
    more = len(errors) - _MAX_IN_DETAIL
    raise Refusal(reason, f"{detail}; and {more} more" if more > 0 else detail, errors=errors)


def _read_alert(reader: FieldReader, source: str) -> Alert | None:
    """The alert; None when something was wrong."""
    document = reader.document
    if not document.keys() <= _FIELD_SET:
        _note_unknown_fields(reader)
    _check_source(reader, source)
    symbol = reader.text("symbol", 64)
    if symbol is None and is_absent(document.get("symbol")):
        reader.error("symbol", "missing", "expected a market such as BTC-USDT")
    side = reader.choice("side", _SIDES)
    # Absent is a market order; an empty or unreadable type is an error: a limit order must not lose its limit.
    stated = document.get("order_type") is not None
    order_type = reader.choice("order_type", _ORDER_TYPES) if stated else OrderType.MARKET
    price, stop_price = _read_prices(reader, order_type)
    sizing = _read_sizing(reader, order_type, stop_price)
    confidence = reader.optional_number("confidence", above=False, at_most=_ONE)
    timestamp_ns = reader.time("timestamp")
    account, comment = reader.text("account", 64), reader.text("comment", 512)
    id_, tag = reader.label("id", 128), reader.label("tag", 128)
    reduce_only = reader.boolean("reduce_only") or False
    if reader.errors or symbol is None or side is None or order_type is None or sizing is None:
        return None
    return Alert(
        symbol=symbol,
        side=side,
        order_type=order_type,
        sizing=sizing,
        price=None if order_type is OrderType.MARKET else price,
        stop_price=stop_price if order_type in _TRIGGERED else None,
        confidence=confidence,
        timestamp_ns=timestamp_ns,
        account=account,
        id=id_,
        tag=tag,
        comment=comment,
        reduce_only=reduce_only,
    )


def _is_asked(protection: object) -> bool:
    """Whether stop_loss or take_profit is wanted: null and empty are not; NaN is, and refused by its reader."""
    return protection is not None and protection != ""


def _note_unknown_fields(reader: FieldReader) -> None:
    unknown = [name for name in reader.document if name not in _FIELD_SET]
    for name in unknown[:_MAX_UNKNOWN]:
        nearest = _OTHER_NAMES.get(name.lower()) or next(iter(difflib.get_close_matches(name.lower(), FIELDS, 1)), None)
        hint = f"did you mean {nearest}?" if nearest else f"known are {', '.join(FIELDS)}"
        reader.error(name[:64], "unknown_field", f"is not a field of an alert; {hint}")
    more = len(unknown) - _MAX_UNKNOWN
    if more > 0:
        reader.error(
            unknown[_MAX_UNKNOWN][:64], "unknown_field", f"is not a field of an alert, nor are {more - 1} more"
        )


def _check_source(reader: FieldReader, source: str) -> None:
    stated = reader.text("source", 64)
    if stated is not None and stated != source:
        reader.error(
            "source", "conflict", f"is {shown(stated)}, but the alert came in for another source; leave it out"
        )


def _read_prices(reader: FieldReader, order_type: OrderType | None) -> tuple[Decimal | None, Decimal | None]:
    """`price` and `stop_price`; a price on a market order is taken, because senders put the chart's close there."""
    document = reader.document
    price, stop_price = reader.amount("price"), reader.amount("stop_price")
    for field in _PROTECTION:
        if _is_asked(document.get(field)):
            reader.amount(field)
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
