"""Exchanges and their accounts as configured; API keys are never here: see `service.secrets`."""

from __future__ import annotations

import ipaddress
from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

CREDENTIALS = {
    "apiKey": "API_KEY",
    "secret": "SECRET",
    "password": "PASSWORD",
    "uid": "UID",
    "login": "LOGIN",
    "token": "TOKEN",
    "twofa": "TWOFA",
    "privateKey": "PRIVATE_KEY",
    "walletAddress": "WALLET_ADDRESS",
    "accountId": "ACCOUNT_ID",
}
"""Names of credentials in ccxt, and as they end in variables and stand in files."""


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the account is set to at the exchange: compared at every start, never changed from here."""

    market_type: Annotated[Literal["spot", "swap"], Meta(description="what it trades: `spot` or `swap` (perpetuals)")]
    live: Annotated[bool, Meta(description="`true` trades real money; else the exchange's sandbox")] = False
    margin_mode: Annotated[
        Literal["cross", "isolated"] | None, Meta(description="swap: `cross` or `isolated`, as set at the exchange")
    ] = None
    leverage: Annotated[Decimal | None, Meta(description="swap: leverage, as set at the exchange")] = None
    position_mode: Annotated[
        Literal["one_way"], Meta(description="swap: one position a symbol; hedge mode is refused")
    ] = "one_way"

    def __post_init__(self) -> None:
        """Raise ValueError, which msgspec turns into a ValidationError with the path."""
        if self.market_type == "spot" and (self.margin_mode is not None or self.leverage is not None):
            raise ValueError("margin_mode and leverage are for swap accounts; leave them out on spot")
        if self.leverage is not None and not (self.leverage.is_finite() and self.leverage > 0):
            raise ValueError(f"leverage is {self.leverage}; expected a number above 0")


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exchange, by its name in ccxt, with the accounts that trade there."""

    id: Annotated[str, Meta(description="the exchange's id in ccxt, like `binance` or `okx`")]
    accounts: Annotated[
        dict[str, AccountSettings], Meta(description="a table `[exchanges.NAME.accounts.ACCOUNT]` an account")
    ]
    symbols: Annotated[
        tuple[str, ...], Meta(description="unified symbols whose prices are kept fresh and that metrics name")
    ] = ()
    allow_unverifiable: Annotated[
        bool, Meta(description="trade where an order cannot be looked up by our id: see docs/exchanges.md")
    ] = False
    api_url: Annotated[
        str, Meta(description="replaces scheme, host and port of the exchange's API: a simulator; empty: the real one")
    ] = ""
    follow_interval: Annotated[float, Meta(gt=0, description="between two looks at the open orders, s")] = 2.0
    rate: Annotated[
        float | None, Meta(description="requests a second to this exchange; none: as its limits are known")
    ] = None

    def __post_init__(self) -> None:
        """Raise ValueError, which msgspec turns into a ValidationError with the path."""
        if not self.accounts:
            raise ValueError("an exchange needs at least one account: add [exchanges.NAME.accounts.ACCOUNT]")
        if self.rate is not None and self.rate <= 0:
            raise ValueError(f"rate is {self.rate}; expected a number above 0")
        if self.api_url and urlsplit(self.api_url).scheme not in {"http", "https"}:
            raise ValueError(f"api_url is {self.api_url!r}; expected http:// or https:// with a host")

    @property
    def simulated(self) -> bool:
        """Whether `api_url` names this machine: then nothing leaves it, and neither sandbox nor live is meant."""
        host = urlsplit(self.api_url).hostname if self.api_url else None
        if host is None:
            return False
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
