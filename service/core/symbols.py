"""Which market a sender means: BTC-USDT, BTC_USDT, BTCUSDT, btc/usdt and BINANCE:BTCUSDT are one symbol."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase

from service.core.documents import shown
from service.core.markets import Market, MarketType
from service.core.refusals import DenialReason, Refusal

_SEPARATORS = ("/", "-", "_", "")
_PERPETUAL = ".P"
_MAX_LENGTH = 64
_MEMO_LIMIT = 4096
_NEIGHBOURS = 60  # how many names around the one asked for are compared: thousands would take a tenth of a second
_MAX_CANDIDATES = 5
# Only ASCII: `str.upper` would make other letters of other alphabets (such as a dotless i) into Latin ones.
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


class SymbolTable:
    """All ways of writing the given markets, prepared for look-up in constant time.

    The prefix of a chart's exchange (`BINANCE:`, `BINANCE_DL:`) says where the chart's data is from, not where to
    trade: it is passed over.
    """

    def __init__(self, markets: Iterable[Market]) -> None:
        self._settled: dict[str, tuple[Market, ...]] = {}
        self._written: dict[MarketType, dict[str, tuple[Market, ...]]] = {type_: {} for type_ in MarketType}
        self._memo: dict[tuple[str, MarketType], Market] = {}
        for market in markets:
            if market.settle is not None:
                _put(self._settled, market.symbol.translate(_UPPER), market)
            base, quote = market.base.translate(_UPPER), market.quote.translate(_UPPER)
            for separator in _SEPARATORS:
                _put(self._written[market.type], f"{base}{separator}{quote}", market)
        self._names = {type_: sorted(written) for type_, written in self._written.items()}

    def resolve(self, text: str, *, market_type: MarketType = MarketType.SPOT) -> Market:
        """The one market that `text` names among those of `market_type`.

        `.P` at the end (TradingView's perpetual) and a settle currency (`BTC/USDT:USDT`) name a perpetual, whatever
        `market_type` is. Raises `Refusal`: unknown_symbol with up to 5 near names in `extra["candidates"]`,
        ambiguous_symbol with all that are meant.
        """
        known = self._memo.get((text, market_type))
        if known is not None:
            return known
        market = self._resolve(text, market_type)
        if len(self._memo) >= _MEMO_LIMIT:
            self._memo.clear()
        self._memo[text, market_type] = market
        return market

    def resolve_traded(self, text: str, market_type: MarketType, account: str) -> Market:
        """Like `resolve`, for an account that trades `market_type` and nothing else.

        A name that says the other type is refused as unknown_symbol, with the same pair in the right type among
        `extra["candidates"]`: what was meant for a perpetual is not bought on spot.
        """
        market = self.resolve(text, market_type=market_type)
        if market.type is market_type:
            return market
        pair = f"{market.base}/{market.quote}".translate(_UPPER)
        candidates = sorted(other.symbol for other in self._written[market_type].get(pair, ()))
        hint = f"; of that type there is {' and '.join(candidates)}" if candidates else ""
        raise Refusal(
            DenialReason.UNKNOWN_SYMBOL,
            f"{shown(text)} names the {market.type} market {market.symbol}, but account {account!r} trades "
            f"{market_type}{hint}",
            extra={"candidates": candidates},
        )

    def _resolve(self, text: str, market_type: MarketType) -> Market:
        name = _without_chart(text.strip().translate(_UPPER))
        if ":" in name:
            found = self._settled.get(name, ())
            market_type = MarketType.SWAP
        else:
            if name.endswith(_PERPETUAL):
                name, market_type = name.removesuffix(_PERPETUAL), MarketType.SWAP
            found = self._written[market_type].get(name, ())
        if len(found) == 1:
            return found[0]
        if found:
            raise _ambiguous(text, found)
        raise self._unknown(text, name, market_type)

    def _unknown(self, text: str, name: str, market_type: MarketType) -> Refusal:
        candidates = self._near(name[:_MAX_LENGTH], market_type)
        hint = f"; near are {', '.join(candidates)}" if candidates else ""
        return Refusal(
            DenialReason.UNKNOWN_SYMBOL,
            f"no {market_type} market is named {shown(text)}{hint}",
            extra={"candidates": candidates},
        )

    def _near(self, name: str, market_type: MarketType) -> list[str]:
        """Symbols of the same name but another type first (a forgotten `.P`), then of names like this one."""
        pair = name.partition(":")[0]
        near = [
            market.symbol
            for type_, written in self._written.items()
            if type_ is not market_type or pair != name
            for market in written.get(pair, ())
        ]
        names, written = self._names[market_type], self._written[market_type]
        at = bisect_left(names, pair)
        around = names[max(at - _NEIGHBOURS, 0) : at + _NEIGHBOURS]
        for close in difflib.get_close_matches(pair, around, _MAX_CANDIDATES * len(_SEPARATORS)):
            near += (market.symbol for market in written[close])
        return list(dict.fromkeys(near))[:_MAX_CANDIDATES]


def _put(index: dict[str, tuple[Market, ...]], key: str, market: Market) -> None:
    there = index.get(key, ())
    if market not in there:
        index[key] = (*there, market)


def _without_chart(name: str) -> str:
    """Without the chart's exchange; a colon after a pair with a slash is a settle currency's."""
    head, colon, rest = name.partition(":")
    return rest if colon and "/" not in head else name


def _ambiguous(text: str, found: tuple[Market, ...]) -> Refusal:
    candidates = sorted(market.symbol for market in found)
    return Refusal(
        DenialReason.AMBIGUOUS_SYMBOL,
        f"{shown(text)} may mean {' or '.join(candidates)}; write one of them",
        extra={"candidates": candidates},
    )
