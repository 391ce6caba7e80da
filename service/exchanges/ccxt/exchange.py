"""The Exchange protocol over ccxt: one exchange with its accounts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import aiohttp

from service.clock import Clock
from service.core.markets import Balance, Market, MarketType, Position, Quote
from service.core.orders import OrderType, Trade
from service.core.outcomes import ExchangeRules, LookUp, OrderReport, Outcome
from service.errors import ConfigurationError
from service.exchanges.ccxt import account as account_settings
from service.exchanges.ccxt.clients import Client, build_client
from service.exchanges.ccxt.clock_sync import ClockSync
from service.exchanges.ccxt.convert import Listed, listed_of
from service.exchanges.ccxt.lookups import LookUps
from service.exchanges.ccxt.orders import Orders
from service.exchanges.ccxt.profile import LookUpMethod, Profile
from service.exchanges.ccxt.quotes import Quotes
from service.exchanges.ccxt.reads import Reads
from service.exchanges.ccxt.session import open_session
from service.exchanges.ccxt.shared import Shared
from service.exchanges.ccxt.traffic import Traffic
from service.exchanges.limiter import Limiter
from service.exchanges.protocol import CancelOutcome, ExchangeUnavailable, OrderRef, OrderRequest, Priority
from service.exchanges.settings import ExchangeSettings
from service.secrets import Secret
from telemetry.facade import Telemetry

_log = logging.getLogger(__name__)

_LOADING_S = 60.0
_REFRESH_S = 3600.0
_CONNECT_S = 3.0
_CONNECT_SHARE = 0.5
"""Of a request's time: what is not connected by then ends as never sent, not in doubt."""


