"""What all parts of one exchange's adapter share: its accounts, its markets and its way out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from service.clock import Clock
from service.core.markets import MarketType
from service.core.outcomes import OrderReport
from service.exchanges.ccxt.clients import Client
from service.exchanges.ccxt.convert import Listed, report_of
from service.exchanges.ccxt.profile import Profile
from service.exchanges.ccxt.traffic import Traffic
from service.exchanges.protocol import ExchangeUnavailable
from service.exchanges.settings import ExchangeSettings


class Shared:
    """`clients` by account, empty before the start and after the end; `listings` by unified symbol."""

    def __init__(self, name: str, settings: ExchangeSettings, profile: Profile, traffic: Traffic, clock: Clock) -> None:
        self.name = name
        self.settings = settings
        self.profile = profile
        self.traffic = traffic
        self.clock = clock
        self.clients: Mapping[str, Client] = {}
        self.listings: Mapping[str, Listed] = {}

    def client(self, account: str) -> Client:
        """Raises `ExchangeUnavailable` for an unknown account and while the exchange is not running."""
        client = self.clients.get(account)
        if client is not None:
            return client
        if account in self.settings.accounts:
            raise ExchangeUnavailable(f"{self.name} is not running; start it first")
        raise ExchangeUnavailable(f"{self.name} has no account {account[:32]!r}; expected one of its settings")

    def any_client(self, market_type: MarketType | None = None) -> Client:
        """Whichever account, for what needs none; one that trades `market_type` where it matters."""
        for client in self.clients.values():
            if market_type is None or client.market_type is market_type:
                return client
        raise ExchangeUnavailable(f"{self.name} is not running; start it first")

    def report(
        self, raw: Any, listed: Listed, client_order_id: str, *, quantity: Decimal | None = None
    ) -> OrderReport | None:
        """Ccxt's answer about an order of ours; None where it cannot be read or is about another one.

        `quantity` (base units) is what was ordered, if that is what the exchange was told.
        """
        if not isinstance(raw, Mapping):
            return None
        return report_of(
            raw,
            listed,
            now_ns=self.clock.now_ns(),
            client_order_id=client_order_id,
            id_key=self.profile.reported_as,
            repeats_id=self.repeats_id,
            quantity=quantity,
        )

    @property
    def repeats_id(self) -> bool:
        """Whether a client order id in an answer can be ours."""
        return self.profile.place_param is not None and self.profile.reports_client_id

    def listed(self, symbol: str) -> Listed:
        """Raises `ExchangeUnavailable` for a symbol that is not traded here."""
        listed = self.listings.get(symbol)
        if listed is None:
            raise ExchangeUnavailable(f"{self.name} has no market {symbol[:32]!r}; expected one of its markets")
        return listed
