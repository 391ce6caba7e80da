"""The matching engine: open orders, balances and prices in memory, every step in the books first. It never waits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence

import msgspec

from service.core.markets import Balance, Market, Quote
from service.core.orders import OrderStatus, OrderType, Trade
from service.core.outcomes import Accepted, Found, NotFound, OrderReport, Refused, RejectReason
from service.exchanges.paper.books import Books, Changes, Price, Step
from service.exchanges.paper.checks import check_request, check_trigger, invalid
from service.exchanges.paper.ledger import settle
from service.exchanges.paper.matching import Match, apply, match, parts_of
from service.exchanges.paper.orders import PaperOrder, report
from service.exchanges.paper.prices import PriceSource, quote_around
from service.exchanges.paper.settings import PaperSettings
from service.exchanges.protocol import OrderRef, OrderRequest

_FINISHED_IN_MEMORY = 1_024

_Key = tuple[str, str]
"""Account and client order id."""


class Engine:
    """Runs on one thread. What the books refuse to write raises sqlite3.Error and did not happen.

    Times are arguments, Unix nanoseconds.
    """

    def __init__(self, settings: PaperSettings, books: Books, prices: PriceSource) -> None:
        self.markets: Mapping[str, Market] = {symbol.symbol: symbol.market() for symbol in settings.symbols}
        self._settings = settings
        self._books = books
        self._source = prices
        contents = books.load()
        self._number = contents.last_number
        self._open: dict[_Key, PaperOrder] = {}
        self._resting: dict[str, dict[_Key, PaperOrder]] = {}
        self._finished: OrderedDict[_Key, PaperOrder] = OrderedDict()
        self._balances: dict[str, dict[str, Balance]] = {account: {} for account in settings.accounts}
        self._prices: dict[str, Price] = {}
        self._quotes: dict[str, Quote] = {}
        self._adopt(Changes([Step(None, order) for order in contents.open_orders], contents.balances, contents.prices))
        self._open_accounts([name for name in settings.accounts if name not in contents.accounts])

    def _open_accounts(self, accounts: Sequence[str]) -> None:
        """Credit new accounts, once, and give new symbols their first price."""
        start = self._settings.starting_balances
        self._write(
            Changes(
                accounts=accounts,
                balances={
                    (account, currency): Balance(free=start[currency]) for account in accounts for currency in start
                },
                prices={
                    symbol.symbol: Price(symbol.price, 0)
                    for symbol in self._settings.symbols
                    if symbol.symbol not in self._prices
                },
            )
        )

    def knows_account(self, account: str) -> bool:
        return account in self._settings.accounts

    def quote(self, symbol: str) -> Quote | None:
        """Stamped with the tick that moved it (0 after a start)."""
        return self._quotes.get(symbol)

    def balances(self, account: str) -> Mapping[str, Balance]:
        return dict(self._balances[account])

    def open_orders(self, account: str) -> list[OrderReport]:
        """Oldest first."""
        return [report(order) for order in self._open.values() if order.account == account]

    def fills_since(self, account: str, symbols: Collection[str], since_ns: int) -> list[Trade]:
        return self._books.fills_since(account, symbols, since_ns)

    def look_up(self, account: str, client_order_id: str) -> Found | NotFound:
        order = self._find((account, client_order_id))
        if order is None:
            return NotFound(message=f"{account} has no order {client_order_id!r}")
        return Found(report(order))

    def _find(self, key: _Key) -> PaperOrder | None:
        return self._open.get(key) or self._finished.get(key) or self._books.find_order(*key)

    def place(self, request: OrderRequest, now_ns: int) -> Accepted | Refused:
        """Check, match and book one order. A refused one leaves no trace: its client order id stays unused."""
        if not self.knows_account(request.account):
            return Refused(reason=RejectReason.NOT_PERMITTED, message=f"there is no account {request.account!r}")
        # Before all else: what a re-sent order is refused for must not depend on what the first one did.
        if self._find((request.account, request.client_order_id)) is not None:
            return Refused(
                reason=RejectReason.DUPLICATE_CLIENT_ORDER_ID,
                message=f"client order id {request.client_order_id!r} was used before; look the order up",
            )
        market, quote = self.markets.get(request.symbol), self._quotes.get(request.symbol)
        refused = check_request(request, market, quote)
        if market is None or quote is None or refused is not None:
            return refused or invalid("there is no price for this symbol")
        order = self._new_order(request, market, now_ns)
        return check_trigger(order, quote) or self._book(order, market, quote, now_ns)

    def _new_order(self, request: OrderRequest, market: Market, now_ns: int) -> PaperOrder:
        number = self._number + 1
        limit = None if request.order_type is OrderType.MARKET else request.price
        return PaperOrder(
            number=number,
            exchange_order_id=self._books.exchange_order_id(number),
            account=request.account,
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            order_type=request.order_type,
            quantity=market.round_quantity(request.quantity),
            price=None if limit is None else market.round_price(limit),
            stop_price=None if request.stop_price is None else market.round_price(request.stop_price),
            status=OrderStatus.ACCEPTED,
            created_ns=now_ns,
            updated_ns=now_ns,
        )

    def _book(self, order: PaperOrder, market: Market, quote: Quote, now_ns: int) -> Accepted | Refused:
        """Reserve at the limit first, as exchanges do, also where the order then fills at a better price."""
        balances = self._balances[order.account]
        changed = {} if order.order_type is OrderType.MARKET else settle(None, order, balances)
        after = order
        if changed is not None and (matched := match(order, quote, arriving=True)) is not None:
            after = self._apply(order, matched, market, now_ns)
            moved = settle(order, after, balances | changed)
            changed = None if moved is None else changed | moved
        if changed is None:
            free = balances.get(order.spends, Balance()).free
            return Refused(
                reason=RejectReason.INSUFFICIENT_FUNDS,
                message=f"{order.account} has {free:f} {order.spends} free, too little to "
                f"{order.side} {order.quantity:f} {order.symbol}",
            )
        keyed = {(order.account, currency): balance for currency, balance in changed.items()}
        self._write(Changes([Step(None, after)], keyed))
        return Accepted(report(after))

    def _apply(self, order: PaperOrder, matched: Match, market: Market, now_ns: int) -> PaperOrder:
        parts = parts_of(order.client_order_id, self._settings.partial_fills, self._settings.seed)
        return apply(order, matched, market, self._settings.fee_rate, parts, now_ns)

    def cancel(self, ref: OrderRef, now_ns: int) -> OrderReport | Refused:
        order = self._find((ref.account, ref.client_order_id))
        if order is None:
            message = f"{ref.account} has no order {ref.client_order_id!r} to cancel"
            return Refused(reason=RejectReason.OTHER, message=message)
        if not order.is_open:
            message = f"order {ref.client_order_id!r} is {order.status} already; there is nothing to cancel"
            return Refused(reason=RejectReason.OTHER, message=message)
        after = msgspec.structs.replace(order, status=OrderStatus.CANCELED, updated_ns=now_ns)
        changed = settle(order, after, self._balances[order.account])
        assert changed is not None  # a release takes nothing
        keyed = {(order.account, currency): balance for currency, balance in changed.items()}
        self._write(Changes([Step(order, after)], keyed))
        return report(after)

    def tick(self, now_ns: int) -> None:
        """Move every price once and match the orders that rest; one transaction for all of it."""
        prices = {
            symbol: Price(self._source.next_mid(symbol, price.mid, price.tick + 1), price.tick + 1)
            for symbol, price in self._prices.items()
            if symbol in self.markets
        }
        steps: list[Step] = []
        balances: dict[tuple[str, str], Balance] = {}
        for symbol, price in prices.items():
            quote = quote_around(self.markets[symbol], price.mid, self._settings.spread_bps, now_ns)
            for order in self._resting.get(symbol, {}).values():
                matched = match(order, quote)
                if matched is not None:
                    steps.append(self._move(order, matched, balances, now_ns))
        self._write(Changes(steps, balances, prices), now_ns)

    def _move(self, order: PaperOrder, matched: Match, changed: dict[tuple[str, str], Balance], now_ns: int) -> Step:
        """One resting order's step; `changed` holds the balances that steps before it left, and takes its own."""
        balances = self._balances[order.account] | {
            currency: balance for (account, currency), balance in changed.items() if account == order.account
        }
        after = self._apply(order, matched, self.markets[order.symbol], now_ns)
        moved = settle(order, after, balances)
        if moved is None:  # a stop without a limit met a gap that costs more than there is
            after = msgspec.structs.replace(
                order,
                status=OrderStatus.REJECTED,
                reject_reason=RejectReason.INSUFFICIENT_FUNDS,
                updated_ns=now_ns,
            )
            moved = settle(order, after, balances)
            assert moved is not None  # a release takes nothing
        changed.update({(order.account, currency): balance for currency, balance in moved.items()})
        return Step(order, after)

    def _write(self, changes: Changes, now_ns: int = 0) -> None:
        self._books.write(changes)
        self._adopt(changes, now_ns)

    def _adopt(self, changes: Changes, now_ns: int = 0) -> None:
        """Make memory say what the books say."""
        for _, order in changes.orders:
            key = (order.account, order.client_order_id)
            self._number = max(self._number, order.number)
            if order.is_open:
                self._open[key] = order
                self._resting.setdefault(order.symbol, {})[key] = order
            else:
                self._open.pop(key, None)
                self._resting.get(order.symbol, {}).pop(key, None)
                self._finished[key] = order
        while len(self._finished) > _FINISHED_IN_MEMORY:
            self._finished.popitem(last=False)
        for (account, currency), balance in changes.balances.items():
            self._balances.setdefault(account, {})[currency] = balance
        for symbol, price in changes.prices.items():
            self._prices[symbol] = price
            if (market := self.markets.get(symbol)) is not None:
                self._quotes[symbol] = quote_around(market, price.mid, self._settings.spread_bps, now_ns)
