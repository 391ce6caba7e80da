"""Where traffic goes, who signs it, and over which accounts and markets: found as `fillpath send` finds them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from service.cli.context import Context
from service.core.markets import Market
from service.errors import ConfigurationError, FillpathError, SecretError
from service.secrets import Secret
from service.settings import Settings, SourceSettings


class TrafficError(FillpathError):
    """What has to be mended before anything is sent."""


class Lane(NamedTuple):
    """One account and one market: what the service executes in order. `price` is where the market began, if known."""

    account: str
    market: Market
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class Sender:
    """A source as its sender sees it; `rate` and `burst` are what it may send."""

    name: str
    auth: Literal["standard", "hmac", "token"]
    secret: Secret
    lanes: tuple[Lane, ...]
    rate: float
    burst: int
    stale_after: float
    min_confidence: Decimal | None


@dataclass(frozen=True, slots=True)
class Target:
    """`senders` begins with the one that sends most."""

    url: str
    senders: tuple[Sender, ...]
    max_body_bytes: int
    failure_burst: int

    @property
    def address(self) -> tuple[str, int, bool]:
        """Host, port, and whether by TLS."""
        return split(self.url)

    @property
    def lanes(self) -> int:
        """Different lanes of all senders."""
        return len({(lane.account, lane.market.symbol) for sender in self.senders for lane in sender.lanes})


def find(
    context: Context,
    *,
    url: str | None = None,
    secret: str | None = None,
    source: str | None = None,
    accounts: Sequence[str] = (),
) -> Target:
    """The service of this folder's configuration, or what the options say of it.

    Raises FillpathError naming what is missing. `accounts` adds accounts of simulators and sandboxes to those of the
    paper exchange; one that trades real money is refused. With `secret` only one source sends, `default` unless named.
    """
    settings = context.loaded.settings
    _check_accounts(settings, accounts)
    names = [source] if source else ["default"] if secret and "default" in settings.sources else list(settings.sources)
    names.sort(key=lambda name: name != "default")
    senders = [sender for name in names if (sender := _sender(context, name, secret, source, accounts)) is not None]
    if not senders:
        raise TrafficError(
            f"none of the sources {', '.join(names)} can send to the paper exchange: expected a secret (start the "
            "service once, or give --secret) and an account of the paper exchange, or one named with --account"
        )
    server = settings.server
    return Target(url or context.public_url, tuple(senders), server.max_body_bytes, server.failure_burst)


def split(url: str) -> tuple[str, int, bool]:
    """Host, port and TLS of an address; raises TrafficError for what is none."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise TrafficError(f"{url} is not an address; expected one like http://127.0.0.1:8080")
    secure = parts.scheme == "https"
    return parts.hostname, port or (443 if secure else 80), secure


def check_loopback(url: str) -> None:
    """Raise TrafficError unless every address of the host is this machine's loopback."""
    host, port, _ = split(url)
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise TrafficError(f"{host} has no address ({error}); name a host that has one") from None
    strange = sorted(address for address in found if not ipaddress.ip_address(address.partition("%")[0]).is_loopback)
    if strange:
        raise TrafficError(
            f"{host} is {', '.join(strange)}, not this machine's loopback: test traffic can trade and can overload; "
            "where that is meant, and the host is yours, add --i-own-this-host"
        )


def _check_accounts(settings: Settings, accounts: Sequence[str]) -> None:
    for account in accounts:
        exchange = settings.accounts.get(account)
        if exchange is None:
            raise TrafficError(f"account {account} is not configured; configured are {', '.join(settings.accounts)}")
        real = settings.exchanges.get(exchange)
        if real is not None and real.accounts[account].live:
            raise TrafficError(f"account {account} trades real money (live = true): test traffic is never sent there")


def _sender(
    context: Context, name: str, secret: str | None, asked: str | None, accounts: Sequence[str]
) -> Sender | None:
    """The source, or None where it cannot send and was not asked for by name."""
    settings = context.loaded.settings
    if name not in settings.sources:
        raise ConfigurationError(f"source `{name}` is not configured; configured are: {', '.join(settings.sources)}")
    source = settings.sources[name]
    lanes = tuple(_lanes(settings, source, accounts))
    if not lanes:
        return None
    try:
        known = Secret(secret) if secret else _secret(context, name, source)
    except SecretError:
        if asked:
            raise
        return None
    return Sender(
        name=name,
        auth=source.auth,
        secret=known,
        lanes=lanes,
        rate=source.rate,
        burst=source.burst,
        stale_after=source.stale_after,
        min_confidence=source.min_confidence,
    )


def _secret(context: Context, name: str, source: SourceSettings) -> Secret:
    only = len(context.loaded.settings.sources) == 1
    return context.secrets.webhook(name, source.auth, only=only, create=False)[0]


def _lanes(settings: Settings, source: SourceSettings, accounts: Sequence[str]) -> Iterator[Lane]:
    for account in source.accounts:
        if account in settings.paper.accounts:
            for symbol in settings.paper.symbols:
                yield Lane(account, symbol.market(), symbol.price)
        elif account in accounts:
            for name in settings.exchanges[settings.accounts[account]].symbols:
                yield Lane(account, _unknown_market(name), None)


def _unknown_market(symbol: str) -> Market:
    """A market of which only the exchange knows steps and minimums: it is traded by value."""
    base, _, quote = symbol.partition(":")[0].partition("/")
    zero = Decimal(0)
    return Market(
        symbol=symbol, base=base, quote=quote, amount_step=zero, price_tick=zero, min_quantity=zero, min_notional=zero
    )
