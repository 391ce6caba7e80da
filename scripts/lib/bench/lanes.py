"""What the service trades in a measurement: paper accounts and markets, and the lanes that they make."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from service.exchanges.paper import PaperSettings

LEAST_LANES = 64
SOURCE = "bench"
EXCHANGE = "paper"

_MARKETS = PaperSettings().symbols
_ORDER_VALUE = Decimal(20)  # quote units: above every market's minimum
_FUNDS = 1_000_000_000  # quote units an account: enough for 50 million orders
_MAX_AGE_S = 3_600
_MAX_DRIFT_BPS = 10_000
"""A backlog is worked off, not thrown away: how long it takes is part of what is measured."""


class Lane(NamedTuple):
    """Orders of one account and symbol, which the service executes in turn; `quantity` of each, base units."""

    account: str
    symbol: str
    quantity: str
    price: str

    def alert(self) -> bytes:
        """The body that buys."""
        body = {"symbol": self.symbol, "side": "buy", "quantity": self.quantity, "account": self.account}
        return json.dumps(body).encode()


def lanes(least: int) -> Sequence[Lane]:
    """At least so many: all markets of as many accounts as it takes; markets and accounts take turns."""
    names = accounts(least)
    found = []
    for turn in range(len(names)):
        for number, market in enumerate(_MARKETS):
            quantity = market.market().round_quantity(_ORDER_VALUE / market.price)
            found.append(Lane(names[(turn + number) % len(names)], market.symbol, str(quantity), str(market.price)))
    return found


def accounts(least: int) -> Sequence[str]:
    """So many that they make at least so many lanes."""
    return [f"paper-{number}" for number in range(1, math.ceil(least / len(_MARKETS)) + 1)]


def document(least: int) -> dict[str, Any]:
    """Settings of a service for these lanes, as a TOML document's content; engine, folder and ports are for others."""
    names = list(accounts(least))
    source = {
        "auth": "standard",
        "accounts": names,
        "rate": 1e6,
        "burst": 1_000_000,
        "max_age_market": _MAX_AGE_S,
        "max_drift_bps": _MAX_DRIFT_BPS,
    }
    return {
        "paper": {"accounts": names, "starting_balances": {"USDT": _FUNDS}},
        "sources": {SOURCE: source},
    }


def toml(least: int) -> str:
    """The same as text."""
    content = document(least)
    paper, source = content["paper"], content["sources"][SOURCE]
    lines = ["[paper]", f"accounts = {json.dumps(paper['accounts'])}"]
    lines += ["[paper.starting_balances]", *(f"{name} = {value}" for name, value in paper["starting_balances"].items())]
    lines += [f"[sources.{SOURCE}]", *(f"{name} = {json.dumps(value)}" for name, value in source.items())]
    return "\n".join(lines) + "\n"
