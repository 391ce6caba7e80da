"""New orders, cancels and look-ups as OKX takes them, with its codes: one order a call, whatever the HTTP around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.simulator import okx_shapes as shapes
from tests.simulator.engine import Engine
from tests.simulator.model import Instrument, OrderKind, RejectCode, Rejection, SimOrder, TimeInForce

Params = Mapping[str, Any]

_ID = re.compile(r"^[A-Za-z0-9]{1,32}$")

REFUSALS: Mapping[RejectCode, tuple[str, str]] = {
    RejectCode.UNKNOWN_SYMBOL: ("51001", "Instrument ID or Spread ID doesn't exist."),
    RejectCode.INVALID_QUANTITY: ("51121", "Order quantity must be a multiple of the lot size."),
    RejectCode.INVALID_PRICE: ("51150", "The precision of the number of trades or the price exceeds the limit."),
    RejectCode.MIN_NOTIONAL: ("51020", "Your order should meet or exceed the minimum order amount."),
    RejectCode.INSUFFICIENT_FUNDS: ("51008", "Order failed. Insufficient USDT margin in account"),
    RejectCode.DUPLICATE_ID: ("51016", "Client order ID already exists."),
    RejectCode.REDUCE_ONLY: (
        "51169",
        "Order failed because you don't have any positions in this direction for this contract to reduce or close.",
    ),
    RejectCode.NO_PRICE: ("51022", "Contract suspended."),
    RejectCode.UNKNOWN_ORDER: (
        "51400",
        "Order cancellation failed as the order has been filled, canceled or does not exist.",
    ),
}

_SAME_DIRECTION = (
    "51170",
    "Failed to place order. A reduce-only order can't be the same trading direction as your existing positions.",
)

_TRIGGER_REFUSALS = {
    ("stop_loss", "sell"): ("51280", "SL trigger price cannot be higher than the last price."),
    ("stop_loss", "buy"): ("51278", "SL trigger price cannot be lower than the last price."),
    ("take_profit", "sell"): ("51279", "TP trigger price cannot be lower than the last price."),
    ("take_profit", "buy"): ("51277", "TP trigger price cannot be higher than the last price."),
}

_ORDER_TYPES: Mapping[str, tuple[OrderKind, TimeInForce]] = {
    "market": ("market", "gtc"),
    "limit": ("limit", "gtc"),
    "post_only": ("limit", "gtc"),
    "ioc": ("limit", "ioc"),
    "fok": ("limit", "fok"),
}


class Refused(Exception):  # noqa: N818 - named for what is the case
    """One order of a request is refused: `code` and the words belong into `sCode` and `sMsg`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class OkxOrders:
    """`position_mode` is the account's; in `long_short_mode` every order is refused."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.position_mode = "net_mode"

    def place(self, asked: Params) -> SimOrder:
        """Raises `Refused`, as all that changes something."""
        client_id, kind = _id(asked, "clOrdId"), str(asked.get("ordType", ""))
        if kind not in _ORDER_TYPES:
            raise Refused("51000", "Parameter ordType error")
        self._check_modes(asked)
        order_kind, time_in_force = _ORDER_TYPES[kind]
        taken = self.engine.place(
            str(asked.get("instId", "")),
            asked["side"],
            order_kind,
            number(asked, "sz"),
            price=None if kind == "market" else number(asked, "px"),
            client_id=client_id,
            reduce_only=_flag(asked, "reduceOnly"),
            time_in_force=time_in_force,
            post_only=kind == "post_only",
        )
        return self._taken(asked, taken)

    def place_algo(self, asked: Params) -> SimOrder:
        """A conditional order; its `clOrdId`, if any, is ignored."""
        client_id, kind = _id(asked, "algoClOrdId"), asked.get("ordType")
        if kind == "trigger":
            words = "Trigger orders are not available in the net mode of Expiry Futures and Perpetual Futures"
            raise Refused("51298", words)
        if kind != "conditional":
            raise Refused("51000", "Parameter ordType error")
        self._check_modes(asked)
        stop = bool(asked.get("slTriggerPx"))
        prefix = "sl" if stop else "tp"
        price = number(asked, f"{prefix}OrdPx")
        taken = self.engine.place(
            str(asked.get("instId", "")),
            asked["side"],
            "stop_loss" if stop else "take_profit",
            number(asked, "sz"),
            price=None if price == -1 else price,
            trigger=number(asked, f"{prefix}TriggerPx"),
            client_id=client_id,
            reduce_only=_flag(asked, "reduceOnly"),
        )
        if isinstance(taken, Rejection) and taken.code is RejectCode.WOULD_TRIGGER:
            raise Refused(*_TRIGGER_REFUSALS["stop_loss" if stop else "take_profit", asked["side"]])
        if isinstance(taken, Rejection) and taken.code is RejectCode.DUPLICATE_ID:
            raise Refused("51068", f"{client_id} already exists within algoClOrdId and attachAlgoClOrdId.")
        return self._taken(asked, taken)

    def cancel(self, asked: Params) -> SimOrder:
        order_id, client_id = asked.get("ordId"), asked.get("clOrdId")
        if not order_id and not client_id:
            raise Refused("51407", "Either order ID or client order ID is required.")
        return self._canceled(self.find(asked), asked)

    def cancel_algo(self, asked: Params) -> SimOrder:
        order = self.find_algo(asked)
        if order is not None and order.triggered:
            raise Refused("51416", "Order has been triggered and can't be canceled")
        return self._canceled(order, asked)

    def find(self, params: Params) -> SimOrder | None:
        """A usual order; the exchange's id wins over the client's."""
        if params.get("ordId"):
            order = self.engine.find(str(params["ordId"]))
            return order if order is not None and is_usual(order) else None
        return self._by_client_id(params, "clOrdId", algo=False)

    def find_algo(self, params: Params) -> SimOrder | None:
        if params.get("algoId"):
            order = self.engine.find(shapes.order_id_of(str(params["algoId"])))
            return order if order is not None and order.trigger is not None else None
        return self._by_client_id(params, "algoClOrdId", algo=True)

    def _by_client_id(self, params: Params, name: str, *, algo: bool) -> SimOrder | None:
        order = self.engine.find_by_client_id(str(params.get(name, "")), params.get("instId"))
        return order if order is not None and (order.trigger is not None) == algo else None

    def _check_modes(self, asked: Params) -> None:
        if asked.get("tdMode") not in {"cross", "isolated"}:
            raise Refused("51000", "Parameter tdMode error")
        if asked.get("side") not in {"buy", "sell"}:
            raise Refused("51000", "Parameter side error")
        if self.position_mode != "net_mode" or asked.get("posSide", "net") not in {"", "net"}:
            raise Refused("51000", "Parameter posSide error")

    def _taken(self, asked: Params, taken: SimOrder | Rejection) -> SimOrder:
        if isinstance(taken, SimOrder):
            return taken
        symbol, code = str(asked.get("instId", "")), taken.code
        if code is RejectCode.REDUCE_ONLY and self.engine.account.position(symbol):
            raise Refused(*_SAME_DIRECTION)
        if code is RejectCode.INVALID_QUANTITY:
            self._check_size(number(asked, "sz"), self.engine.instruments[symbol])
        raise Refused(*REFUSALS.get(code, ("51000", taken.message)))

    def _check_size(self, size: Decimal, found: Instrument) -> None:
        if size < found.min_qty:
            raise Refused(*REFUSALS[RejectCode.MIN_NOTIONAL])
        if size > found.max_qty:
            raise Refused("51101", f"Order failed, the sz of the current order can't be more than {found.max_qty}.")

    def _canceled(self, order: SimOrder | None, asked: Params) -> SimOrder:
        """Accepted while the order is open: a cancel's answer does not say what the order becomes."""
        if order is None or order.symbol != asked.get("instId") or not order.is_open:
            raise Refused(*REFUSALS[RejectCode.UNKNOWN_ORDER])
        self.engine.cancel(order_id=order.id)
        return order


def is_usual(order: SimOrder) -> bool:
    """Whether the matching knows it: a conditional order only once it has triggered."""
    return order.trigger is None or order.triggered


def is_waiting(order: SimOrder) -> bool:
    """For its trigger."""
    return order.trigger is not None and order.is_open and not order.triggered


def number(asked: Params, name: str) -> Decimal:
    try:
        return Decimal(str(asked[name]))
    except (KeyError, InvalidOperation):
        raise Refused("51000", f"Parameter {name} error") from None


def _id(asked: Params, name: str) -> str | None:
    client_id = asked.get(name) or None
    if client_id is not None and not _ID.match(str(client_id)):
        raise Refused("51000", f"Parameter {name} error")
    return client_id


def _flag(asked: Params, name: str) -> bool:
    return str(asked.get(name, False)).lower() == "true"
