"""An account's settings at the exchange compared with those declared; nothing is ever changed there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from service.core.markets import MarketType
from service.errors import ConfigurationError
from service.exchanges.ccxt.clients import Client
from service.exchanges.ccxt.convert import decimal_of
from service.exchanges.ccxt.shared import Shared


async def compare(shared: Shared, client: Client) -> list[str]:
    """What of the declared settings this exchange cannot tell, as sentences for the operator.

    Margin mode and leverage are compared for each configured symbol that the account trades. Raises
    `ConfigurationError` for a difference and for hedge mode, `ExchangeUnavailable` where an answer fails.
    """
    if client.market_type is MarketType.SPOT:
        return []
    symbols = [
        symbol
        for symbol in shared.settings.symbols
        if symbol in shared.listings and shared.listings[symbol].market.type is MarketType.SWAP
    ]
    comparison = _Comparison(shared, client)
    await comparison.position_mode(symbols)
    await comparison.margin_mode(symbols)
    await comparison.leverage(symbols)
    return comparison.unknown


class _Comparison:
    def __init__(self, shared: Shared, client: Client) -> None:
        self.unknown: list[str] = []
        self._shared = shared
        self._client = client
        self._declared = client.settings

    async def position_mode(self, symbols: list[str]) -> None:
        if not self._client.answers("fetchPositionMode"):
            self._cannot_tell("position_mode", "one_way", "fetchPositionMode")
            return
        # One question answers for all symbols almost everywhere; where it does not, the class asks for a symbol.
        symbol = symbols[0] if symbols else None
        api = self._client.api
        hedged = await self._read(lambda: api.fetch_position_mode(symbol), lambda raw: raw.get("hedged"))
        if hedged:
            raise self._differs("position_mode", "one_way", "hedge mode", symbol)
        if hedged is None:
            self._cannot_tell("position_mode", "one_way", "fetchPositionMode")

    async def margin_mode(self, symbols: list[str]) -> None:
        declared = self._declared.margin_mode
        if declared is None:
            return
        if not self._client.answers("fetchMarginMode"):
            self._cannot_tell("margin_mode", declared, "fetchMarginMode")
            return
        for symbol in symbols:
            theirs = await self._read(self._ask("fetch_margin_mode", symbol), lambda raw: raw.get("marginMode"))
            if theirs is None:
                self._cannot_tell("margin_mode", declared, "fetchMarginMode", symbol)
            elif theirs != declared:
                raise self._differs("margin_mode", declared, str(theirs), symbol)

    async def leverage(self, symbols: list[str]) -> None:
        declared = self._declared.leverage
        if declared is None:
            return
        if not self._client.answers("fetchLeverage"):
            self._cannot_tell("leverage", f"{declared:f}", "fetchLeverage")
            return
        params = {} if self._declared.margin_mode is None else {"marginMode": self._declared.margin_mode}
        for symbol in symbols:
            theirs = await self._read(self._ask("fetch_leverage", symbol, params), _leverages)
            if not theirs:
                self._cannot_tell("leverage", f"{declared:f}", "fetchLeverage", symbol)
            for leverage in theirs:
                if leverage != declared:
                    raise self._differs("leverage", f"{declared:f}", f"{leverage:f}", symbol)

    def _ask(self, method: str, *arguments: Any) -> Callable[[], Any]:
        return lambda: getattr(self._client.api, method)(*arguments)

    async def _read(self, call: Callable[[], Any], parse: Callable[[Any], Any]) -> Any:
        return await self._shared.traffic.read(call, parse)

    def _cannot_tell(self, setting: str, declared: str, method: str, symbol: str | None = None) -> None:
        of = "" if symbol is None else f" for {symbol}"
        self.unknown.append(
            f"{setting} = {declared} is not verified{of}: {self._client.api.id} does not tell it ({method})"
        )

    def _differs(self, setting: str, declared: str, theirs: str, symbol: str | None) -> ConfigurationError:
        of = "" if symbol is None else f" for {symbol}"
        return ConfigurationError(
            f"exchange {self._shared.name}, account {self._client.account}: {setting} is declared as {declared}, the "
            f"exchange has {theirs}{of}; change it at the exchange, or declare `{setting}` as it is there"
            + (" (hedge mode cannot be traded)" if setting == "position_mode" else "")
        )


def _leverages(raw: Mapping[str, Any]) -> set[Decimal]:
    found = (decimal_of(raw.get(key)) for key in ("longLeverage", "shortLeverage"))
    return {leverage for leverage in found if leverage is not None}
