"""One ccxt instance an account: its keys, where it sends to, and nothing left on that ccxt does by itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from ccxt.base.errors import BaseError

from service.core.markets import MarketType
from service.errors import ConfigurationError
from service.exchanges.ccxt.guard import guarded_class
from service.exchanges.ccxt.profile import Profile
from service.exchanges.ccxt.session import trusted
from service.exchanges.settings import AccountSettings, ExchangeSettings
from service.secrets import Secret

# ccxt logs whole requests, headers and signatures included, at DEBUG.
_SILENT = logging.getLogger("service.exchanges.ccxt.silent")
_SILENT.disabled = True

_OF_TYPE = {MarketType.SPOT: frozenset({"spot"}), MarketType.SWAP: frozenset({"swap", "linear", "contract"})}
_GROWING_NONCE = frozenset({"bitfinex", "indodax", "kraken", "whitebit"})
"""ccxt ids whose nonce must grow from request to request: a corrected clock may not set it back."""
_NEEDS_CURRENCIES = frozenset({"bitso", "hyperliquid", "kraken", "latoken"})
"""ccxt ids whose `fetch_markets` reads the currencies that were fetched before it."""

Throttle = Callable[[float | None], Awaitable[None]]


class Client:
    """An account and its ccxt instance (`api`); requests go through `Traffic`."""

    def __init__(self, account: str, settings: AccountSettings, api: Any) -> None:
        self.account = account
        self.settings = settings
        self.market_type = MarketType(settings.market_type)
        self.api = api

    def has(self, method: str) -> bool:
        """Whether the class has the unified method itself; what ccxt emulates by other calls does not count."""
        return self.api.has.get(method) is True

    def answers(self, method: str) -> bool:
        """Whether the class answers the unified method, be it by other calls."""
        return bool(self.api.has.get(method))

    def set_clock(self, difference_ms: int) -> None:
        """Correct the times in signed requests: our clock minus the exchange's, as ccxt's `timeDifference`."""
        if self.api.id not in _GROWING_NONCE:
            self.api.options["timeDifference"] = difference_ms


def build_client(
    name: str,
    account: str,
    settings: ExchangeSettings,
    keys: Mapping[str, Secret],
    profile: Profile,
    *,
    session: aiohttp.ClientSession,
    throttle: Throttle,
    timeout: float,
) -> Client:
    """Raises ConfigurationError for missing credentials, an impossible sandbox or an `api_url` that needs `live`."""
    wanted = settings.accounts[account]
    api = guarded_class(settings.id)(
        {
            **{credential: secret.reveal() for credential, secret in keys.items()},
            "session": session,
            # Unused beside our session, but ccxt would read all certificates anew for each account.
            "ssl_context": trusted(),
            "logger": _SILENT,
            "timeout": int(timeout * 1000),
            # The flag makes ccxt tell `throttle` the cost of each request; nobody waits there.
            "enableRateLimit": True,
            "timeout_on_exit": 0,
        }
    )
    api.throttle = throttle
    if api.id not in _NEEDS_CURRENCIES:
        # The markets say all that is needed of a currency, and some classes ask for these with the account's keys.
        api.has["fetchCurrencies"] = False
    api.options.update(_options(api, settings, wanted, profile))
    require_credentials(name, account, api, keys)
    _direct(name, account, settings, wanted, api)
    return Client(account, wanted, api)


def _options(api: Any, settings: ExchangeSettings, wanted: AccountSettings, profile: Profile) -> dict[str, Any]:
    types = {MarketType(account.market_type) for account in settings.accounts.values()}
    options: dict[str, Any] = {
        "defaultType": wanted.market_type,
        "adjustForTimeDifference": False,
        "maxRetriesOnFailure": 0,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        **profile.options,
    }
    if wanted.market_type == "swap":
        options["defaultSubType"] = "linear"
    loaded = options.get("fetchMarkets", api.options.get("fetchMarkets"))
    if isinstance(loaded, Mapping) and (chosen := _market_types(loaded.get("types"), types)) is not None:
        options["fetchMarkets"] = {**loaded, "types": chosen}
    return options


def _market_types(known: Any, types: set[MarketType]) -> Any:
    """Of the kinds of markets that a class loads, those that are traded; None where it does not let us choose."""
    wanted = frozenset().union(*(_OF_TYPE[kind] for kind in types))
    if isinstance(known, list | tuple):
        return [kind for kind in known if kind in wanted] or None
    if isinstance(known, Mapping):
        return {kind: loaded if kind in wanted else False for kind, loaded in known.items()}
    return None


def require_credentials(name: str, account: str, api: Any, keys: Mapping[str, Secret]) -> None:
    """Raises ConfigurationError that names what ccxt's class of the exchange needs and `keys` have not."""
    missing = [key for key, needed in api.requiredCredentials.items() if needed and key not in keys]
    if missing:
        variables = ", ".join(
            f"FILLPATH_EXCHANGE_{account.upper().replace('-', '_')}_{_suffix(key)}" for key in missing
        )
        raise ConfigurationError(
            f"exchange {name}, account {account}: {api.id} needs the credentials {', '.join(missing)}; set {variables} "
            f"or write them into the secrets file exchange-{account}"
        )


def _suffix(credential: str) -> str:
    """`apiKey` as variables end in it: API_KEY."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", credential).upper()


def _direct(name: str, account: str, settings: ExchangeSettings, wanted: AccountSettings, api: Any) -> None:
    """Where the requests go: to `api_url`, to the sandbox, or, only when the user says so, to the live exchange."""
    where = f"exchange {name}, account {account}"
    if settings.api_url:
        if not settings.simulated and not wanted.live:
            raise ConfigurationError(
                f"{where}: api_url {settings.api_url} is not on this machine, so orders there may be real; set "
                "live = true for the account if that is meant, or name a simulator on 127.0.0.1"
            )
        api.urls["api"] = _moved(api.urls["api"], settings.api_url)
        root = urlsplit(settings.api_url)
        api.only_at = f"{root.scheme}://{root.netloc}"
        return
    if wanted.live:
        return
    if not api.urls.get("test"):
        raise ConfigurationError(
            f"{where}: {api.id} has no sandbox in ccxt; set live = true to trade real money there, or choose another "
            "exchange"
        )
    try:
        api.set_sandbox_mode(True)
    except BaseError:
        raise ConfigurationError(
            f"{where}: the sandbox of {api.id} cannot be used through ccxt; set live = true to trade real money there"
        ) from None


def _moved(urls: Any, base: str) -> Any:
    """Ccxt's address, or nested addresses, with scheme, host and port of `base`; the paths stay."""
    if isinstance(urls, Mapping):
        return {key: _moved(value, base) for key, value in urls.items()}
    if not isinstance(urls, str):
        return urls
    _, _, rest = urls.partition("://")
    _, slash, path = rest.partition("/")
    root = urlsplit(base)
    return f"{root.scheme}://{root.netloc}{slash}{path}"
