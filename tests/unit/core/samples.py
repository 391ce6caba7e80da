"""Markets, orders and numbers for the tests of the core."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import strategies as st

from service.core.markets import Market, MarketType, Quote
from service.core.orders import Intent, Order, OrderType, Side, Sizing, SizingMethod, TraceContext

BTC = Market(
    symbol="BTC/USDT",
    base="BTC",
    quote="USDT",
    amount_step=Decimal("0.00001"),
    price_tick=Decimal("0.01"),
    min_quantity=Decimal("0.0001"),
    min_notional=Decimal(5),
)
BTC_PERPETUAL = Market(
    symbol="BTC/USDT:USDT",
    base="BTC",
    quote="USDT",
    settle="USDT",
    type=MarketType.SWAP,
    amount_step=Decimal("0.001"),
    price_tick=Decimal("0.1"),
)
QUOTE = Quote(symbol="BTC/USDT", bid=Decimal(99), ask=Decimal(101), ts_ns=0)

_ORDER = Order(
    id="01",
    client_order_id="fp01",
    source="default",
    exchange="paper",
    account="paper-1",
    symbol="BTC/USDT",
    side=Side.BUY,
    order_type=OrderType.MARKET,
    sizing=Sizing(method=SizingMethod.EXPLICIT, value=Decimal(1)),
    intent=Intent.ENTRY,
    received_ns=0,
    updated_ns=0,
    trace=TraceContext("0" * 32, "0" * 16),
)


def an_order(**changes: object) -> Order:
    return msgspec.structs.replace(_ORDER, **changes)


def a_market(**changes: object) -> Market:
    return msgspec.structs.replace(BTC, **changes)


@st.composite
def positive(draw: st.DrawFn, digits: int = 40, exponent: int = 20) -> Decimal:
    """Above 0, of up to `digits` digits, its first digit's exponent within +-`exponent`."""
    text = str(draw(st.integers(1, 10**digits - 1)))
    return Decimal(f"{text[0]}.{text[1:] or 0}e{draw(st.integers(-exponent, exponent))}")