class CcxtExchange:
    """`keys` by account, each by ccxt's name of the credential; `request_timeout` (seconds) bounds one call.

    The caller's own bound of a call must be longer, or an order that was never sent ends in doubt.
    """

    def __init__(
        self,
        name: str,
        settings: ExchangeSettings,
        keys: Mapping[str, Mapping[str, Secret]],
        profile: Profile,
        limiter: Limiter,
        telemetry: Telemetry,
        clock: Clock,
        *,
        request_timeout: float,
    ) -> None:
        self._name = name
        self._settings = settings
        self._keys = keys
        self._profile = profile
        self._telemetry = telemetry
        self._traffic = Traffic(
            name,
            profile,
            limiter,
            telemetry,
            timeout=request_timeout,
            hidden=[secret for account in keys.values() for secret in account.values()],
            on_clock_skew=self._on_clock_skew,
        )
        self._shared = Shared(name, settings, profile, self._traffic, clock)
        self._quotes = Quotes(self._shared)
        self._clock_sync = ClockSync(self._shared, self._quotes)
        self._look_ups = LookUps(self._shared)
        self._orders = Orders(self._shared, self._look_ups, self._quotes)
        self._reads = Reads(self._shared)
        self._markets: Mapping[str, Market] = {}
        self._notes: dict[str, Sequence[str]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def rules(self) -> ExchangeRules:
        return self._profile.rules()

    @property
    def markets(self) -> Mapping[str, Market]:
        return self._markets

    @property
    def notes(self) -> Mapping[str, Sequence[str]]:
        """By account: what of its settings could not be compared with the exchange, as sentences."""
        return self._notes

    def market_type(self, account: str) -> MarketType:
        return MarketType(self._settings.accounts[account].market_type)

    def client_order_id(self, order_id: str) -> str:
        return self._profile.id_format.derive(order_id)

    def is_ours(self, client_order_id: str) -> bool:
        return self._profile.id_format.is_ours(client_order_id)

    async def start(self) -> None:
        """Raises `ExchangeUnavailable`, or `ConfigurationError` for what the user must mend; may be tried again."""
        if self._session is not None:
            return
        _check_profile(self._name, self._settings, self._profile)
        try:
            await self._start()
        except BaseException:  # whatever ended it, cancellation included: nothing stays open of a start that failed
            await self.close()
            raise

    async def _start(self) -> None:
        connect_timeout = min(_CONNECT_S, self._traffic.timeout * _CONNECT_SHARE)
        self._session = open_session(self._telemetry, connect_timeout=connect_timeout)
        clients: dict[str, Client] = {}
        self._shared.clients = clients
        for account in self._settings.accounts:
            clients[account] = build_client(
                self._name,
                account,
                self._settings,
                self._keys.get(account, {}),
                self._profile,
                session=self._session,
                throttle=self._traffic.charge,
                timeout=self._traffic.timeout,
            )
        await self._load_markets(reload=False)
        _check_symbols(self._name, self._settings, self._markets)
        await self._clock_sync.read()
        for client in clients.values():
            await self._compare(client)
        await self._quotes.start()
        self._refreshing = asyncio.create_task(self._refresh(), name=f"markets {self._name}")

    async def _load_markets(self, *, reload: bool) -> None:
        """By one instance for all: they are the same for every account."""
        clients = list(self._shared.clients.values())
        first = clients[0].api
        listings = await self._traffic.read(lambda: first.load_markets(reload), self._listings, within=_LOADING_S)
        for client in clients[1:]:
            client.api.set_markets_from_exchange(first)
        self._shared.listings = listings
        self._markets = {symbol: listed.market for symbol, listed in listings.items()}

    def _listings(self, raws: Mapping[str, Any]) -> dict[str, Listed]:
        """Of the kinds that some account trades."""
        types = {MarketType(account.market_type) for account in self._settings.accounts.values()}
        api = self._shared.any_client().api
        order_types = {OrderType.LIMIT}
        if api.has.get("createMarketOrder") is not False:
            order_types.add(OrderType.MARKET)
        if self._profile.conditional is not None:
            order_types |= {OrderType.STOP_LOSS, OrderType.TAKE_PROFIT}
        classes = frozenset(kind.__name__ for kind in type(api).__mro__)
        listings = {}
        for symbol, raw in raws.items():
            listed = listed_of(
                raw, classes=classes, precision_mode=api.precisionMode, order_types=frozenset(order_types)
            )
            if listed is not None and listed.market.type in types:
                listings[symbol] = listed
        return listings

    async def _compare(self, client: Client) -> None:
        unknown = await account_settings.compare(self._shared, client)
        self._notes[client.account] = unknown
        if unknown:
            _log.warning("account %s: %s", client.account, "; ".join(unknown))

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_S)
            try:
                await self._traffic.slot(Priority.FOLLOW)
                await self._load_markets(reload=True)
            except ExchangeUnavailable as error:
                _log.warning("the markets stay as they were loaded before: %s", error)

    async def close(self) -> None:
        """Requests under way end without an answer; nothing that was executed is undone."""
        clients, self._shared.clients = self._shared.clients, {}
        if self._refreshing is not None:
            self._refreshing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._refreshing
            self._refreshing = None
        await self._quotes.close()
        await self._clock_sync.close()
        for client in clients.values():
            await client.api.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _on_clock_skew(self) -> None:
        _log.warning("%s refused a request for its time: its clock is read again", self._name)
        self._clock_sync.read_soon()

    def quote(self, symbol: str) -> Quote | None:
        return self._quotes.get(symbol)

    async def slot(self, account: str, priority: Priority) -> None:  # noqa: ARG002 - the address is what is limited
        await self._traffic.slot(priority)

    async def fetch_quote(self, symbol: str) -> Quote:
        return await self._quotes.fetch(symbol)

    async def fetch_balances(self, account: str) -> Mapping[str, Balance]:
        return await self._reads.balances(account)

    async def fetch_positions(self, account: str) -> Mapping[str, Position]:
        return await self._reads.positions(account)

    async def create_order(self, request: OrderRequest) -> Outcome:
        await self._clock_sync.ready()
        return await self._orders.create(request)

    async def cancel_order(self, ref: OrderRef) -> CancelOutcome:
        await self._clock_sync.ready()
        return await self._orders.cancel(ref)

    async def look_up(self, ref: OrderRef) -> LookUp:
        return await self._look_ups.look_up(ref)

    async def open_orders(self, account: str) -> Sequence[OrderReport]:
        return await self._reads.open_orders(account)

    async def fills_since(self, account: str, symbols: Sequence[str], since_ns: int) -> Sequence[Trade]:
        return await self._reads.fills_since(account, symbols, since_ns)

    async def fetch_time(self) -> int:
        return await self._clock_sync.read()


def _check_profile(name: str, settings: ExchangeSettings, profile: Profile) -> None:
    for account, declared in settings.accounts.items():
        if declared.market_type not in profile.market_types:
            known = ", ".join(sorted(profile.market_types))
            raise ConfigurationError(
                f"exchange {name}, account {account}: {profile.ccxt_id} is known here for {known} only, not for "
                f"{declared.market_type}; see docs/exchanges.md for others"
            )
    verifiable = profile.look_up is not LookUpMethod.NONE and profile.place_param is not None
    if not verifiable and not settings.allow_unverifiable:
        raise ConfigurationError(
            f"exchange {name}: an order at {profile.ccxt_id} cannot be looked up by our id, so that one without an "
            "answer may stay in doubt for ever; choose another exchange (docs/exchanges.md), or set "
            "allow_unverifiable = true to have such orders searched for by what they look like"
        )


def _check_symbols(name: str, settings: ExchangeSettings, markets: Mapping[str, Market]) -> None:
    for symbol in settings.symbols:
        if symbol not in markets:
            near = get_close_matches(symbol, list(markets), 3, 0.5)
            advice = f"did you mean {', '.join(near)}?" if near else "use ccxt's unified symbols, like BTC/USDT"
            raise ConfigurationError(f"exchange {name} does not trade `{symbol}` of its setting `symbols`; {advice}")
