"""From a decoded document to an alert: every field checked, everything that is wrong named at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from decimal import Decimal
from typing import NoReturn

import msgspec

from service.core.documents import decode_document, is_absent, shown
from service.core.fields import FieldReader
from service.core.orders import Action, OrderType, Side, Sizing
from service.core.plans import PROTECTION, is_asked, read_plan
from service.core.refusals import DenialReason, FieldError, Refusal

__all__ = ["FIELDS", "Alert", "ParsedAlert", "decode_document", "parse_alert"]

FIELDS = (
    "symbol",
    "side",
    "action",
    "target_position",
    "target_quantity",
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
_OTHER_NAMES = {
    "amount": "quantity",
    "contracts": "quantity",
    "limit_price": "price",
    "market_position": "target_position",
    "market_position_size": "target_quantity",
    "position": "target_position",
    "position_size": "target_quantity",
    "qty": "quantity",
    "size": "quantity",
    "ticker": "symbol",
    "trigger_price": "stop_price",
    "type": "order_type",
}
_MAX_UNKNOWN = 10  # named one by one; each costs a search for the nearest right name
_MAX_IN_DETAIL = 5

_ONE = Decimal(1)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender asked for, checked field by field.

    `symbol` is as written, prices are quote units a base unit, `confidence` is 0 to 1, `timestamp_ns` Unix
    nanoseconds. `price` is the limit (None on market orders: there a sender's price is only information),
    `stop_price` the trigger of stop_loss and take_profit orders. `side` is None where the position decides it
    (sizing by target: a side beside target_position is only information) and where nothing is placed (cancel, whose
    sizing is 0). A close, and a target of flat, is a target of 0 that may only reduce.
    """

    symbol: str
    side: Side | None
    action: Action = Action.PLACE
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
    asked = [field for field in PROTECTION if is_asked(document.get(field))]
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
    plan = read_plan(reader)
    confidence = reader.optional_number("confidence", above=False, at_most=_ONE)
    timestamp_ns = reader.time("timestamp")
    account, comment = reader.text("account", 64), reader.text("comment", 512)
    id_, tag = reader.label("id", 128), reader.label("tag", 128)
    if reader.errors or symbol is None or plan is None:
        return None
    return Alert(
        **msgspec.structs.asdict(plan),
        symbol=symbol,
        confidence=confidence,
        timestamp_ns=timestamp_ns,
        account=account,
        id=id_,
        tag=tag,
        comment=comment,
    )


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
