"""Builds the exchanges that the settings name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.clock import Clock
from service.exchanges.ccxt.clients import require_credentials
from service.exchanges.ccxt.exchange import CcxtExchange
from service.exchanges.ccxt.guard import guarded_class
from service.exchanges.ccxt.profiles import Profile, profile_of
from service.exchanges.limiter import Limiter
from service.exchanges.protocol import Exchange
from service.exchanges.settings import CREDENTIALS, ExchangeSettings
from service.secrets import Secret, SecretStore
from service.settings import Settings
from telemetry.facade import Telemetry


def make_ccxt_exchanges(
    settings: Settings, secrets: SecretStore, telemetry: Telemetry, clock: Clock
) -> Sequence[Exchange]:
    """All of them, not started. Raises ConfigurationError or SecretError for what the user must mend.

    Exchanges limit requests by address: two that are the same for ccxt, at the same place, share a limiter.
    """
    limiters: dict[tuple[str, str], Limiter] = {}
    exchanges = []
    for name, exchange in settings.exchanges.items():
        profile = profile_of(exchange.id)
        limiter = limiters.setdefault((exchange.id, exchange.api_url), _limiter(exchange, profile, clock))
        keys = {account: secrets.exchange(account, CREDENTIALS) for account in exchange.accounts}
        exchanges.append(
            CcxtExchange(
                name,
                exchange,
                keys,
                profile,
                limiter,
                telemetry,
                clock,
                request_timeout=settings.execution.request_timeout,
            )
        )
    return exchanges


def check_keys(name: str, account: str, exchange: ExchangeSettings, keys: Mapping[str, Secret]) -> None:
    """Raises ConfigurationError where the exchange needs more than `keys`."""
    require_credentials(name, account, guarded_class(exchange.id)({}), keys)


def _limiter(settings: ExchangeSettings, profile: Profile, clock: Clock) -> Limiter:
    return Limiter(rate=settings.rate or profile.rate, burst=profile.burst, clock=clock)
