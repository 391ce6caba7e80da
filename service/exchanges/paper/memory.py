"""What the paper exchange knows of its books without asking them, and what a group of steps would make of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from service.core.markets import Balance
from service.exchanges.paper.books import Changes, Contents, Key, Price, Step
from service.exchanges.paper.orders import PaperOrder

_FINISHED = 1_024


class Memory:
    """Open orders, the latest finished ones, balances, prices: always as the books have them."""

    def __init__(self, contents: Contents, accounts: tuple[str, ...]) -> None:
        self.number = contents.last_number
        self.open: dict[Key, PaperOrder] = {}
        self.resting: dict[str, dict[Key, PaperOrder]] = {}
        self.finished: OrderedDict[Key, PaperOrder] = OrderedDict()
        self.balances: dict[str, dict[str, Balance]] = {account: {} for account in accounts}
        self.prices: dict[str, Price] = {}
        self.adopt(Changes([Step(None, order) for order in contents.open_orders], contents.balances, contents.prices))

    def find(self, key: Key) -> PaperOrder | None:
        return self.open.get(key) or self.finished.get(key)

    def adopt(self, changes: Changes) -> None:
        """Take over what the books took."""
        for before, order in changes.orders:
            key = (order.account, order.client_order_id)
            self.number = max(self.number, order.number)
            if order.is_open:
                self.open[key] = order
                self.resting.setdefault(order.symbol, {})[key] = order
                continue
            if before is not None:
                self.open.pop(key)
                self.resting[order.symbol].pop(key)
            self.finished[key] = order
        while len(self.finished) > _FINISHED:
            self.finished.popitem(last=False)
        for (account, currency), balance in changes.balances.items():
            self.balances.setdefault(account, {})[currency] = balance
        self.prices.update(changes.prices)


class Draft:
    """Steps that build on each other, on top of `memory`; nothing of them is true before the books have them."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._orders: dict[Key, PaperOrder] = {}
        self._balances: dict[str, dict[str, Balance]] = {}
        self._steps: list[Step] = []
        self._changed: dict[tuple[str, str], Balance] = {}
        self.next_number = memory.number + 1

    def find(self, key: Key) -> PaperOrder | None:
        return self._orders.get(key) or self._memory.find(key)

    def balances(self, account: str) -> dict[str, Balance]:
        """By currency, after the steps so far."""
        balances = self._balances.get(account)
        if balances is None:
            balances = self._balances[account] = dict(self._memory.balances[account])
        return balances

    def add(self, step: Step, moved: Mapping[str, Balance]) -> None:
        """`moved` are the balances of the order's account that are others after `step`, by currency."""
        order = step.after
        self._orders[order.account, order.client_order_id] = order
        self._steps.append(step)
        self.next_number = max(self.next_number, order.number + 1)
        self.balances(order.account).update(moved)
        for currency, balance in moved.items():
            self._changed[order.account, currency] = balance

    def changes(self) -> Changes:
        """All steps, and each balance as the last of them left it."""
        return Changes(self._steps, self._changed)
