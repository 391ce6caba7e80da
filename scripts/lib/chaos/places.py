"""What is traded at which simulated exchange, and how the service is configured for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from tests.simulator.__main__ import make_venue
from tests.simulator.venue import API_KEY, API_PASSWORD, API_SECRET

SOURCE = "chaos"
MAX_AGE_S = 86_400
"""What is killed every few seconds waits long: the age at which alerts expire is not what this run is about."""

_REQUESTS_A_SECOND = 1_000
_REQUEST_TIMEOUT_S = 5


class Traded(NamedTuple):
    """One market: base units to trade, a buying price that rests, and the prices that are taken at once."""

    symbol: str
    quantity: str
    resting: str
    buying: str
    selling: str


class Place(NamedTuple):
    """A venue: `exchanges` simulators of it, each with one account under `accounts` names.

    Each account and symbol is a lane. Several simulators, because all names of one see what was executed for all of
    them, and read it. `refuses_used_ids`: it refuses a used client order id for ever, so that an absent order may be
    sent again.
    """

    market_type: str
    traded: tuple[Traded, ...]
    exchanges: int
    accounts: int
    refuses_used_ids: bool = False

    @property
    def account_names(self) -> tuple[str, ...]:
        """Of all exchanges, in turn."""
        return tuple(name for number in range(self.exchanges) for name in self.accounts_of(number))

    def accounts_of(self, exchange: int) -> tuple[str, ...]:
        """Of one exchange, counted from 0."""
        return tuple(f"main-{exchange}-{number}" for number in range(self.accounts))


_SWAP = Traded("BTC/USDT:USDT", "0.001", "30000", "50100", "49900")

PLACES: Mapping[str, Place] = {
    "binance": Place(
        "spot",
        (
            Traded("BTC/USDT", "0.001", "30000", "50100", "49900"),
            Traded("ETH/USDT", "0.02", "1500", "2505", "2495"),
        ),
        exchanges=4,
        accounts=2,
    ),
    "okx": Place("swap", (_SWAP,), exchanges=4, accounts=4),
    "deribit": Place("swap", (_SWAP._replace(symbol="BTC/USDC:USDC"),), exchanges=4, accounts=4),
    "bybit": Place("swap", (_SWAP,), exchanges=4, accounts=4, refuses_used_ids=True),
}


def contract_sizes(venue: str) -> Mapping[str, Decimal]:
    """Base units in one unit of the ledger, by the venue's own symbol."""
    return {symbol: instrument.contract_size for symbol, instrument in make_venue(venue).engine.instruments.items()}


def currencies(venue: str) -> frozenset[str]:
    """All that is traded or paid with."""
    instruments = make_venue(venue).engine.instruments.values()
    return frozenset(currency for one in instruments for currency in (one.base, one.quote))


def keys(venue: str) -> dict[str, str]:
    """The variables that hold the keys, the same for every account."""
    values = {"API_KEY": API_KEY, "SECRET": API_SECRET, "PASSWORD": API_PASSWORD}
    accounts = (name.upper().replace("-", "_") for name in PLACES[venue].account_names)
    return {f"FILLPATH_EXCHANGE_{account}_{name}": value for account in accounts for name, value in values.items()}


def exchange_name(venue: str, number: int) -> str:
    """The name by which the service knows one of them, counted from 0."""
    return f"{venue}-{number}"


def write_configuration(file: Path, venue: str, urls: Sequence[str]) -> None:
    """The service's whole configuration, with the exchanges at these addresses; everything stays on loopback."""
    file.write_text("\n".join(_lines(venue, urls)) + "\n", "utf-8")


def _lines(venue: str, urls: Sequence[str]) -> Iterator[str]:
    place = PLACES[venue]
    yield "[paper]\naccounts = []"
    yield f"[execution]\nrequest_timeout = {_REQUEST_TIMEOUT_S}\nreconcile_max_delay = 1"
    yield f'[sources.{SOURCE}]\nauth = "token"\naccounts = {json.dumps(place.account_names)}'
    yield f"rate = 2000\nburst = 4000\nmax_age_market = {MAX_AGE_S}\nmax_age_other = {MAX_AGE_S}"
    for number, url in enumerate(urls):
        name = exchange_name(venue, number)
        yield f'[exchanges.{name}]\nid = "{make_venue(venue).ccxt_id}"\napi_url = "{url}"'
        yield f"symbols = {json.dumps([traded.symbol for traded in place.traded])}\nrate = {_REQUESTS_A_SECOND}"
        for account in place.accounts_of(number):
            yield f'[exchanges.{name}.accounts.{account}]\nmarket_type = "{place.market_type}"'
