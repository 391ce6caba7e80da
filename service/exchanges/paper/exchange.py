"""The paper exchange behind the Exchange protocol: latency, time-outs and moving prices around the engine."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import msgspec

from service.clock import Clock
from service.core.markets import Balance, Market, MarketType, Position, Quote
from service.core.orders import Trade
from service.core.outcomes import (
    CodeKind,
    ExchangeRules,
    InDoubt,
    LookUp,
    NotExecuted,
    OrderReport,
    Outcome,
    Unanswered,
    UsedIds,
)
from service.exchanges.paper.books import Books, BooksUnusable
from service.exchanges.paper.engine import Engine
from service.exchanges.paper.prices import PriceSource, RandomWalk
from service.exchanges.paper.settings import PaperSettings
from service.exchanges.paper.wire import Wire
from service.exchanges.protocol import CancelOutcome, ExchangeUnavailable, OrderRef, OrderRequest, Priority

_NS = 1_000_000_000
_VALIDITY_MARGIN_NS = _NS
"""How much later than the latency a request may be executed: what a busy event loop may take."""

_TOO_LATE = NotExecuted(cause=CodeKind.CLOCK_SKEW.value)

_log = logging.getLogger(__name__)

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R", OrderRequest, OrderRef)


class _Sent(NamedTuple):
    """An order request and when it was sent, by the monotonic clock."""

    request: OrderRequest
    sent_ns: int


class PaperExchange:
    """Spot markets with invented prices; orders, balances and used ids live in the file `books`.

    A request that could not be executed within `rules.request_validity_ns` is not executed any more, so that the
    rule holds however busy the process is; the answer is the one of an exchange whose window the request missed.
    `prices` replaces the random walk.
    """

    def __init__(
        self, name: str, settings: PaperSettings, books: Path, clock: Clock, prices: PriceSource | None = None
    ) -> None:
        self._name = name
        self._settings = settings
        self._path = books
        self._clock = clock
        self._source = prices or RandomWalk(settings.seed, settings.volatility)
        self._markets = {symbol.symbol: symbol.market() for symbol in settings.symbols}
        self._rules = ExchangeRules(
            looks_up_by_client_id=True,
            used_ids=UsedIds.REFUSED_FOREVER,
            request_validity_ns=int(settings.latency * _NS) + _VALIDITY_MARGIN_NS,
            visibility_delay_ns=0,
        )
        self._orders: Wire[_Sent, Outcome] = Wire(settings.latency, self._place)
        self._cancels: Wire[OrderRef, CancelOutcome] = Wire(settings.latency, self._cancel)
        self._reads: Wire[Callable[[Engine], object], object] = Wire(settings.latency, self._answer_reads)
        self._books: Books | None = None
        self._engine: Engine | None = None
        self._next_tick: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def rules(self) -> ExchangeRules:
        return self._rules

    @property
    def markets(self) -> Mapping[str, Market]:
        return self._markets

    @property
    def notes(self) -> Mapping[str, Sequence[str]]:
        return {}

    def market_type(self, account: str) -> MarketType:  # noqa: ARG002 - there is only one
        return MarketType.SPOT

    async def start(self) -> None:
        """Open the books and let prices move; `ExchangeUnavailable` when the books cannot be used."""
        if self._engine is not None:
            return
        books: Books | None = None
        try:
            books = Books(self._path)
            self._engine = Engine(self._settings, books, self._source)
        except (BooksUnusable, sqlite3.Error) as error:
            if books is not None:
                books.close()
            raise ExchangeUnavailable(f"{self._name}: {error}") from error
        self._books = books
        self._schedule_tick()

    async def close(self) -> None:
        """Stop prices and requests under way, and close the books; nothing that was executed is undone."""
        if self._next_tick is not None:
            self._next_tick.cancel()
        self._orders.close()
        self._cancels.close()
        self._reads.close()
        self._engine = None
        if self._books is not None:
            self._books.close()
            self._books = None

    def client_order_id(self, order_id: str) -> str:
        return f"fp-{order_id}"

    def is_ours(self, client_order_id: str) -> bool:
        return client_order_id.startswith("fp-")

    def quote(self, symbol: str) -> Quote | None:
        quote = None if self._engine is None else self._engine.quote(symbol)
        # Between two ticks a price stands still, so that it is known to be the price now.
        return None if quote is None else msgspec.structs.replace(quote, ts_ns=self._clock.now_ns())

    async def slot(self, account: str, priority: Priority) -> None:
        """At once: there is no limit of requests here."""

    async def create_order(self, request: OrderRequest) -> Outcome:
        if self._engine is None:
            return NotExecuted(cause=self._closed)
        lost = NotExecuted(cause=f"{self._name} was closed before the request arrived")
        return await self._orders.send(_Sent(request, self._clock.monotonic_ns()), lost)

    def _place(self, arrived: Sequence[_Sent]) -> Sequence[Outcome]:
        now_ns = self._clock.monotonic_ns()
        oldest_ns = now_ns - self._rules.request_validity_ns
        placed = iter(self._decided(Engine.place, [one.request for one in arrived if one.sent_ns >= oldest_ns]))
        return [next(placed) if one.sent_ns >= oldest_ns else _TOO_LATE for one in arrived]

    async def cancel_order(self, ref: OrderRef) -> CancelOutcome:
        if self._engine is None:
            return NotExecuted(cause=self._closed)
        lost = NotExecuted(cause=f"{self._name} was closed before the cancel arrived")
        return await self._cancels.send(ref, lost)

    def _cancel(self, refs: Sequence[OrderRef]) -> Sequence[CancelOutcome]:
        return self._decided(Engine.cancel, refs)

    def _decided(
        self, decide: Callable[[Engine, Sequence[R], int], Sequence[A]], requests: Sequence[R]
    ) -> Sequence[A | NotExecuted | InDoubt]:
        """All of them in one transaction; where that fails each by itself, so that no other suffers from one."""
        if self._engine is None:
            return [NotExecuted(cause=self._closed)] * len(requests)
        try:
            return decide(self._engine, requests, self._clock.now_ns())
        except Exception as error:  # noqa: BLE001 - whatever failed, disk or defect, proves nothing about the order
            if len(requests) > 1:
                return [answer for request in requests for answer in self._decided(decide, [request])]
            return [self._in_doubt(error, request.client_order_id) for request in requests]

    def _in_doubt(self, error: Exception, client_order_id: str) -> InDoubt:
        about = {"client_order_id": client_order_id}
        _log.error("%s: a request failed half way", self._name, exc_info=error, extra=about)
        return InDoubt(cause=f"{self._name} failed: {type(error).__name__}: {error}")

    async def look_up(self, ref: OrderRef) -> LookUp:
        try:
            return await self._read(lambda engine: engine.look_up(ref.account, ref.client_order_id), ref.account)
        except ExchangeUnavailable as error:
            return Unanswered(cause=str(error))

    async def fetch_quote(self, symbol: str) -> Quote:
        quote = await self._read(lambda _: self.quote(symbol))
        if quote is None:
            raise ExchangeUnavailable(f"{self._name} has no price for {symbol[:32]!r}; expected one of its markets")
        return quote

    async def fetch_balances(self, account: str) -> Mapping[str, Balance]:
        return await self._read(lambda engine: engine.balances(account), account)

    async def open_orders(self, account: str) -> Sequence[OrderReport]:
        return await self._read(lambda engine: engine.open_orders(account), account)

    async def fetch_positions(self, account: str) -> Mapping[str, Position]:
        return await self._read(lambda _: {}, account)

    async def fills_since(self, account: str, symbols: Sequence[str], since_ns: int) -> Sequence[Trade]:
        return await self._read(lambda engine: engine.fills_since(account, symbols, since_ns), account)

    async def fetch_time(self) -> int:
        return await self._read(lambda _: self._clock.now_ns())

    async def _read(self, read: Callable[[Engine], T], account: str | None = None) -> T:
        if self._engine is None:
            raise ExchangeUnavailable(self._closed)
        if account is not None and not self._engine.knows_account(account):
            raise ExchangeUnavailable(f"{self._name} has no account {account!r}; expected one of its settings")
        answer = await self._reads.send(read, ExchangeUnavailable(self._closed))
        if isinstance(answer, Exception):
            raise answer
        return cast(T, answer)

    def _answer_reads(self, reads: Sequence[Callable[[Engine], object]]) -> Sequence[object]:
        return [self._answer_read(read) for read in reads]

    def _answer_read(self, read: Callable[[Engine], object]) -> object:
        """What was read, or why nothing could be, to be raised where it was asked."""
        if self._engine is None:
            return ExchangeUnavailable(self._closed)
        try:
            return read(self._engine)
        except sqlite3.Error as error:
            return ExchangeUnavailable(f"the books of {self._name} failed: {error}")
        except Exception as error:  # noqa: BLE001 - a defect is the asker's to see, not that of others on the wire
            return error

    @property
    def _closed(self) -> str:
        return f"{self._name} is not running; start it first"

    def _schedule_tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._next_tick = loop.call_later(self._settings.tick_interval, self._on_tick)

    def _on_tick(self) -> None:
        self._schedule_tick()
        self.tick()

    def tick(self) -> None:
        """Move every price once and match the orders that rest; happens by itself every `tick_interval`."""
        if self._engine is None:
            return
        try:
            self._engine.tick(self._clock.now_ns())
        except sqlite3.Error as error:
            _log.warning("%s: prices stand still, the books failed: %s", self._name, error)
