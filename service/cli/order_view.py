"""Orders on the terminal: one outcome, one order with its history, a listing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.text import Text

from service.cli.output import clean, fields, moment, show, status_text, table

Order = Mapping[str, Any]


def print_outcome(order: Order) -> None:
    """What became of an alert: `order` is the operator's view, or the answer to the alert where there is no more."""
    show(_headline(order), fields(_facts(order)))


def print_details(order: Order) -> None:
    """One order with its transitions and fills."""
    print_outcome(order)
    steps = table("at (UTC)", "from", "to", "reason", wrap=("reason",))
    for step in order["transitions"]:
        reason = " ".join(filter(None, (step["reason"], step["detail"])))
        steps.add_row(_precise(step["at"]), clean(step["from"] or ""), status_text(step["to"]), clean(reason))
    show("", steps)
    if order["fills"]:
        fills = table("at (UTC)", "fill", "quantity", "price", "fee")
        for fill in order["fills"]:
            fee = f"{fill['fee']} {fill['fee_currency']}"
            fills.add_row(
                _precise(fill["at"]), *(clean(value) for value in (fill["id"], fill["quantity"], fill["price"], fee))
            )
        show("", fills)
    for anomaly in order["anomalies"]:
        show(Text(f"anomaly: {clean(anomaly)}", style="bold red"))


def print_listing(orders: Sequence[Order]) -> None:
    listing = table("received (UTC)", "order", "what", "account", "status", "filled", "reason", wrap=("what", "reason"))
    for order in orders:
        listing.add_row(
            moment(order["received_at"]),
            clean(order["order_id"]),
            _what(order),
            clean(order["account"]),
            status_text(order["status"]),
            _filled(order),
            clean(order["reason"] or ""),
        )
    show(listing)


def _headline(order: Order) -> Text:
    line = status_text(order["status"])
    line.stylize("bold")
    if "symbol" in order:
        line = Text.assemble(line, f"  {_what(order)} at {clean(order['account'])}")
    return line


def _what(order: Order) -> str:
    """Like `buy 0.01 BTC/USDT market`."""
    price = f" {order['price']}" if order["price"] else ""
    stop = f" stop {order['stop_price']}" if order["stop_price"] else ""
    quantity = f"{order['quantity']} " if order["quantity"] else ""
    if order["action"] == "cancel":
        return clean(f"cancel the open orders in {order['symbol']}")
    side = order["side"] or "reach the target in"
    return clean(f"{side} {quantity}{order['symbol']} {order['order_type']}{price}{stop}")


def _filled(order: Order) -> str:
    quantity = order.get("filled_qty")
    if not Decimal(quantity or 0):
        return ""
    price = order.get("average_price")
    return clean(f"{quantity} @ {price}" if price else quantity)


def _facts(order: Order) -> list[tuple[str, object]]:
    fees = ", ".join(f"{amount} {currency}" for currency, amount in order.get("fees", {}).items())
    return [
        ("reason", " ".join(filter(None, (order.get("reason"), order.get("detail"))))),
        ("filled", _filled(order)),
        ("fees", fees),
        ("asked", order.get("adjusted_from") and f"{order['adjusted_from']}, adjusted to what is possible"),
        ("cancel", order.get("cancel_requested") and "requested"),
        ("tag", order.get("tag")),
        ("order", order["order_id"]),
        ("client id", order.get("client_order_id")),
        ("exchange id", order.get("exchange_order_id")),
        ("duplicate of", order.get("duplicate_of")),
        ("trace", order.get("links", {}).get("trace_ui") or order.get("trace_id")),
    ]


def _precise(stamp: str) -> str:
    """To the microsecond: an order's steps are close together."""
    return clean(stamp.removesuffix("+00:00").replace("T", " "))
