"""What an account holds, has open and has traded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from service.core.markets import Balance, MarketType, Position
from service.core.orders import Trade, TradeKey
from service.core.outcomes import OrderReport
from service.exchanges.ccxt.clients import Client
from service.exchanges.ccxt.convert import Listed, balances_of, positions_of, report_of, trades_of
from service.exchanges.ccxt.shared import Shared
from service.exchanges.protocol import ExchangeUnavailable

_log = logging.getLogger(__name__)

_MS = 1_000_000
_PAGE = 100
_FEWEST = 10
"""No exchange gives smaller pages: an answer with less is the last."""
_MAX_PAGES = 50


class Reads:
    """All raise `ExchangeUnavailable` and nothing else."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def balances(self, account: str) -> dict[str, Balance]:
        client = self._shared.client(account)
        return await self._shared.traffic.read(client.api.fetch_balance, balances_of, whole=True)

    async def positions(self, account: str) -> dict[str, Position]:
        client = self._shared.client(account)
        if client.market_type is MarketType.SPOT:
            return {}
        listings = self._shared.listings
        return await self._shared.traffic.read(
            client.api.fetch_positions, lambda raws: positions_of(raws, listings), whole=True
        )

    async def open_orders(self, account: str) -> list[OrderReport]:
        """Of all symbols where the exchange can tell them so, else of those in the settings."""
        client = self._shared.client(account)
        symbols: Sequence[str | None] = [None]
        if not self._shared.profile.open_orders_without_symbol:
            symbols = self._symbols_of(client)
        reports: list[OrderReport] = []
        for symbol in symbols:
            reports += await self._open_orders(client, symbol)
        return reports

    def _symbols_of(self, client: Client) -> list[str]:
        listings = self._shared.listings
        return [
            symbol
            for symbol in self._shared.settings.symbols
            if symbol in listings and listings[symbol].market.type is client.market_type
        ]

    async def _open_orders(self, client: Client, symbol: str | None) -> list[OrderReport]:
        params = dict(self._shared.profile.read_params)

        def parse(raws: Sequence[Mapping[str, Any]]) -> list[OrderReport]:
            return [report for raw in raws if (report := self._report(raw)) is not None]

        return await self._shared.traffic.read(
            lambda: client.api.fetch_open_orders(symbol, None, None, params), parse, whole=True
        )

    def _report(self, raw: Mapping[str, Any]) -> OrderReport | None:
        """None for orders in markets that are not traded here."""
        listed = self._shared.listings.get(str(raw.get("symbol")))
        if listed is None:
            return None
        return report_of(
            raw,
            listed,
            now_ns=self._shared.clock.now_ns(),
            client_order_id=None,
            id_key=self._shared.profile.reported_as,
        )

    async def fills_since(self, account: str, symbols: Sequence[str], since_ns: int) -> list[Trade]:
        """Oldest first, at most fifty pages a symbol.

        Exchanges stamp whole milliseconds: all of the millisecond in which `since_ns` lies are there.
        """
        client = self._shared.client(account)
        trades: list[Trade] = []
        for symbol in symbols:
            trades += await self._trades(client, self._shared.listed(symbol), since_ns // _MS)
        return sorted(trades, key=lambda trade: trade.ts_event_ns)

    async def _trades(self, client: Client, listed: Listed, since_ms: int) -> list[Trade]:
        """Some exchanges give the oldest of the time asked for, others the newest: the rest lies after or before."""
        first = await self._page(client, listed, since_ms, None)
        found = {trade.key: trade for trade in first}
        if len(first) >= _FEWEST:
            try:
                if not await self._read_on(client, listed, since_ms, found, backwards=False):
                    await self._read_on(client, listed, since_ms, found, backwards=True)
            except ExchangeUnavailable as error:
                # What was read are facts; what is missing is asked for again as long as an order lacks it.
                _log.warning("only some of the executions were read: %s", error)
        return [trade for trade in found.values() if trade.ts_event_ns >= since_ms * _MS]

    async def _read_on(
        self, client: Client, listed: Listed, since_ms: int, found: dict[TradeKey, Trade], *, backwards: bool
    ) -> bool:
        """Add further pages to `found` until one has nothing new; whether any had."""
        for number in range(_MAX_PAGES):
            times_ms = [trade.ts_event_ns // _MS for trade in found.values()]
            if backwards:
                page = await self._page(client, listed, since_ms, min(times_ms))
            else:
                page = await self._page(client, listed, max(times_ms), None)
            before = len(found)
            found |= {trade.key: trade for trade in page}
            if len(found) == before:
                return number > 0
        return True

    async def _page(self, client: Client, listed: Listed, since_ms: int, until_ms: int | None) -> list[Trade]:
        symbol, profile = listed.market.symbol, self._shared.profile
        params = {} if until_ms is None else {"until": until_ms}

        def parse(raws: Sequence[Mapping[str, Any]]) -> list[Trade]:
            mine = [raw for raw in raws if raw.get("symbol") in {None, symbol}]
            return trades_of(mine, listed, now_ns=self._shared.clock.now_ns(), id_key=profile.reported_as)

        return await self._shared.traffic.read(
            lambda: client.api.fetch_my_trades(symbol, since_ms or None, _PAGE, params), parse, whole=True
        )
