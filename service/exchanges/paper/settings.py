"""What can be configured about the paper exchange, with defaults that work at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from service.core.markets import Market

_LARGEST_EXPONENT = 12
"""Configured amounts stay within 1e-12 and 1e12, so that all arithmetic on them is exact in bounded precision."""


def _check_amount(name: str, value: Decimal, *, zero_allowed: bool = False) -> None:
    if not value.is_finite() or value < 0 or (value == 0 and not zero_allowed):
        raise ValueError(f"{name} is {value}; expected a {'non-negative' if zero_allowed else 'positive'} number")
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # it is finite
    if value.adjusted() > _LARGEST_EXPONENT or exponent < -_LARGEST_EXPONENT:
        raise ValueError(f"{name} must be at most 1e{_LARGEST_EXPONENT}, with at most {_LARGEST_EXPONENT} decimals")


def _check_range(name: str, value: float | Decimal, lowest: float, highest: float) -> None:
    if not math.isfinite(value) or not lowest <= value <= highest:
        raise ValueError(f"{name} is {value}; expected a number from {lowest:g} to {highest:g}")


class PaperSymbol(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One spot market, `BASE/QUOTE`, and the mid price (quote units) from which its walk begins.

    `amount_step` and `min_quantity` are base units; `price_tick` and `min_notional` quote units.
    """

    symbol: str
    price: Decimal
    amount_step: Decimal
    price_tick: Decimal
    min_quantity: Decimal
    min_notional: Decimal = Decimal(5)

    def __post_init__(self) -> None:
        base, slash, quote = self.symbol.partition("/")
        if not (base and slash and quote) or base == quote or "/" in quote or ":" in quote:
            raise ValueError(f"symbol {self.symbol!r} is no spot symbol; expected BASE/QUOTE, such as BTC/USDT")
        for field in ("price", "amount_step", "price_tick"):
            _check_amount(f"{self.symbol}: {field}", getattr(self, field))
        for field in ("min_quantity", "min_notional"):
            _check_amount(f"{self.symbol}: {field}", getattr(self, field), zero_allowed=True)
        if self.price < self.price_tick * 2:
            raise ValueError(f"{self.symbol}: price {self.price} is below two steps of price_tick {self.price_tick}")

    def market(self) -> Market:
        base, _, quote = self.symbol.partition("/")
        return Market(
            symbol=self.symbol,
            base=base,
            quote=quote,
            amount_step=self.amount_step,
            price_tick=self.price_tick,
            min_quantity=self.min_quantity,
            min_notional=self.min_notional,
        )


def _usdt(base: str, price: str, amount_step: str, price_tick: str) -> PaperSymbol:
    step = Decimal(amount_step)
    return PaperSymbol(
        symbol=f"{base}/USDT",
        price=Decimal(price),
        amount_step=step,
        price_tick=Decimal(price_tick),
        min_quantity=step,
    )


DEFAULT_SYMBOLS = (
    _usdt("BTC", "60000", "0.00001", "0.01"),
    _usdt("ETH", "3000", "0.0001", "0.01"),
    _usdt("SOL", "150", "0.001", "0.01"),
    _usdt("BNB", "600", "0.001", "0.01"),
    _usdt("XRP", "0.6", "0.1", "0.0001"),
    _usdt("ADA", "0.45", "0.1", "0.0001"),
    _usdt("DOGE", "0.12", "1", "0.00001"),
    _usdt("AVAX", "30", "0.01", "0.01"),
    _usdt("LINK", "14", "0.01", "0.01"),
    _usdt("DOT", "6", "0.01", "0.001"),
    _usdt("LTC", "75", "0.001", "0.01"),
    _usdt("BCH", "400", "0.001", "0.1"),
    _usdt("TRX", "0.12", "0.1", "0.0001"),
    _usdt("UNI", "8", "0.01", "0.001"),
    _usdt("ATOM", "7", "0.01", "0.001"),
    _usdt("NEAR", "5", "0.1", "0.001"),
)
"""Sixteen liquid pairs; prices are invented, steps and minimums like those of large spot exchanges."""


class FeeRates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of the received amount: `taker` for orders that fill at once, `maker` for those that rested."""

    taker: Decimal = Decimal("0.001")
    maker: Decimal = Decimal("0.001")

    def __post_init__(self) -> None:
        for field in ("taker", "maker"):
            value = getattr(self, field)
            _check_amount(f"fee_rate.{field}", value, zero_allowed=True)
            _check_range(f"fee_rate.{field}", value, 0, 0.5)


class PartialFills(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which share of the limit orders fills in parts, and in how many: one part a tick of the price."""

    probability: float = 0.0
    parts: int = 3

    def __post_init__(self) -> None:
        _check_range("partial_fills.probability", self.probability, 0, 1)
        _check_range("partial_fills.parts", self.parts, 1, 100)


class PaperSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The paper exchange as configured.

    `starting_balances` are credited once to each new account. `spread_bps` is the whole distance between bid and
    ask, in hundredths of a percent. `volatility` is the standard deviation of one tick's relative price move
    (0.0001 a second is about 56% a year), `seed` makes the walk repeatable. `tick_interval` and `latency` are
    seconds: how often prices move, and how long a request takes, half before it is executed and half after.
    Invalid values raise ValueError, which msgspec turns into a ValidationError with the path.
    """

    accounts: Annotated[
        tuple[str, ...], Meta(description="each with the starting balances; none: no paper exchange")
    ] = (
        "paper-1",
        "paper-2",
        "paper-3",
        "paper-4",
    )
    symbols: Annotated[
        tuple[PaperSymbol, ...],
        Meta(description="markets: tables of symbol, price, amount_step, price_tick, min_quantity, min_notional"),
    ] = DEFAULT_SYMBOLS
    starting_balances: Annotated[
        Mapping[str, Decimal], Meta(description="credited once to each account, by currency")
    ] = msgspec.field(default_factory=lambda: {"USDT": Decimal(100_000)})
    fee_rate: Annotated[FeeRates, Meta(description="`taker` and `maker`, shares of what is received")] = FeeRates()
    spread_bps: Annotated[Decimal, Meta(description="from bid to ask, hundredths of a percent")] = Decimal(2)
    volatility: Annotated[float, Meta(description="standard deviation of a tick's relative price move")] = 0.0001
    seed: Annotated[int, Meta(description="makes the walk of the prices repeatable")] = 1
    tick_interval: Annotated[float, Meta(description="between two moves of the prices, s")] = 1.0
    latency: Annotated[float, Meta(description="of a request, half before it is executed, s")] = 0.002
    partial_fills: Annotated[
        PartialFills, Meta(description="`probability` that a limit fills in parts, and how many `parts`")
    ] = PartialFills()

    def __post_init__(self) -> None:
        self._check_names("accounts", self.accounts)
        self._check_names("symbols", tuple(symbol.symbol for symbol in self.symbols))
        for currency, amount in self.starting_balances.items():
            _check_amount(f"starting_balances.{currency}", amount, zero_allowed=True)
        _check_amount("spread_bps", self.spread_bps, zero_allowed=True)
        _check_range("spread_bps", self.spread_bps, 0, 1_000)
        _check_range("volatility", self.volatility, 0, 0.1)
        _check_range("tick_interval", self.tick_interval, 0.001, 86_400)
        _check_range("latency", self.latency, 0, 60)

    @staticmethod
    def _check_names(field: str, names: tuple[str, ...]) -> None:
        if not all(names):
            raise ValueError(f"{field} holds an empty name; leave it out")
        if len(set(names)) != len(names):
            raise ValueError(f"{field} holds a name twice: {', '.join(sorted(names))}")
