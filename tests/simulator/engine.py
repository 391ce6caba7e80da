"""Deterministic matching for one account, against a price that the test sets.

Nothing happens by itself: fills that are due are made up for whenever the engine is asked something, so the same calls
at the same times give the same trades. An order is marketable when it would trade against the price; what becomes of
it then says its `FillPlan`, by default a fill at once. Limits that rest are filled at their own price, as makers.

Look-ups, lists and trades leave out what is not visible yet; the ledger and the matching know everything.
"""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Literal

from tests.simulator.account import Account
from tests.simulator.checks import is_triggered, refusal_of, reserve_price
from tests.simulator.ledger import Event, Ledger, event_of
from tests.simulator.model import (
    FillPlan,
    Instrument,
    OrderKind,
    OrderStatus,
    RejectCode,
    Rejection,
    Side,
    SimBalance,
    SimOrder,
    SimPosition,
    SimTrade,
    TimeInForce,
    UsedIds,
    total,
)

__all__ = ["Engine", "FillPlan", "Instrument", "RejectCode", "Rejection", "SimOrder", "SimTrade"]

_NS = 1_000_000_000
_FEE_STEP = Decimal("1e-8")


class Engine:
    """One account's orders and money on some instruments.

    `funds` by currency. `seed` decides which orders get a plan of `random_plans` (a share of `random_rate` of those
    that have none of their own): always the same ones for the same client ids. Order and trade ids count up.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        *,
        used_ids: UsedIds,
        funds: Mapping[str, Decimal] | None = None,
        clock: Callable[[], int] = time.time_ns,
        seed: int = 0,
        ledger: Ledger | None = None,
        order_id: Callable[[int], str] = str,
        first_id: int = 1_000_001,
    ) -> None:
        self.instruments = {instrument.symbol: instrument for instrument in instruments}
        self.used_ids = used_ids
        self.account = Account(funds or {})
        self.ledger = ledger or Ledger()
        self.clock = clock
        self.seed = seed
        self.random_rate = 0.0
        self.random_plans: Sequence[FillPlan] = (FillPlan.in_parts(3), FillPlan.partly("0.5"))
        self._prices: dict[str, tuple[Decimal, Decimal]] = {}
        self._orders: dict[str, SimOrder] = {}
        self._open: dict[str, SimOrder] = {}
        self._by_client: dict[str, list[SimOrder]] = {}
        self._trades: list[SimTrade] = []
        self._due: list[tuple[int, int, SimOrder, Decimal | None]] = []
        self._plans: deque[FillPlan] = deque()
        self._plans_by_client: dict[str, FillPlan] = {}
        self._order_id = order_id
        self._ids = itertools.count(first_id)
        self._trade_ids = itertools.count(first_id * 7)
        self._steps = itertools.count()
        self._invisible_ns = 0
        self._trades_late_ns = 0
        self._plan_now: FillPlan | None = None
        self._cancel_comes_late = False

    def set_price(self, symbol: str, bid: Decimal | str, ask: Decimal | str) -> None:
        """Move the price, trigger what it reaches and fill what it crosses."""
        self.advance()
        self._prices[symbol] = (Decimal(bid), Decimal(ask))
        for order in [order for order in self._open.values() if order.symbol == symbol]:
            self._react(order, resting=True)

    def next_fill(self, plan: FillPlan, client_id: str | None = None) -> None:
        """The plan of the next order that is placed, or of the next under `client_id`."""
        if client_id is None:
            self._plans.append(plan)
        else:
            self._plans_by_client[client_id] = plan

    @contextmanager
    def conditions(
        self,
        *,
        invisible: float = 0.0,
        trades_late: float = 0.0,
        plan: FillPlan | None = None,
        cancel_comes_late: bool = False,
    ) -> Iterator[None]:
        """What holds for the calls inside: seconds until orders and trades are visible, their plan, late cancels."""
        self._invisible_ns, self._trades_late_ns = int(invisible * _NS), int(trades_late * _NS)
        self._plan_now, self._cancel_comes_late = plan, cancel_comes_late
        try:
            yield
        finally:
            self._invisible_ns = self._trades_late_ns = 0
            self._plan_now, self._cancel_comes_late = None, False

    def fill(self, order: SimOrder, quantity: Decimal | None = None, price: Decimal | None = None) -> None:
        """Execute all that is left of an open order, or `quantity` of it, now; at its own price if it has one."""
        self.advance()
        self._trade(order, order.left if quantity is None else quantity, price)

    def match(self, order: SimOrder, resting: SimOrder) -> None:
        """Let two open orders of the account trade with each other, at the resting one's price: one id for both."""
        self.advance()
        trade_id, quantity, price = str(next(self._trade_ids)), min(order.left, resting.left), resting.price
        for side in (order, resting):
            self._execute(side, quantity, price, trade_id)

    def end(self, order: SimOrder, status: Literal["canceled", "expired", "rejected"]) -> None:
        """Let the venue end an open order by itself."""
        self.advance()
        self._end(order, OrderStatus(status))

    def price(self, symbol: str) -> tuple[Decimal, Decimal] | None:
        """Bid and ask."""
        return self._prices.get(symbol)

    def mid(self, symbol: str) -> Decimal:
        bid, ask = self._prices.get(symbol, (Decimal(0), Decimal(0)))
        return (bid + ask) / 2

    def place(
        self,
        symbol: str,
        side: Side,
        kind: OrderKind,
        quantity: Decimal,
        *,
        price: Decimal | None = None,
        trigger: Decimal | None = None,
        client_id: str | None = None,
        reduce_only: bool = False,
        time_in_force: TimeInForce = "gtc",
        post_only: bool = False,
    ) -> SimOrder | Rejection:
        """A new order, filled as far as it is at once; or a refusal, after which nothing has changed.

        `trigger` belongs to stop_loss and take_profit; with a `price` they become limits when they trigger.
        """
        self.advance()
        now = self.clock()
        instrument = self.instruments.get(symbol)
        if instrument is None:
            return self._refuse(Rejection(RejectCode.UNKNOWN_SYMBOL, symbol), client_id, symbol)
        order = SimOrder(
            id="",
            client_id=client_id,
            instrument=instrument,
            side=side,
            type=kind,
            quantity=quantity,
            price=price,
            trigger=trigger,
            reduce_only=reduce_only,
            time_in_force=time_in_force,
            created_ns=now,
            updated_ns=now,
            visible_from_ns=now + self._invisible_ns if self._invisible_ns else 0,
            trades_late_ns=self._trades_late_ns,
        )
        refusal = self._refusal(order, post_only=post_only)
        if refusal is not None:
            return self._refuse(refusal, client_id, symbol)
        self._take(order)
        return order

    def cancel(
        self, *, order_id: str | None = None, client_id: str | None = None, symbol: str | None = None
    ) -> SimOrder | Rejection:
        """The order, canceled; or a refusal when no such order is open. A cancel that comes too late fills first."""
        self.advance()
        order = self._orders.get(order_id) if order_id is not None else self._latest(client_id)
        if order is None or (symbol is not None and order.symbol != symbol):
            return Rejection(RejectCode.UNKNOWN_ORDER, "no such order")
        if order.is_open and (self._cancel_comes_late or order.plan.on_cancel == "fill"):
            self._trade(order, order.left)
        elif order.is_open and order.plan.on_cancel == "fill_part":
            self._trade(order, self._rounded(order, order.left / 2))
        if not order.is_open:
            return Rejection(RejectCode.UNKNOWN_ORDER, f"it is {order.status}", order)
        self._end(order, OrderStatus.CANCELED)
        return order

    def find(self, order_id: str) -> SimOrder | None:
        self.advance()
        return self._seen(self._orders.get(order_id))

    def find_by_client_id(self, client_id: str, symbol: str | None = None) -> SimOrder | None:
        """The latest of that id."""
        self.advance()
        found = [order for order in self._by_client.get(client_id, []) if symbol in {None, order.symbol}]
        return next((order for order in reversed(found) if self._seen(order) is not None), None)

    def orders(self, symbol: str | None = None, since_ns: int = 0) -> list[SimOrder]:
        """All created since then, oldest first."""
        self.advance()
        chosen = (o for o in self._orders.values() if symbol in {None, o.symbol} and o.created_ns >= since_ns)
        return [order for order in chosen if self._seen(order) is not None]

    def open_orders(self, symbol: str | None = None) -> list[SimOrder]:
        self.advance()
        chosen = (order for order in self._open.values() if symbol in {None, order.symbol})
        return [order for order in chosen if self._seen(order) is not None]

    def trades(self, since_ns: int = 0, symbol: str | None = None, order_id: str | None = None) -> list[SimTrade]:
        """Executions since then, oldest first."""
        self.advance()
        now = self.clock()
        return [
            trade
            for trade in self._trades
            if trade.ts_ns >= since_ns
            and symbol in {None, trade.symbol}
            and order_id in {None, trade.order_id}
            and self._orders[trade.order_id].visible_from_ns <= now
            and trade.ts_ns + self._orders[trade.order_id].trades_late_ns <= now
        ]

    def balances(self) -> dict[str, SimBalance]:
        """By currency."""
        self.advance()
        return self._balances()

    def positions(self) -> dict[str, SimPosition]:
        """By symbol, those that are not flat."""
        self.advance()
        return dict(self.account.positions)

    def advance(self) -> None:
        """Make up for all fills and ends that are due by now, in order."""
        while self._due and self._due[0][0] <= self.clock():
            _, _, order, quantity = heapq.heappop(self._due)
            if order.is_open and quantity is None:
                self._finish_plan(order)
            elif order.is_open and quantity is not None:
                self._trade(order, min(quantity, order.left))

    def _refusal(self, order: SimOrder, *, post_only: bool) -> Rejection | None:
        used = self._by_client.get(order.client_id, []) if order.client_id is not None else []
        duplicate = (self.used_ids == "refused_forever" and bool(used)) or (
            self.used_ids == "refused_while_open" and any(other.is_open for other in used)
        )
        return refusal_of(
            order,
            self._prices.get(order.symbol),
            self.account,
            self._balances,
            duplicate=duplicate,
            post_only=post_only,
        )

    def _refuse(self, refusal: Rejection, client_id: str | None, symbol: str) -> Rejection:
        self.ledger.add(
            Event(kind="refused", ts_ns=self.clock(), client_id=client_id, symbol=symbol, reason=refusal.code.value)
        )
        return refusal

    def _take(self, order: SimOrder) -> None:
        order.id = self._order_id(next(self._ids))
        order.plan = self._plan_for(order)
        self._orders[order.id] = self._open[order.id] = order
        if order.client_id is not None:
            self._by_client.setdefault(order.client_id, []).append(order)
        if order.instrument.kind == "spot":
            bid, ask = self._prices[order.symbol]
            paid = order.quantity * (reserve_price(order, bid, ask) if order.side == "buy" else 1)
            self.account.reserve(order, paid)
        self.ledger.add(event_of("placed", order))
        self._react(order)
        if order.is_open and order.time_in_force != "gtc" and not order.plan_started:
            self._end(order, OrderStatus.EXPIRED)

    def _plan_for(self, order: SimOrder) -> FillPlan:
        if self._plan_now is not None:
            return self._plan_now
        if order.client_id is not None and order.client_id in self._plans_by_client:
            return self._plans_by_client.pop(order.client_id)
        if self._plans:
            return self._plans.popleft()
        chance = random.Random(f"{self.seed}:{order.client_id or order.id}")
        return chance.choice(self.random_plans) if chance.random() < self.random_rate else FillPlan()

    def _react(self, order: SimOrder, *, resting: bool = False) -> None:
        """Trigger the order, or start its plan, if the price has come to it."""
        if order.trigger is not None and not order.triggered:
            if not is_triggered(order, *self._prices[order.symbol]):
                return
            order.triggered, order.updated_ns, resting = True, self.clock(), False
        if order.is_open and not order.plan_started and self._is_marketable(order):
            order.plan_started, order.took = True, not resting
            self._schedule(order)
            self.advance()

    def _schedule(self, order: SimOrder) -> None:
        """Parts are rounded down to the step; the last one of those that fill all takes what is left over."""
        start, parts = self.clock(), order.plan.parts
        for index, (share, delay) in enumerate(parts):
            fills_all = index == len(parts) - 1 and total(share for share, _ in parts) >= 1
            quantity = order.quantity if fills_all else self._rounded(order, order.quantity * share)
            heapq.heappush(self._due, (start + int(delay * _NS), next(self._steps), order, quantity))
        end = start + int((parts[-1][1] if parts else 0.0) * _NS)
        heapq.heappush(self._due, (end, next(self._steps), order, None))

    def _finish_plan(self, order: SimOrder) -> None:
        if order.plan.then == "cancel":
            self._end(order, OrderStatus.CANCELED)
        elif order.plan.then == "expire" or order.time_in_force != "gtc":
            self._end(order, OrderStatus.EXPIRED)

    def _is_marketable(self, order: SimOrder) -> bool:
        bid, ask = self._prices[order.symbol]
        return order.price is None or (order.price >= ask if order.side == "buy" else order.price <= bid)

    def _rounded(self, order: SimOrder, quantity: Decimal) -> Decimal:
        return quantity // order.instrument.step * order.instrument.step

    def _trade(self, order: SimOrder, quantity: Decimal, price: Decimal | None = None) -> None:
        reducing = order.reduce_only and order.instrument.kind == "swap"
        if reducing:
            quantity = min(quantity, self.account.reducible(order.symbol, order.side))
        if quantity > 0:
            self._execute(order, quantity, price, str(next(self._trade_ids)))
        if reducing and order.is_open and not self.account.reducible(order.symbol, order.side):
            self._end(order, OrderStatus.CANCELED)

    def _execute(self, order: SimOrder, quantity: Decimal, price: Decimal | None, trade_id: str) -> None:
        now, instrument = self.clock(), order.instrument
        maker = order.price is not None and not order.took
        price = self._price_for(order, maker=maker) if price is None else price
        rate = instrument.maker_fee if maker else instrument.taker_fee
        in_base = instrument.kind == "spot" and order.side == "buy"
        trade = SimTrade(
            id=trade_id,
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            fee=(rate * (quantity if in_base else instrument.notional(quantity, price))).quantize(_FEE_STEP),
            fee_currency=instrument.base if in_base else instrument.quote,
            ts_ns=now,
            maker=maker,
        )
        self.account.settle(order, trade)
        self._trades.append(trade)
        order.trades.append(trade)
        order.filled += quantity
        order.updated_ns = now
        order.status = OrderStatus.FILLED if order.left == 0 else OrderStatus.PARTIALLY_FILLED
        self.ledger.add(event_of("fill", order, trade))
        if order.status is OrderStatus.FILLED:
            self._close(order)

    def _price_for(self, order: SimOrder, *, maker: bool) -> Decimal:
        """A taker gets the touch, while that is within its limit; all else trades at the limit."""
        bid, ask = self._prices[order.symbol]
        touch = ask if order.side == "buy" else bid
        return touch if order.price is None or (not maker and self._is_marketable(order)) else order.price

    def _end(self, order: SimOrder, status: OrderStatus) -> None:
        order.status, order.updated_ns = status, self.clock()
        self._close(order)
        self.ledger.add(event_of("status", order))

    def _close(self, order: SimOrder) -> None:
        self._open.pop(order.id, None)
        if order.instrument.kind == "spot":
            self.account.release(order)

    def _balances(self) -> dict[str, SimBalance]:
        return self.account.balances({s: self.mid(s) for s in self.instruments}, self._open.values())

    def _latest(self, client_id: str | None) -> SimOrder | None:
        """The open one of that id, else the last."""
        found = self._by_client.get(client_id, []) if client_id is not None else []
        return next((order for order in reversed(found) if order.is_open), found[-1] if found else None)

    def _seen(self, order: SimOrder | None) -> SimOrder | None:
        return order if order is not None and order.visible_from_ns <= self.clock() else None
