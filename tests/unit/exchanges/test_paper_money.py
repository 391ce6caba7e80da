"""Whatever happens, no unit of any currency appears, vanishes or is spent twice."""

from __future__ import annotations

import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from service.core.markets import Balance
from service.core.orders import RESTING, OrderType, Side
from service.core.outcomes import Accepted
from service.exchanges.paper import FeeRates, PartialFills
from tests.unit.exchanges.paper_lab import ACCOUNT, BTC, Lab

quantities = st.integers(1, 12_000).map(lambda steps: Decimal(steps) / 1000)
prices = st.integers(5_000, 20_000).map(lambda ticks: Decimal(ticks) / 100)
sides = st.sampled_from(Side)


class Money(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        fees = FeeRates(taker=Decimal("0.00075"), maker=Decimal("0.0003"))
        parts = PartialFills(probability=0.5, parts=3)
        self.lab = Lab(Path(self.folder.name) / "books.sqlite", fee_rate=fees, partial_fills=parts)
        self.orders: list[str] = []

    def teardown(self) -> None:
        self.lab.close()
        self.folder.cleanup()

    def _place(self, *args, **fields) -> None:
        outcome = self.lab.place(*args, **fields)
        if isinstance(outcome, Accepted):
            self.orders.append(outcome.report.client_order_id)

    @rule(side=sides, quantity=quantities)
    def market(self, side, quantity):
        self._place(side, quantity)

    @rule(side=sides, quantity=quantities, price=prices)
    def limit(self, side, quantity, price):
        self._place(side, quantity, OrderType.LIMIT, price=price)

    @rule(
        side=sides,
        quantity=quantities,
        kind=st.sampled_from([OrderType.STOP_LOSS, OrderType.TAKE_PROFIT]),
        stop_price=prices,
        price=st.none() | prices,
    )
    def stop(self, side, quantity, kind, stop_price, price):
        self._place(side, quantity, kind, stop_price=stop_price, price=price)

    @rule(data=st.data())
    def cancel(self, data):
        if self.orders:
            self.lab.cancel(data.draw(st.sampled_from(self.orders)))

    @rule(mid=prices)
    def move(self, mid):
        self.lab.move(mid)

    @rule()
    def restart(self):
        before = self._everything()
        self.lab.restart()
        assert self._everything() == before

    def _everything(self):
        engine = self.lab.engine
        quote = engine.quote(BTC)
        reports = [self.lab.report(order) for order in self.orders]
        return engine.balances(ACCOUNT), engine.open_orders(ACCOUNT), reports, quote.bid, quote.ask

    def _placed(self, client_order_id):
        return self.lab.books.find_order(ACCOUNT, client_order_id)

    @invariant()
    def nothing_is_negative(self):
        for balance in self.lab.engine.balances(ACCOUNT).values():
            assert balance.free >= 0
            assert balance.used >= 0

    @invariant()
    def reserved_is_what_open_orders_hold(self):
        held: Counter[str] = Counter()
        for order in self.orders:
            placed = self._placed(order)
            if placed.status in RESTING:
                leaves = placed.quantity - sum(fill.quantity for fill in placed.fills)
                price = placed.price or placed.stop_price
                held["BTC" if placed.side is Side.SELL else "USDT"] += leaves * (
                    1 if placed.side is Side.SELL else price
                )
        balances = self.lab.engine.balances(ACCOUNT)
        assert {currency: balance.used for currency, balance in balances.items() if balance.used} == dict(held)

    @invariant()
    def totals_are_the_start_plus_fills_less_fees(self):
        totals: Counter[str] = Counter({"USDT": Decimal(1000)})
        for fill in self.lab.engine.fills_since(ACCOUNT, ["BTC/USDT"], 0):
            side = self._placed(fill.client_order_id).side
            sign = 1 if side is Side.BUY else -1
            totals["BTC"] += sign * fill.quantity
            totals["USDT"] -= sign * fill.quantity * fill.price
            totals[fill.fee_currency] -= fill.fee
        balances = self.lab.engine.balances(ACCOUNT)
        for currency in ("BTC", "USDT"):
            assert balances.get(currency, Balance()).total == totals[currency]

    @invariant()
    def an_orders_filled_quantity_is_the_sum_of_its_fills(self):
        filled: Counter[str] = Counter()
        for fill in self.lab.engine.fills_since(ACCOUNT, ["BTC/USDT"], 0):
            filled[fill.client_order_id] += fill.quantity
        for order in self.orders:
            assert self.lab.report(order).filled_qty == filled[order]


TestMoney = Money.TestCase
TestMoney.settings = hypothesis_settings(max_examples=40, stateful_step_count=25, deadline=None)
