"""The profile of an exchange by its ccxt id: curated, or made of what ccxt's class says, which is little.

Closed by default: what no profile says is not known, and leaves an order in doubt.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import ccxt.async_support as ccxt_async

from service.errors import ConfigurationError
from service.exchanges.ccxt.profile import Conditional, LookUpMethod, Profile
from service.exchanges.ccxt.profile_codes import BASE32
from service.exchanges.ccxt.profile_data import CURATED
from service.exchanges.ccxt.profile_generic import PLACED_IDS

__all__ = ["Conditional", "LookUpMethod", "Profile", "profile_of", "refusal_of"]

_GENERIC_BURST_S = 1.0


def profile_of(ccxt_id: str) -> Profile:
    """Raises `ConfigurationError` for an id that ccxt does not know, or one that cannot trade through Fillpath."""
    curated = CURATED.get(ccxt_id)
    if curated is not None:
        return curated
    refusal = refusal_of(ccxt_id)
    if refusal is not None:
        raise ConfigurationError(f"exchange `{ccxt_id}`: {refusal}; docs/exchanges.md lists those that can be used")
    return _generic(ccxt_id)


def refusal_of(ccxt_id: str) -> str | None:
    """Why an exchange of ccxt cannot be used; None where it can. Raises `ConfigurationError` for an unknown id."""
    if ccxt_id in CURATED:
        return None
    described = _describe(ccxt_id)
    if not described["has"].get("createOrder"):
        return "ccxt cannot place orders there"
    if described.get("dex"):
        return "its orders are signed with a wallet's key, which is not supported"
    return None


def _generic(ccxt_id: str) -> Profile:
    """An order there cannot be looked up by our id, so that absence is never proven; nothing is known of its codes."""
    described = _describe(ccxt_id)
    rate = 1000 / float(described["rateLimit"])
    has = described["has"]
    placed = PLACED_IDS.get(ccxt_id)
    return Profile(
        ccxt_id=ccxt_id,
        verified=False,
        source="ccxt",
        id_format=BASE32 if placed is None else placed.id_format,
        place_param=None if placed is None else placed.param,
        look_up=LookUpMethod.NONE,
        # Where our id is not sent, any request that left may have been the order, a GET too.
        id_visible=placed is not None,
        market_types=frozenset(name for name in ("spot", "swap") if has.get(name)),
        market_buy_by_quantity=not described.get("options", {}).get("createMarketBuyOrderRequiresPrice"),
        sandbox=bool(described["urls"].get("test")),
        rate=rate,
        burst=max(1.0, rate * _GENERIC_BURST_S),
    )


def _describe(ccxt_id: str) -> dict[str, Any]:
    if ccxt_id not in ccxt_async.exchanges:
        near = get_close_matches(ccxt_id, ccxt_async.exchanges, 3, 0.5)
        advice = f"did you mean {', '.join(near)}?" if near else "ids are ccxt's, like `binance`"
        raise ConfigurationError(f"ccxt knows no exchange `{ccxt_id[:64]}`; {advice}")
    described: dict[str, Any] = getattr(ccxt_async, ccxt_id)().describe()
    return described
