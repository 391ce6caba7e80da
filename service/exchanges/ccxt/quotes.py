"""Last prices, kept warm by one task, so that they can be read without asking."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from service.core.markets import MarketType, Quote
from service.exchanges.ccxt.clients import Client
from service.exchanges.ccxt.convert import quote_of
from service.exchanges.ccxt.shared import Shared
from service.exchanges.protocol import ExchangeUnavailable, Priority

_log = logging.getLogger(__name__)

_EVERY_S = 1.0
_WARM_NS = 600 * 1_000_000_000
"""How long a symbol that was asked for once is kept fresh without being asked for again."""
_FIRST_PRICES_S = 10.0
_FEW = 3
"""Up to so many are asked for one by one: most exchanges answer a request for tickers with all of their markets."""


class Quotes:
    """The symbols of the settings always, others while they are asked for."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._quotes: dict[str, Quote] = {}
        self._asked_ns: dict[str, int] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    def get(self, symbol: str) -> Quote | None:
        """The last known price; a listed symbol is kept fresh from now on."""
        if symbol not in self._shared.listings:
            return None
        if symbol not in self._quotes:
            self._wanted.set()
        self._asked_ns[symbol] = self._shared.clock.monotonic_ns()
        return self._quotes.get(symbol)

    async def start(self) -> None:
        """Return with the first prices of the settings' symbols, or without those that do not come in time."""
        symbols = [symbol for symbol in self._shared.settings.symbols if symbol in self._shared.listings]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_PRICES_S):
                await self._refresh(symbols)
        if missing := [symbol for symbol in symbols if symbol not in self._quotes]:
            _log.warning("%s: no price yet for %s", self._shared.name, ", ".join(missing))
        self._task = asyncio.create_task(self._run(), name=f"quotes {self._shared.name}")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._quotes.clear()

    async def fetch(self, symbol: str) -> Quote:
        """Ask now; raises `ExchangeUnavailable`, also where there is no bid and ask."""
        listed = self._shared.listed(symbol)
        quotes = await self._ask(self._shared.any_client(listed.market.type), [symbol])
        if symbol not in quotes:
            raise ExchangeUnavailable(f"{self._shared.name} has no bid and ask for {symbol} now")
        self._quotes.update(quotes)
        return quotes[symbol]

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_S):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._refresh(self._warm())
            except Exception:  # noqa: BLE001 - the task must outlive any one symbol's defect; prices grow old visibly (`ts_ns`)
                _log.exception("%s: prices could not be refreshed", self._shared.name)
            # However often a new symbol wakes it, the exchange is asked no faster than that.
            await asyncio.sleep(_EVERY_S / 4)

    def _warm(self) -> list[str]:
        now_ns = self._shared.clock.monotonic_ns()
        self._asked_ns = {
            symbol: asked_ns for symbol, asked_ns in self._asked_ns.items() if now_ns - asked_ns < _WARM_NS
        }
        kept = dict.fromkeys([*self._shared.settings.symbols, *self._asked_ns])
        self._quotes = {symbol: quote for symbol, quote in self._quotes.items() if symbol in kept}
        return [symbol for symbol in kept if symbol in self._shared.listings]

    async def _refresh(self, symbols: Iterable[str]) -> None:
        by_type: dict[MarketType, list[str]] = {}
        for symbol in symbols:
            by_type.setdefault(self._shared.listed(symbol).market.type, []).append(symbol)
        failed = 0
        for market_type, group in by_type.items():
            client = self._shared.any_client(market_type)
            batches = [group] if _batch_method(client, group) is not None else [[symbol] for symbol in group]
            for batch in batches:
                try:
                    await self._shared.traffic.slot(Priority.FOLLOW)
                    self._quotes.update(await self._ask(client, batch))
                except ExchangeUnavailable as error:
                    if not (self._failing or failed):
                        _log.warning("prices stand still: %s", error)
                    failed += 1
        self._failing = failed > 0

    async def _ask(self, client: Client, symbols: list[str]) -> dict[str, Quote]:
        """All at once where the class can, the rest one by one by their order books."""
        found: dict[str, Quote] = {}
        batch = _batch_method(client, symbols)
        if batch is not None:
            found = await self._ask_batch(client, batch, symbols)
        for symbol in symbols:
            if symbol not in found:
                quote = await self._ask_one(client, symbol)
                if quote is not None:
                    found[symbol] = quote
        return found

    async def _ask_batch(self, client: Client, method: str, symbols: list[str]) -> dict[str, Quote]:
        now_ns = self._shared.clock.now_ns()

        def parse(tickers: Mapping[str, Mapping[str, Any]]) -> dict[str, Quote]:
            quotes = (quote_of(tickers.get(symbol) or {}, symbol, now_ns) for symbol in symbols)
            return {quote.symbol: quote for quote in quotes if quote is not None}

        return await self._shared.traffic.read(lambda: getattr(client.api, method)(symbols), parse)

    async def _ask_one(self, client: Client, symbol: str) -> Quote | None:
        """By ticker, else by order book: not every ticker has a bid and an ask."""
        for method, available in (("fetch_ticker", "fetchTicker"), ("fetch_order_book", "fetchOrderBook")):
            if not client.has(available):
                continue
            now_ns = self._shared.clock.now_ns()
            quote = await self._shared.traffic.read(
                lambda method=method: getattr(client.api, method)(symbol),  # type: ignore[misc]
                lambda raw, now_ns=now_ns: quote_of(raw, symbol, now_ns),  # type: ignore[misc]
            )
            if quote is not None:
                return quote
        return None


def _batch_method(client: Client, symbols: Collection[str]) -> str | None:
    if client.has("fetchBidsAsks"):
        return "fetch_bids_asks"
    return "fetch_tickers" if client.has("fetchTickers") and len(symbols) > _FEW else None
