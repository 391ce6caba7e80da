"""Orders, their states, and the one table of transitions between them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"


class Leg(StrEnum):
    """Which part of an alert's plan an order is; an alert makes an entry and, where asked, its protection."""

    ENTRY = "entry"
    STOP = "stop"
    TARGET = "target"


class Intent(StrEnum):
    """An exit can only reduce what is held; everything else, reversals included, is an entry."""

    ENTRY = "entry"
    EXIT = "exit"


class Action(StrEnum):
    """What an alert makes: an order at the exchange, or the cancelling of those that rest there."""

    PLACE = "place"
    CANCEL = "cancel"


class OrderStatus(StrEnum):
    """DENIED is our refusal before any exchange; REJECTED is the exchange's."""

    RECEIVED = "RECEIVED"
    SUBMITTED = "SUBMITTED"
    IN_DOUBT = "IN_DOUBT"
    ABSENT = "ABSENT"
    ACCEPTED = "ACCEPTED"
    TRIGGERED = "TRIGGERED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    FILLED = "FILLED"
    DENIED = "DENIED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


_S = OrderStatus

EXCHANGE_STATES = frozenset(
    {_S.ACCEPTED, _S.TRIGGERED, _S.PARTIALLY_FILLED, _S.FILLED, _S.REJECTED, _S.CANCELED, _S.EXPIRED}
)
"""The states that only an exchange can put an order into (EXPIRED can also be ours, before sending)."""

RESTING = frozenset({_S.ACCEPTED, _S.TRIGGERED, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL})
"""At the exchange and not done: what the follower watches."""

UNCERTAIN = frozenset({_S.SUBMITTED, _S.IN_DOUBT})
"""May or may not be at the exchange."""

FINAL = frozenset({_S.FILLED, _S.DENIED, _S.REJECTED, _S.CANCELED, _S.EXPIRED, _S.ABSENT})
"""Nothing more is expected. ABSENT, CANCELED and EXPIRED can still be corrected by a late fact."""

_WORKING = frozenset(
    {_S.TRIGGERED, _S.PARTIALLY_FILLED, _S.FILLED, _S.PENDING_CANCEL, _S.CANCELED, _S.REJECTED, _S.EXPIRED}
)

TRANSITIONS: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    _S.RECEIVED: frozenset({_S.DENIED, _S.EXPIRED, _S.CANCELED, _S.SUBMITTED}),
    # Back to RECEIVED only with the proof that nothing was executed.
    _S.SUBMITTED: EXCHANGE_STATES | {_S.IN_DOUBT, _S.RECEIVED},
    _S.IN_DOUBT: EXCHANGE_STATES | {_S.ABSENT},
    # A re-send that fails its checks stays ABSENT; an order believed absent may still show up.
    _S.ABSENT: EXCHANGE_STATES | {_S.SUBMITTED},
    _S.ACCEPTED: _WORKING,
    _S.TRIGGERED: _WORKING - {_S.TRIGGERED},
    _S.PARTIALLY_FILLED: _WORKING - {_S.PARTIALLY_FILLED},
    # The states after the bar: the exchange refused the cancel, the order works on.
    _S.PENDING_CANCEL: frozenset(
        {_S.CANCELED, _S.FILLED, _S.EXPIRED, _S.REJECTED} | {_S.ACCEPTED, _S.TRIGGERED, _S.PARTIALLY_FILLED}
    ),
    # Late fills are facts.
    _S.CANCELED: frozenset({_S.FILLED}),
    _S.EXPIRED: frozenset({_S.FILLED}),
    _S.DENIED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.FILLED: frozenset(),
}


class ImpossibleTransition(Exception):  # noqa: N818 - named for what happened
    """The table does not allow this step: a defect of ours, or a fact from the exchange to store and alarm."""

    def __init__(self, order_id: str, from_status: OrderStatus, to_status: OrderStatus) -> None:
        allowed = ", ".join(sorted(TRANSITIONS[from_status])) or "nothing"
        super().__init__(f"order {order_id}: {from_status} -> {to_status} is not a transition; allowed: {allowed}")
        self.order_id = order_id
        self.from_status = from_status
        self.to_status = to_status


def is_allowed(from_status: OrderStatus, to_status: OrderStatus) -> bool:
    return to_status in TRANSITIONS[from_status]


