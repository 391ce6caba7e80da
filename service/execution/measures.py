"""Order metrics, counted from journaled changes so that each rule of counting stands in one place."""

from __future__ import annotations

from decimal import Decimal

from service.clock import Clock
from service.core.orders import FINAL, Fill, Order, OrderStatus, Side, SizingMethod
from service.core.sizing import Sized
from service.execution.register import OUTCOME_UNKNOWN, Change, LiveOrder
from telemetry import conventions as c
from telemetry.conventions import UNKNOWN
from telemetry.facade import Telemetry

ON_TIME_NS = 30_000_000_000
"""An acknowledged order's outcome is due within this."""

USD = frozenset({"USD", "USDT"})
"""Currencies that count as one dollar a unit; others have no conversion and are counted as such."""

_EXPLICIT = frozenset({SizingMethod.EXPLICIT, SizingMethod.QUOTE_AMOUNT, SizingMethod.TARGET})
_S = OrderStatus
_UNSENT = {_S.DENIED: "denied", _S.EXPIRED: "expired", _S.CANCELED: "canceled"}


def outcome_label(before: Order, after: Order) -> str:
    """`accepted` is all that the exchange took, whatever came of it later."""
    if before.status is _S.RECEIVED and after.status in _UNSENT:
        return _UNSENT[after.status]
    if after.status is _S.REJECTED:
        return "rejected"
    if after.status is _S.ABSENT:
        return "absent"
    return "unknown" if after.status in OUTCOME_UNKNOWN else "accepted"


class OrderMeasures:
    """Observes the register; `age_now_ns` is the register's clock for an order's age."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._position_size = telemetry.histograms(c.POSITION_SIZE_PCT, "method")
        self._order_size = telemetry.histograms(c.ORDER_SIZE_USD, "exchange", "symbol", "side")
        self._outcomes = telemetry.counters(c.ORDER_OUTCOMES, "exchange", "outcome", "on_time")
        self._latency = telemetry.histogram(c.PIPELINE_LATENCY)
        self._durations = telemetry.histograms(c.ORDER_DURATION, "exchange", "order_type")
        self._orders = telemetry.counters(c.ORDERS, "exchange", "symbol", "side", "order_type", "status")
        self._fees = telemetry.counters(c.FEES_USD, "exchange")
        self._rebates = telemetry.counters(c.REBATES_USD, "exchange")
        self._fill_latency = telemetry.histograms(c.FILL_LATENCY, "exchange", "order_type")
        self._adverse = telemetry.histograms(c.SLIPPAGE_ADVERSE_BPS, "exchange", "side")
        self._favourable = telemetry.histograms(c.SLIPPAGE_FAVOURABLE_BPS, "exchange", "side")

    def sized(self, order: Order, sized: Sized) -> None:
        """An order is about to be sent with this size, for the first time."""
        if sized.percent_of_equity is not None:
            method = order.sizing.method
            label = SizingMethod.EXPLICIT if method in _EXPLICIT else method
            self._position_size[label].record(sized.percent_of_equity)
        usd = self._usd(sized.quantity * sized.mid, order.symbol.partition("/")[2].partition(":")[0])
        if usd is not None:
            self._order_size[order.exchange, order.symbol, sized.side].record(usd)

    def __call__(self, live: LiveOrder, change: Change) -> None:
        before, after = change.before, change.after
        if after.outcome_counted and not before.outcome_counted:
            self._count_outcome(live, before, after)
        if live.dequeued_ns is not None and change.conclusive and after.status not in OUTCOME_UNKNOWN:
            seconds = (self._clock.monotonic_ns() - live.dequeued_ns) / 1e9
            self._durations[after.exchange, after.order_type].record(seconds)
            live.dequeued_ns = None
        if after.status is not before.status and change.conclusive and before.status not in FINAL:
            self._count_final(before, after)
        elif after.status is before.status is _S.ABSENT and after.reason != before.reason:
            self._count_final(before, after)  # a re-send failed its checks: absent for good
        for fill in change.fills:
            self._count_fee(after, fill)
        if after.status is _S.FILLED and before.status is not _S.FILLED:
            self._measure_fill(live, after)

    def _count_outcome(self, live: LiveOrder, before: Order, after: Order) -> None:
        age_ns = self._clock.monotonic_ns() - live.received_monotonic_ns
        label = outcome_label(before, after)
        on_time = label != "unknown" and age_ns <= ON_TIME_NS
        self._outcomes[after.exchange, label, "true" if on_time else "false"].add()
        if label != "unknown":
            self._latency.record(age_ns / 1e9)

    def _count_final(self, before: Order, after: Order) -> None:
        if after.status not in FINAL:
            return
        side = UNKNOWN if after.side is None else after.side
        self._orders[after.exchange, after.symbol, side, after.order_type, after.status].add()
        unsent = before.status is _S.RECEIVED
        if after.status is _S.DENIED:
            self._telemetry.add(c.DENIALS, source=after.source, reason=after.reason or "invalid_field")
        if after.status is _S.EXPIRED and unsent:
            self._telemetry.add(c.ORDERS_EXPIRED_UNSENT, exchange=after.exchange, reason=after.reason or "max_age")
        if after.status in {_S.DENIED, _S.REJECTED, _S.ABSENT} or (after.status is _S.EXPIRED and unsent):
            reason = "absent" if after.status is _S.ABSENT else after.reason or "other"
            self._telemetry.add(c.ORDER_FAILURES, exchange=after.exchange, symbol=after.symbol, reason=reason)

    def _count_fee(self, order: Order, fill: Fill) -> None:
        base, _, quote = order.symbol.partition(":")[0].partition("/")
        amount = fill.fee * fill.price if fill.fee_currency == base else fill.fee
        usd = self._usd(amount, quote if fill.fee_currency == base else fill.fee_currency)
        if usd is None or usd == 0:
            return
        paid = self._fees if usd > 0 else self._rebates
        paid[order.exchange].add(abs(usd))

    def _measure_fill(self, live: LiveOrder, order: Order) -> None:
        seconds = (self._clock.monotonic_ns() - live.received_monotonic_ns) / 1e9
        self._fill_latency[order.exchange, order.order_type].record(seconds)
        if order.average_price is None or not order.arrival_price or order.side is None:
            return
        bps = (order.average_price - order.arrival_price) / order.arrival_price * 10_000
        adverse = bps if order.side is Side.BUY else -bps
        slippage = self._adverse if adverse >= 0 else self._favourable
        slippage[order.exchange, order.side].record(abs(adverse))

    def _usd(self, amount: Decimal, currency: str) -> Decimal | None:
        if currency in USD:
            return amount
        self._telemetry.add(c.TELEMETRY_DROPPED, signal="metrics", reason="no_usd_conversion")
        return None
