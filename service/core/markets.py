"""What an exchange trades and at which prices: markets, quotes, balances."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from enum import StrEnum

import msgspec

from service.core.orders import OrderType, Side

MATH = Context(
    prec=160, rounding=ROUND_DOWN, Emin=-999_999, Emax=999_999, traps=[InvalidOperation, DivisionByZero, Overflow]
)
"""The arithmetic of money, whatever the thread's own context is.

Numbers of an alert have up to 40 digits (`alerts.MAX_DIGITS`); at the usual 28 a product would be rounded, and
rounded up at times. 160 digits hold the product of three such numbers exactly, and what must still be cut
(a quotient) is cut towards zero.
"""


class MarketType(StrEnum):
    SPOT = "spot"
    SWAP = "swap"


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """One market in ccxt's unified naming: `BTC/USDT` on spot, `BTC/USDT:USDT` for a perpetual.

    `amount_step` (base units) and `price_tick` (quote units) are the smallest steps; `min_quantity` is base units,
    `min_notional` quote units; `contract_size` base units a contract (1 on spot). Markets whose contracts are not a
    fixed number of base units (inverse ones) are not traded.
    """

    symbol: str
    base: str
    quote: str
    type: MarketType = MarketType.SPOT
    settle: str | None = None
    contract_size: Decimal = Decimal(1)
    amount_step: Decimal
    price_tick: Decimal
    min_quantity: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    order_types: frozenset[OrderType] = frozenset(OrderType)

    def contracts(self, quantity: Decimal) -> Decimal | None:
        """Base units as contracts; None on spot, where there are none."""
        return MATH.divide(quantity, self.contract_size) if self.type is MarketType.SWAP else None

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """Down to the step: never more than was asked."""
        return _round_down(quantity, self.amount_step)

    def round_price(self, price: Decimal) -> Decimal:
        """Down to the tick."""
        return _round_down(price, self.price_tick)


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """Best bid and ask, quote units a base unit; `ts_ns` is when we learned them."""

    symbol: str
    bid: Decimal
    ask: Decimal
    ts_ns: int

    @property
    def mid(self) -> Decimal:
        return MATH.divide(MATH.add(self.bid, self.ask), Decimal(2))

    def for_side(self, side: Side | None) -> Decimal:
        """The price that a market order of this side meets; the middle while the side is not known."""
        if side is None:
            return self.mid
        return self.ask if side is Side.BUY else self.bid


class Position(msgspec.Struct, frozen=True):
    """What is held of a swap: base units, negative when short."""

    symbol: str
    quantity: Decimal


class Balance(msgspec.Struct, frozen=True):
    """Units of one currency: `free` to use, `used` reserved by open orders."""

    free: Decimal = Decimal(0)
    used: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return MATH.add(self.free, self.used)


def _round_down(number: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `number` (from 0), written no longer than it needs to be."""
    steps = MATH.divide(number, step).to_integral_value(ROUND_DOWN, context=MATH)
    return MATH.multiply(steps, step)
