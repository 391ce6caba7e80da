"""However a market is written, it is one market, or the sender learns which were meant."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.markets import Market, MarketType
from service.core.refusals import DenialReason, Refusal
from service.core.symbols import SymbolTable
from tests.unit.core.samples import BTC, BTC_PERPETUAL


def market(base: str, quote: str, settle: str | None = None) -> Market:
    return Market(
        symbol=f"{base}/{quote}" + (f":{settle}" if settle else ""),
        base=base,
        quote=quote,
        settle=settle,
        type=MarketType.SWAP if settle else MarketType.SPOT,
        amount_step=Decimal(1),
        price_tick=Decimal(1),
    )


TABLE = SymbolTable(
    [BTC, BTC_PERPETUAL, market("ETH", "USDT"), market("BTC", "USD", "BTC"), market("BTC", "USD", "USDC")]
)


def refusal_of(text: str, table: SymbolTable = TABLE) -> Refusal:
    with pytest.raises(Refusal) as caught:
        table.resolve(text)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "BTC-USDT",
        "BTC_USDT",
        "BTCUSDT",
        "btc/usdt",
        "BTC/USDT",
        "BINANCE:BTCUSDT",
        "NOWHERE:BTC/USDT",
        "BINANCE_DL:BTCUSDT",
        "BINANCE_DLY:BTCUSDT",
        "  BtcUsdt\n",
    ],
)
def test_every_way_of_writing_is_the_spot_market(text: str):
    assert TABLE.resolve(text) is BTC
    assert TABLE.resolve(text) is BTC, "and again, from memory"


@pytest.mark.parametrize(
    "text", ["BTCUSDT.P", "BINANCE:BTCUSDT.P", "BYBIT_DL:btcusdt.p", "BTC/USDT:USDT", "btc/usdt:usdt", "X:BTC-USDT.P"]
)
@pytest.mark.parametrize("market_type", MarketType)
def test_a_perpetual_is_named_whatever_the_type_is(text: str, market_type: MarketType):
    assert TABLE.resolve(text, market_type=market_type) is BTC_PERPETUAL


def test_without_suffix_the_type_decides():
    assert TABLE.resolve("BTCUSDT", market_type=MarketType.SWAP) is BTC_PERPETUAL


@pytest.mark.parametrize(
    ("text", "market_type", "market"),
    [
        ("BTCUSDT", MarketType.SPOT, BTC),
        ("BTCUSDT", MarketType.SWAP, BTC_PERPETUAL),
        ("BTC/USDT", MarketType.SWAP, BTC_PERPETUAL),
        ("BTCUSDT.P", MarketType.SWAP, BTC_PERPETUAL),
    ],
)
def test_an_account_trades_the_market_of_its_type(text: str, market_type: MarketType, market: Market):
    assert TABLE.resolve_traded(text, market_type, "main") is market


@pytest.mark.parametrize("text", ["BTC/USDT:USDT", "BINANCE:BTCUSDT.P"])
def test_a_perpetual_is_not_traded_by_a_spot_account(text: str):
    with pytest.raises(Refusal) as caught:
        TABLE.resolve_traded(text, MarketType.SPOT, "main")

    assert caught.value.reason is DenialReason.UNKNOWN_SYMBOL
    assert caught.value.extra["candidates"] == ["BTC/USDT"]
    assert "swap market BTC/USDT:USDT, but account 'main' trades spot; of that type there is BTC/USDT" in str(
        caught.value
    )


def test_an_ambiguous_name_is_refused_with_all_that_are_meant():
    refusal = refusal_of("BTCUSD.P")

    assert refusal.reason is DenialReason.AMBIGUOUS_SYMBOL
    assert refusal.extra["candidates"] == ["BTC/USD:BTC", "BTC/USD:USDC"]


def test_two_ways_to_cut_a_name_are_ambiguous_and_a_separator_settles_it():
    table = SymbolTable([market("A", "BUSD"), market("AB", "USD")])

    assert refusal_of("ABUSD", table).reason is DenialReason.AMBIGUOUS_SYMBOL
    assert table.resolve("AB/USD").symbol == "AB/USD"


@pytest.mark.parametrize(
    ("text", "first"), [("BTCUSTD", "BTC/USDT"), ("ETHUSDT.P", "ETH/USDT"), ("BTC/USD", "BTC/USD:BTC"), ("", None)]
)
def test_an_unknown_name_is_refused_with_near_ones(text: str, first: str | None):
    refusal = refusal_of(text)

    assert refusal.reason is DenialReason.UNKNOWN_SYMBOL
    candidates = refusal.extra["candidates"]
    assert isinstance(candidates, list)
    assert len(candidates) <= 5
    assert candidates[:1] == ([first] if first else [])


@pytest.mark.parametrize(
    "text", ["BTCUSDT.P.P", "BTC//USDT", "BTC USDT", "BINANCE:", ":", ".P", "L\u0131NK", "X" * 10_000]
)
def test_what_names_nothing_is_unknown(text: str):
    assert refusal_of(text).reason is DenialReason.UNKNOWN_SYMBOL


def test_letters_of_other_alphabets_do_not_become_latin_ones():
    table = SymbolTable([market("LINK", "USDT"), market("币安", "USDT")])

    assert refusal_of("L\u0131NKUSDT", table).reason is DenialReason.UNKNOWN_SYMBOL
    assert table.resolve("币安usdt").base == "币安"


def test_the_memory_for_names_is_bounded():
    table = SymbolTable([BTC])
    for n in range(10_000):
        table.resolve(f"CHART{n}:BTCUSDT")

    assert len(table._memo) <= 4096


currencies = st.text("ABCD1", min_size=1, max_size=4)
markets = st.lists(
    st.builds(market, currencies, currencies, st.none() | currencies),
    min_size=1,
    max_size=12,
    unique_by=lambda m: m.symbol,
)


@given(markets)
@settings(max_examples=60)
def test_every_form_of_every_market_is_that_market_or_ambiguous(listed: list[Market]):
    table = SymbolTable(listed)
    for each in listed:
        for form in forms(each):
            assert each.symbol in meant_by(table, form, each.type)


def meant_by(table: SymbolTable, form: str, market_type: MarketType) -> list[str]:
    try:
        return [table.resolve(form, market_type=market_type).symbol]
    except Refusal as refusal:
        candidates = refusal.extra["candidates"] if refusal.reason is DenialReason.AMBIGUOUS_SYMBOL else []
        return list(candidates)


def forms(each: Market) -> list[str]:
    pairs = [f"{each.base}{separator}{each.quote}" for separator in ("", "/", "-", "_")]
    suffixes = ["", ".P"] if each.type is MarketType.SWAP else [""]
    plain = [pair + suffix for pair in pairs for suffix in suffixes] + [each.symbol]
    return plain + [f.lower() for f in plain] + [f" X_DL:{f} " for f in plain if ":" not in f]


@given(markets)
@settings(max_examples=30)
def test_a_unified_name_with_a_settle_currency_is_exact(listed: list[Market]):
    table = SymbolTable(listed)
    for each in listed:
        if each.settle is not None:
            assert table.resolve(each.symbol) == each