class SizingMethod(StrEnum):
    """How an alert says how much; the first two name an absolute size, the last the position to end with."""

    EXPLICIT = "explicit"
    QUOTE_AMOUNT = "quote_amount"
    FIXED_PERCENTAGE = "fixed_percentage"
    RISK_BASED = "risk_based"
    VOLATILITY_ADJUSTED = "volatility_adjusted"
    TARGET = "target"


class Sizing(msgspec.Struct, frozen=True, kw_only=True):
    """How much to trade.

    `value` is base units (explicit), quote units (quote_amount), base units of the position to end with, negative
    for a short one (target), or percent (the others); `stop` is the price at
    which a risk-based position is given up; `atr` the average true range, in quote units, and `atr_multiple` how
    many of it lie between entry and exit.
    """

    method: SizingMethod
    value: Decimal
    stop: Decimal | None = None
    atr: Decimal | None = None
    atr_multiple: Decimal | None = None


class TraceContext(msgspec.Struct, frozen=True):
    """Where an order's spans belong: the W3C ids (lowercase hex) of the SERVER span of its alert."""

    trace_id: str
    span_id: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What we want at the exchange, and what became of it.

    Quantities are base units, prices quote units a base unit, times Unix nanoseconds (UTC). The first block never
    changes after the alert is journaled; the second is what transitions move. While only the position can tell
    (sizing by target), `side` is None and `reduce_only` no more than what was asked. `contracts` is the quantity as
    the exchange counts it, where it counts in contracts. `settled` says that nothing more is expected of the order,
    its fills included.
    """

    id: str
    client_order_id: str
    source: str
    exchange: str
    account: str
    symbol: str
    order_type: OrderType
    sizing: Sizing
    intent: Intent
    received_ns: int
    trace: TraceContext
    action: Action = Action.PLACE
    leg: Leg = Leg.ENTRY
    parent_id: str | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    confidence: Decimal | None = None
    tag: str | None = None
    comment: str | None = None
    alert_ts_ns: int | None = None
    max_age_ns: int | None = None
    max_drift_bps: Decimal | None = None
    arrival_price: Decimal | None = None

    status: OrderStatus = OrderStatus.RECEIVED
    updated_ns: int
    version: int = 0
    side: Side | None
    reduce_only: bool = False
    quantity: Decimal | None = None
    contracts: Decimal | None = None
    adjusted_from: Decimal | None = None
    filled_qty: Decimal = Decimal(0)
    average_price: Decimal | None = None
    exchange_order_id: str | None = None
    reason: str | None = None
    detail: str | None = None
    attempts: int = 0
    submitted_ns: int | None = None
    cancel_requested: bool = False
    outcome_counted: bool = False
    settled: bool = False
    last_span_id: str | None = None

    @property
    def leaves_qty(self) -> Decimal | None:
        """Base units still to fill; None while the order is not sized."""
        return None if self.quantity is None else max(self.quantity - self.filled_qty, Decimal(0))


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution at the exchange; `id` is the exchange's trade id, unique an order."""

    id: str
    client_order_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    ts_event_ns: int


TradeKey = tuple[str, str, str | None]


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One of an account's executions as the exchange lists it; `id` is the exchange's trade id.

    Two orders of the account that trade with each other may both have it. `client_order_id` is None where the exchange
    does not repeat it. Quantity is base units, price quote units a base unit; a negative fee is a rebate.
    """

    id: str
    exchange_order_id: str
    client_order_id: str | None
    symbol: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    ts_event_ns: int

    @property
    def key(self) -> TradeKey:
        """The same at every reading, and no other execution's of the symbol."""
        return self.id, self.exchange_order_id, self.client_order_id

    def fill_of(self, client_order_id: str) -> Fill:
        """The fill of the order with this client order id."""
        return Fill(
            id=self.id,
            client_order_id=client_order_id,
            quantity=self.quantity,
            price=self.price,
            fee=self.fee,
            fee_currency=self.fee_currency,
            ts_event_ns=self.ts_event_ns,
        )


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an order; `version` is the order's version after it, so a history has no gaps."""

    order_id: str
    version: int
    ts_ns: int
    from_status: OrderStatus | None
    to_status: OrderStatus
    reason: str | None = None
    detail: str | None = None
    span_id: str | None = None
