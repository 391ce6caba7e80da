"""What the simulator's engine deals with: instruments, orders, trades, refusals, fill plans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal

Side = Literal["buy", "sell"]
OrderKind = Literal["market", "limit", "stop_loss", "take_profit"]
TimeInForce = Literal["gtc", "ioc", "fok"]
UsedIds = Literal["refused_forever", "refused_while_open", "accepted"]


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """One market. Quantities are in the venue's own unit: base on spot, contracts on a swap.

    `contract_size` is base units a contract, 1 on spot. A swap is linear: it settles in `quote`. `min_notional` is in
    quote. Fees are fractions: 0.001 is 10 basis points.
    """

    symbol: str
    base: str
    quote: str
    kind: Literal["spot", "swap"] = "spot"
    contract_size: Decimal = Decimal(1)
    tick: Decimal = Decimal("0.01")
    step: Decimal = Decimal("0.00001")
    min_qty: Decimal = Decimal("0.00001")
    max_qty: Decimal = Decimal(9000)
    min_notional: Decimal = Decimal(5)
    taker_fee: Decimal = Decimal("0.001")
    maker_fee: Decimal = Decimal("0.001")

    def notional(self, quantity: Decimal, price: Decimal) -> Decimal:
        """In quote."""
        return quantity * self.contract_size * price


class OrderStatus(StrEnum):
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def is_open(self) -> bool:
        return self in {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}


class RejectCode(StrEnum):
    """Why the engine refused; each venue has its own code and words for it."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    INVALID_QUANTITY = "invalid_quantity"
    INVALID_PRICE = "invalid_price"
    MIN_NOTIONAL = "min_notional"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    DUPLICATE_ID = "duplicate_id"
    REDUCE_ONLY = "reduce_only"
    POST_ONLY = "post_only"
    WOULD_TRIGGER = "would_trigger"
    NO_PRICE = "no_price"
    UNKNOWN_ORDER = "unknown_order"


@dataclass(frozen=True)
class Rejection:
    """Nothing was executed; `order` is the one that a refused cancel named, as it is now."""

    code: RejectCode
    message: str = ""
    order: SimOrder | None = None


@dataclass(frozen=True)
class FillPlan:
    """How an order is filled once it is marketable; `parts` are (fraction of the quantity, seconds after placing).

    Fractions are rounded down to the step; parts that add up to 1 fill all. After the last part `then` says what
    becomes of the rest. `on_cancel` "fill" lets a cancel come too late: the order is filled when it arrives;
    "fill_part" fills half of what is left and then cancels.
    """

    parts: tuple[tuple[Decimal, float], ...] = ((Decimal(1), 0.0),)
    then: Literal["rest", "cancel", "expire"] = "rest"
    on_cancel: Literal["cancel", "fill", "fill_part"] = "cancel"

    @classmethod
    def at_once(cls) -> FillPlan:
        return cls()

    @classmethod
    def resting(cls, on_cancel: Literal["cancel", "fill", "fill_part"] = "cancel") -> FillPlan:
        """Never filled by itself, whatever the price."""
        return cls(parts=(), on_cancel=on_cancel)

    @classmethod
    def in_parts(cls, count: int, *, every: float = 0.0) -> FillPlan:
        """`count` equal fills, the first at once, then one `every` seconds."""
        share = Decimal(1) / count
        parts = [(share, index * every) for index in range(count - 1)]
        return cls(parts=(*parts, (Decimal(1) - share * (count - 1), (count - 1) * every)))

    @classmethod
    def partly(cls, fraction: str | Decimal, *, then: Literal["rest", "cancel", "expire"] = "cancel") -> FillPlan:
        """One fill at once, and then the end; "rest" leaves the order open."""
        return cls(parts=((Decimal(fraction), 0.0),), then=then)


@dataclass(kw_only=True)
class SimTrade:
    """One execution. `fee` is positive when paid; times are Unix nanoseconds."""

    id: str
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    ts_ns: int
    maker: bool


@dataclass(kw_only=True)
class SimOrder:
    """One order as the venue knows it; times are Unix nanoseconds.

    `took` says that it traded as soon as it could, so as a taker. `reserved` is what it holds locked on spot, in the
    currency that it pays. Look-ups do not show it before
    `visible_from_ns`, and its trades `trades_late_ns` after they happened.
    """

    id: str
    client_id: str | None
    instrument: Instrument
    side: Side
    type: OrderKind
    quantity: Decimal
    price: Decimal | None = None
    trigger: Decimal | None = None
    reduce_only: bool = False
    time_in_force: TimeInForce = "gtc"
    status: OrderStatus = OrderStatus.NEW
    triggered: bool = False
    filled: Decimal = Decimal(0)
    created_ns: int = 0
    updated_ns: int = 0
    visible_from_ns: int = 0
    trades_late_ns: int = 0
    trades: list[SimTrade] = field(default_factory=list)
    plan: FillPlan = field(default_factory=FillPlan)
    plan_started: bool = False
    took: bool = False
    reserved: Decimal = Decimal(0)

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    @property
    def is_open(self) -> bool:
        return self.status.is_open

    @property
    def left(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal | None:
        """The price over all its trades; None before the first."""
        return total(t.price * t.quantity for t in self.trades) / self.filled if self.filled else None

    @property
    def cost(self) -> Decimal:
        """What was traded, in quote."""
        return total(self.instrument.notional(t.quantity, t.price) for t in self.trades)


@dataclass
class SimPosition:
    """A net position on a linear swap; `quantity` is contracts, negative when short."""

    instrument: Instrument
    quantity: Decimal = Decimal(0)
    entry_price: Decimal = Decimal(0)

    def upnl(self, price: Decimal) -> Decimal:
        """Unrealised profit at a price, in quote."""
        return self.instrument.notional(self.quantity, price - self.entry_price)


@dataclass(frozen=True)
class SimBalance:
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


def fits(value: Decimal, step: Decimal) -> bool:
    """Whether a value is a whole multiple of a step."""
    return value % step == 0


def total(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal(0))
