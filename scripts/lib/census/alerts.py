"""The alerts of a census: a mix of orders that end in different ways, the same for the same number."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

ACCOUNTS = 4
"""The paper exchange's accounts; orders of one account and symbol are executed one after the other."""

_MIX = 20
_ROUNDS_OF_BUYS = 6
"""Before the first sell: alerts that overtake each other at the start must not sell what is not there yet."""
_QUANTITIES = {"BTC/USDT": "0.0005", "ETH/USDT": "0.01"}


class Kind(StrEnum):
    """How an order is to end; one that rests is cancelled by the operator."""

    FILLED = "FILLED"
    DENIED = "DENIED"
    RESTS = "CANCELED"


class Alert(NamedTuple):
    """`body` is what the sender says; `name` is its id."""

    name: str
    body: Mapping[str, Any]
    kind: Kind = Kind.FILLED


def market_orders(prefix: str) -> Iterator[Alert]:
    """Endlessly: small market orders in turn over accounts and symbols, two buys for each sell, so that each fills."""
    for number in itertools.count():
        turn, account = divmod(number, ACCOUNTS)
        turn, which = divmod(turn, len(_QUANTITIES))
        symbol, quantity = list(_QUANTITIES.items())[which]
        name = f"{prefix}-{number}"
        yield Alert(
            name,
            {
                "id": name,
                "account": f"paper-{account + 1}",
                "symbol": symbol,
                "side": "sell" if turn > _ROUNDS_OF_BUYS and turn % 3 == 0 else "buy",
                "quantity": quantity,
            },
        )


def mixed(prefix: str, count: int) -> Iterator[Alert]:
    """So many: market orders, and of every twenty one limit far from the market and one order that nobody can pay."""
    for number, alert in enumerate(itertools.islice(market_orders(prefix), count)):
        match number % _MIX:
            case 7:
                yield alert._replace(
                    kind=Kind.RESTS,
                    body={**alert.body, "side": "buy", "symbol": "BTC/USDT", "quantity": "0.0005"}
                    | {"order_type": "limit", "price": "20000"},
                )
            case 13:
                yield alert._replace(
                    kind=Kind.DENIED,
                    body={**alert.body, "side": "buy", "symbol": "BTC/USDT", "quantity": "900"},
                )
            case _:
                yield alert
