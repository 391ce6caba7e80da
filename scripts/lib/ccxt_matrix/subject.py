"""One ccxt class behind our adapter's own parts, with a market made by hand, pointed at the fault server."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import count
from typing import Any, Literal, NamedTuple

import aiohttp
import ccxt.async_support as ccxt_async
from ccxt.base.decimal_to_precision import TICK_SIZE
from msgspec.structs import replace

from scripts.lib.ccxt_matrix.peculiar import INVENTED, PECULIAR, Peculiar
from service.clock import SystemClock
from service.core.markets import MarketType
from service.core.orders import OrderType, Side
from service.core.outcomes import LookUp, Outcome
from service.exchanges.ccxt.clients import build_client
from service.exchanges.ccxt.convert import listed_of
from service.exchanges.ccxt.lookups import LookUps
from service.exchanges.ccxt.orders import Orders
from service.exchanges.ccxt.profile import LookUpMethod, Profile
from service.exchanges.ccxt.profile_codes import BASE32
from service.exchanges.ccxt.profile_data import CURATED
from service.exchanges.ccxt.profiles import profile_of, refusal_of
from service.exchanges.ccxt.quotes import Quotes
from service.exchanges.ccxt.shared import Shared
from service.exchanges.ccxt.traffic import Traffic
from service.exchanges.limiter import Limiter
from service.exchanges.protocol import OrderRef, OrderRequest
from service.exchanges.settings import AccountSettings, ExchangeSettings
from service.secrets import Secret
from telemetry.facade import Telemetry

ACCOUNT = "main"
_UNLIMITED = 1e9
_SPOT_QUANTITY, _SWAP_QUANTITY = Decimal("73.519"), Decimal(73519)
MARK = ("73.519", "73519")
"""Digits of the quantity, by which an order is known that does not show our id."""
_PRICE = Decimal(30_000)
_TYPES = ("LIMIT", "MARKET", "STOP_LOSS", "TAKE_PROFIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")
_MARKS_ORDER = "0190a5b61c2e7f3c8d4e5f60{:08x}"
_numbers = count(1)


def all_classes() -> list[str]:
    """Every id of ccxt whose class can place orders."""
    return [name for name in ccxt_async.exchanges if getattr(ccxt_async, name)().has.get("createOrder")]


class Subject(NamedTuple):
    """A class that is ready; the parts are those that `CcxtExchange` is made of."""

    ccxt_id: str
    profile: Profile
    refusal: str | None
    peculiar: Peculiar
    api: Any
    symbol: str
    traffic: Traffic
    orders: Orders
    look_ups: LookUps
    session: aiohttp.ClientSession

    @property
    def curated(self) -> bool:
        return self.ccxt_id in CURATED

    def new_id(self) -> str:
        """A client order id that was not used before."""
        return self.profile.id_format.derive(_MARKS_ORDER.format(next(_numbers)))

    def bound(self, seconds: float) -> None:
        """How long a request may take from now on."""
        self.traffic.timeout = seconds
        self.api.timeout = int(seconds * 1000)

    async def place(self, client_order_id: str) -> Outcome:
        swap = ":" in self.symbol
        return await self.orders.create(
            OrderRequest(
                account=ACCOUNT,
                client_order_id=client_order_id,
                symbol=self.symbol,
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                quantity=_SWAP_QUANTITY if swap else _SPOT_QUANTITY,
                price=_PRICE,
            )
        )

    async def look_up(self, client_order_id: str) -> LookUp:
        swap = ":" in self.symbol
        return await self.look_ups.look_up(
            OrderRef(
                account=ACCOUNT,
                symbol=self.symbol,
                order_type=OrderType.LIMIT,
                client_order_id=client_order_id,
                side=Side.BUY,
                quantity=_SWAP_QUANTITY if swap else _SPOT_QUANTITY,
                price=_PRICE,
                submitted_ns=SystemClock().now_ns() - 1_000_000_000,
            )
        )


def make_subject(ccxt_id: str, url: str, session: aiohttp.ClientSession, telemetry: Telemetry) -> Subject:
    """Raises `ConfigurationError` where not even a client can be built, `ValueError` where its market is not listed."""
    peculiar = PECULIAR.get(ccxt_id, Peculiar())
    refusal = refusal_of(ccxt_id)
    profile = profile_of(ccxt_id) if refusal is None else _wallets(ccxt_id, peculiar)
    profile = _with_params(profile, peculiar.order_params)
    market_type = _market_type(ccxt_id, profile)
    clock = SystemClock()
    settings = ExchangeSettings(id=ccxt_id, api_url=url, accounts={ACCOUNT: AccountSettings(market_type=market_type)})
    keys = {name: Secret(value) for name, value in (dict(INVENTED) | dict(peculiar.credentials)).items() if value}
    limiter = Limiter(rate=_UNLIMITED, burst=_UNLIMITED, clock=clock)
    traffic = Traffic(
        ccxt_id, profile, limiter, telemetry, timeout=1.0, hidden=list(keys.values()), on_clock_skew=lambda: None
    )
    shared = Shared(ccxt_id, settings, profile, traffic, clock)
    client = build_client(
        ccxt_id,
        ACCOUNT,
        settings,
        keys,
        profile,
        session=session,
        throttle=traffic.charge,
        timeout=traffic.timeout,
    )
    client.api.options.update(peculiar.options)
    client.api.set_markets([_market(market_type, client.api.precisionMode, peculiar.market)])
    symbol = next(iter(client.api.markets))
    listed = listed_of(
        client.api.markets[symbol],
        classes=frozenset(kind.__name__ for kind in type(client.api).__mro__),
        precision_mode=client.api.precisionMode,
        order_types=frozenset({OrderType.LIMIT}),
    )
    if listed is None:
        raise ValueError(f"{ccxt_id}: the market made for it is not one that is traded")
    shared.clients, shared.listings = {ACCOUNT: client}, {symbol: listed}
    look_ups = LookUps(shared)
    orders = Orders(shared, look_ups, Quotes(shared))
    return Subject(ccxt_id, profile, refusal, peculiar, client.api, symbol, traffic, orders, look_ups, session)


def _wallets(ccxt_id: str, peculiar: Peculiar) -> Profile:
    """For a class that Fillpath refuses: what a class would get of which nothing is known but the name of its id."""
    return Profile(
        ccxt_id=ccxt_id,
        verified=False,
        source="ccxt",
        id_format=peculiar.id_format or BASE32,
        place_param="clientOrderId" if peculiar.takes_id else None,
        look_up=LookUpMethod.NONE,
        id_visible=peculiar.takes_id,
    )


def _with_params(profile: Profile, params: Mapping[str, Any]) -> Profile:
    return replace(profile, order_params={**profile.order_params, **params})


def _market_type(ccxt_id: str, profile: Profile) -> Literal["spot", "swap"]:
    kinds = profile.market_types
    if ccxt_id not in CURATED:
        has = getattr(ccxt_async, ccxt_id)().has
        kinds = frozenset(kind for kind in kinds if has.get(kind)) or kinds
    return "spot" if "spot" in kinds or not kinds else "swap"


def _market(market_type: str, precision_mode: int, more: Mapping[str, Any]) -> dict[str, Any]:
    swap = market_type == MarketType.SWAP
    tick = precision_mode == TICK_SIZE
    market = {
        "id": "BTCUSDT",
        "lowercaseId": "btcusdt",
        "symbol": "BTC/USDT:USDT" if swap else "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT" if swap else None,
        "baseId": "BTC",
        "quoteId": "USDT",
        "settleId": "USDT" if swap else None,
        "type": market_type,
        "spot": not swap,
        "margin": False,
        "swap": swap,
        "future": False,
        "option": False,
        "active": True,
        "contract": swap,
        "linear": True if swap else None,
        "inverse": False if swap else None,
        "contractSize": 1 if swap else None,
        "taker": 0.001,
        "maker": 0.001,
        "precision": {
            "amount": (1 if swap else 0.001) if tick else (0 if swap else 3),
            "price": 0.01 if tick else 2,
        },
        "limits": {
            "amount": {"min": 0.001, "max": 1e9},
            "price": {"min": 0.01, "max": 1e6},
            "cost": {"min": 1, "max": 1e13},
            "leverage": {},
        },
        "info": {"orderTypes": list(_TYPES)},
    }
    return market | dict(more)
