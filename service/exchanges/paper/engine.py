"""The matching engine: decides in memory, one request after another, and has it in the books first. It never waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from service.core.markets import Balance, Market, Quote
from service.core.orders import OrderStatus, OrderType, Trade
from service.core.outcomes import Accepted, Found, NotFound, OrderReport, Refused, RejectReason
from service.exchanges.paper.books import Books, Changes, Key, Price, Step
from service.exchanges.paper.checks import check_request, check_trigger, invalid
from service.exchanges.paper.ledger import settle
from service.exchanges.paper.matching import Match, apply, match, parts_of
from service.exchanges.paper.memory import Draft, Memory
from service.exchanges.paper.orders import PaperOrder, report
from service.exchanges.paper.prices import PriceSource, quote_around
from service.exchanges.paper.settings import PaperSettings
from service.exchanges.protocol import OrderRef, OrderRequest


class Engine:
    """Runs on one thread. What the books refuse to write raises sqlite3.Error and did not happen.

    Requests come in groups: what a group changes is written in one transaction, and answered after it. Times are
    arguments, Unix nanoseconds.
    """

    def __init__(self, settings: PaperSettings, books: Books, prices: PriceSource) -> None:
        self.markets: Mapping[str, Market] = {symbol.symbol: symbol.market() for symbol in settings.symbols}
        self._settings = settings
        self._accounts = frozenset(settings.accounts)
        self._books = books
        self._source = prices
        contents = books.load()
        self._memory = Memory(contents, settings.accounts)
        self._open_accounts([name for name in settings.accounts if name not in contents.accounts])
        self._quotes = self._quotes_at(self._memory.prices, 0)

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
                    if symbol.symbol not in self._memory.prices
                },
            )
        )

    def knows_account(self, account: str) -> bool:
        return account in self._accounts

    def quote(self, symbol: str) -> Quote | None:
        """Stamped with the tick that moved it (0 after a start)."""
        return self._quotes.get(symbol)

    def balances(self, account: str) -> Mapping[str, Balance]:
        return dict(self._memory.balances[account])

    def open_orders(self, account: str) -> list[OrderReport]:
        """Oldest first."""
        return [report(order) for order in self._memory.open.values() if order.account == account]

    def fills_since(self, account: str, symbols: Collection[str], since_ns: int) -> list[Trade]:
        return self._books.fills_since(account, symbols, since_ns)

    def look_up(self, account: str, client_order_id: str) -> Found | NotFound:
        order = self._memory.find((account, client_order_id)) or self._books.find_order(account, client_order_id)
        if order is None:
            return NotFound(message=f"{account} has no order {client_order_id!r}")
        return Found(report(order))

    def place(self, requests: Sequence[OrderRequest], now_ns: int) -> list[Accepted | Refused]:
        """Check, match and book orders. A refused one leaves no trace: its client order id stays unused."""
        used = self._books.used([(request.account, request.client_order_id) for request in requests])
        draft = Draft(self._memory)
        answers = [self._place(request, used, draft, now_ns) for request in requests]
        self._write_steps(draft)
        return answers

    def _place(self, request: OrderRequest, used: Collection[Key], draft: Draft, now_ns: int) -> Accepted | Refused:
        if not self.knows_account(request.account):
            return Refused(reason=RejectReason.NOT_PERMITTED, message=f"there is no account {request.account!r}")
        # Before all else: what a re-sent order is refused for must not depend on what the first one did.
        key = (request.account, request.client_order_id)
        if key in used or draft.find(key) is not None:
            return Refused(
                reason=RejectReason.DUPLICATE_CLIENT_ORDER_ID,
                message=f"client order id {request.client_order_id!r} was used before; look the order up",
            )
        market, quote = self.markets.get(request.symbol), self._quotes.get(request.symbol)
        refused = check_request(request, market, quote)
        if market is None or quote is None or refused is not None:
            return refused or invalid("there is no price for this symbol")
        order = self._new_order(request, market, draft.next_number, now_ns)
        return check_trigger(order, quote) or self._book(order, market, quote, draft)

    def _new_order(self, request: OrderRequest, market: Market, number: int, now_ns: int) -> PaperOrder:
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

    def _book(self, order: PaperOrder, market: Market, quote: Quote, draft: Draft) -> Accepted | Refused:
        """Reserve at the limit first, as exchanges do, also where the order then fills at a better price."""
        balances = draft.balances(order.account)
        changed = {} if order.order_type is OrderType.MARKET else settle(None, order, balances)
        after = order
        if changed is not None and (matched := match(order, quote, arriving=True)) is not None:
            after = self._apply(order, matched, market, order.created_ns)
            moved = settle(order, after, balances | changed if changed else balances)
            changed = None if moved is None else changed | moved
        if changed is None:
            free = balances.get(order.spends, Balance()).free
            return Refused(
                reason=RejectReason.INSUFFICIENT_FUNDS,
                message=f"{order.account} has {free:f} {order.spends} free, too little to "
                f"{order.side} {order.quantity:f} {order.symbol}",
            )
        draft.add(Step(None, after), changed)
        return Accepted(report(after))

    def _apply(self, order: PaperOrder, matched: Match, market: Market, now_ns: int) -> PaperOrder:
        parts = parts_of(order, self._settings.partial_fills, self._settings.seed)
        return apply(order, matched, market, self._settings.fee_rate, parts, now_ns)

    def cancel(self, refs: Sequence[OrderRef], now_ns: int) -> list[OrderReport | Refused]:
        draft = Draft(self._memory)
        answers = [self._cancel(ref, draft, now_ns) for ref in refs]
        self._write_steps(draft)
        return answers

    def _cancel(self, ref: OrderRef, draft: Draft, now_ns: int) -> OrderReport | Refused:
        key = (ref.account, ref.client_order_id)
        order = draft.find(key) or self._books.find_order(*key)
        if order is None:
            message = f"{ref.account} has no order {ref.client_order_id!r} to cancel"
            return Refused(reason=RejectReason.OTHER, message=message)
        if not order.is_open:
            message = f"order {ref.client_order_id!r} is {order.status} already; there is nothing to cancel"
            return Refused(reason=RejectReason.OTHER, message=message)
        after = msgspec.structs.replace(order, status=OrderStatus.CANCELED, updated_ns=now_ns)
        self._release(order, after, draft)
        return report(after)

    def _release(self, order: PaperOrder, after: PaperOrder, draft: Draft) -> None:
        """The order ends: what it held back is free again."""
        moved = settle(order, after, draft.balances(order.account))
        assert moved is not None  # a release takes nothing
        draft.add(Step(order, after), moved)

    def tick(self, now_ns: int) -> None:
        """Move every price once and match the orders that rest; one transaction for all of it."""
        prices = {
            symbol: Price(self._source.next_mid(symbol, price.mid, price.tick + 1), price.tick + 1)
            for symbol, price in self._memory.prices.items()
            if symbol in self.markets
        }
        quotes = self._quotes_at(prices, now_ns)
        draft = Draft(self._memory)
        for symbol, quote in quotes.items():
            for order in self._memory.resting.get(symbol, {}).values():
                matched = match(order, quote)
                if matched is not None:
                    self._move(order, matched, draft, now_ns)
        self._write(draft.changes()._replace(prices=prices))
        self._quotes = quotes

    def _move(self, order: PaperOrder, matched: Match, draft: Draft, now_ns: int) -> None:
        """One resting order's step."""
        after = self._apply(order, matched, self.markets[order.symbol], now_ns)
        moved = settle(order, after, draft.balances(order.account))
        if moved is not None:
            draft.add(Step(order, after), moved)
            return
        # A stop without a limit met a gap that costs more than there is.
        rejected = msgspec.structs.replace(
            order, status=OrderStatus.REJECTED, reject_reason=RejectReason.INSUFFICIENT_FUNDS, updated_ns=now_ns
        )
        self._release(order, rejected, draft)

    def _quotes_at(self, prices: Mapping[str, Price], now_ns: int) -> dict[str, Quote]:
        spread_bps = self._settings.spread_bps
        markets = self.markets
        return {
            symbol: quote_around(markets[symbol], price.mid, spread_bps, now_ns)
            for symbol, price in prices.items()
            if symbol in markets
        }

    def _write_steps(self, draft: Draft) -> None:
        changes = draft.changes()
        if changes.orders:
            self._write(changes)

    def _write(self, changes: Changes) -> None:
        self._books.write(changes)
        self._memory.adopt(changes)
