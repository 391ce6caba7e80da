"""A paper engine whose prices are set by hand, for tests of what it does with orders."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

from service.core.markets import Balance
from service.core.orders import OrderType, Side
from service.core.outcomes import OrderReport, Outcome
from service.exchanges.paper import PaperSettings, PaperSymbol
from service.exchanges.paper.books import Books
from service.exchanges.paper.engine import Engine
from service.exchanges.protocol import CancelOutcome, OrderRef, OrderRequest

ACCOUNT = "paper-1"
BTC = "BTC/USDT"


class ManualPrices:
    """Mid prices as a test sets them; unset ones stand still."""

    def __init__(self) -> None:
        self.mids: dict[str, Decimal] = {}

    def next_mid(self, symbol: str, mid: Decimal, tick: int) -> Decimal:
        return self.mids.get(symbol, mid)


def symbol(name: str = BTC, price: str = "100", **changes: str) -> PaperSymbol:
    fields = {"amount_step": "0.001", "price_tick": "0.01", "min_quantity": "0.001", "min_notional": "0.1"} | changes
    return PaperSymbol(symbol=name, price=Decimal(price), **{key: Decimal(value) for key, value in fields.items()})


def settings(**changes: Any) -> PaperSettings:
    """One account with 1,000 USDT; BTC at 100 with a spread of 0.02, fees of 0.1%; prices move when a test says so."""
    fields: dict[str, Any] = {
        "accounts": (ACCOUNT,),
        "symbols": (symbol(), symbol("ETH/USDT", "10")),
        "starting_balances": {"USDT": Decimal(1_000)},
        "tick_interval": 3600.0,
    }
    return PaperSettings(**(fields | changes))


class Lab:
    """An engine, its prices and a counting clock."""

    def __init__(self, path: Path, **changes: Any) -> None:
        self.path = path
        self.settings = settings(**changes)
        self.prices = ManualPrices()
        self.now_ns = 0
        self._ids = itertools.count(1)
        self._open()

    def _open(self) -> None:
        self.books = Books(self.path)
        self.engine = Engine(self.settings, self.books, self.prices)

    def restart(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        self.books.close()

    def move(self, mid: str | Decimal, name: str = BTC) -> None:
        self.prices.mids[name] = Decimal(mid)
        self.now_ns += 1
        self.engine.tick(self.now_ns)

    def place(self, side: Side, quantity: str | Decimal, kind: OrderType = OrderType.MARKET, **fields: Any) -> Outcome:
        self.now_ns += 1
        amounts = {key: Decimal(fields.pop(key)) for key in ("price", "stop_price") if fields.get(key) is not None}
        base = {"account": ACCOUNT, "client_order_id": f"c{next(self._ids)}", "symbol": BTC}
        request = OrderRequest(side=side, order_type=kind, quantity=Decimal(quantity), **(base | fields), **amounts)
        (outcome,) = self.engine.place([request], self.now_ns)
        return outcome

    def rest(self, *args: Any, **fields: Any) -> str:
        """Place an order that must be accepted; its client order id."""
        return self.place(*args, **fields).report.client_order_id

    def cancel(self, client_order_id: str) -> CancelOutcome:
        self.now_ns += 1
        ref = OrderRef(account=ACCOUNT, symbol=BTC, order_type=OrderType.LIMIT, client_order_id=client_order_id)
        (outcome,) = self.engine.cancel([ref], self.now_ns)
        return outcome

    def report(self, client_order_id: str) -> OrderReport:
        return self.engine.look_up(ACCOUNT, client_order_id).report

    def balance(self, currency: str = "USDT") -> Balance:
        return self.engine.balances(ACCOUNT).get(currency, Balance())
