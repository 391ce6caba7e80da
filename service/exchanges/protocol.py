"""The Exchange protocol: what the execution asks of any exchange, the paper one included.

No method raises for what an exchange or a network does: outcomes are values, and whatever is not proven is
`InDoubt` or `Unanswered`. Market data is cached by the adapter, so that the intake can read it without a network call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import IntEnum
from typing import Protocol

import msgspec

from service.core.markets import Balance, Market, MarketType, Position, Quote
from service.core.orders import OrderType, Side, Trade
from service.core.outcomes import ExchangeRules, InDoubt, LookUp, NotExecuted, OrderReport, Outcome, Refused


class Priority(IntEnum):
    """Who goes first when an exchange's request limit is short; lower goes first."""

    CANCEL = 0
    ORDER = 1
    LOOK_UP = 2
    FOLLOW = 3


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One order as it is to be placed; quantity in base units, already rounded to the market's step."""

    account: str
    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    reduce_only: bool = False


class OrderRef(msgspec.Struct, frozen=True, kw_only=True):
    """Enough to find an order again, on every exchange; all but the ids is for those that repeat no client id."""

    account: str
    symbol: str
    order_type: OrderType
    client_order_id: str
    exchange_order_id: str | None = None
    side: Side | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    submitted_ns: int | None = None


class ExchangeUnavailable(Exception):  # noqa: N818 - named for what is the case
    """A read (balance, quote, open orders, fills, time) got no usable answer; nothing was changed by it."""


CancelOutcome = OrderReport | Refused | NotExecuted | InDoubt
"""The order's state after the cancel; or the cancel was refused, never sent, or is itself in doubt."""


class Exchange(Protocol):
    """One configured exchange with its accounts.

    Reads raise `ExchangeUnavailable` and nothing else; `create_order`, `cancel_order` and `look_up` never raise.
    Cancelling the task that awaits `create_order` leaves the order in doubt.
    """

    @property
    def name(self) -> str: ...

    @property
    def rules(self) -> ExchangeRules: ...

    @property
    def markets(self) -> Mapping[str, Market]:
        """By unified symbol; loaded by `start`."""
        ...

    @property
    def notes(self) -> Mapping[str, Sequence[str]]:
        """By account, what its operator should know: settings of it that could not be compared, say."""
        ...

    def market_type(self, account: str) -> MarketType:
        """What the account trades."""
        ...

    async def start(self) -> None:
        """Load markets and first prices, and compare the accounts with their settings.

        Raises `ExchangeUnavailable`, or `ConfigurationError` for what the user must mend.
        """
        ...

    async def close(self) -> None: ...

    def client_order_id(self, order_id: str) -> str:
        """Ours, in this exchange's format; the same for the same order id, always."""
        ...

    def is_ours(self, client_order_id: str) -> bool:
        """Whether an id can only have been made by `client_order_id`; False where the format has no room for a mark."""
        ...

    def quote(self, symbol: str) -> Quote | None:
        """The last known price, without asking; None when none is known."""
        ...

    async def slot(self, account: str, priority: Priority) -> None:
        """Return when a request of this priority may be sent."""
        ...

    async def fetch_quote(self, symbol: str) -> Quote: ...

    async def fetch_balances(self, account: str) -> Mapping[str, Balance]: ...

    async def fetch_positions(self, account: str) -> Mapping[str, Position]:
        """By symbol, those that are not flat; none on spot."""
        ...

    async def create_order(self, request: OrderRequest) -> Outcome:
        """Send once, never again by itself."""
        ...

    async def cancel_order(self, ref: OrderRef) -> CancelOutcome: ...

    async def look_up(self, ref: OrderRef) -> LookUp:
        """By client order id."""
        ...

    async def open_orders(self, account: str) -> Sequence[OrderReport]:
        """All that rest, others' among them; an order without a client order id has an empty one."""
        ...

    async def fills_since(self, account: str, symbols: Sequence[str], since_ns: int) -> Sequence[Trade]:
        """Own executions in these symbols with `ts_event_ns >= since_ns`, oldest first."""
        ...

    async def fetch_time(self) -> int:
        """The exchange's clock, Unix nanoseconds."""
        ...
