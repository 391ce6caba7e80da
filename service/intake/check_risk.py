"""Static checks and cached market data only: what can be refused now need not be journaled."""

from __future__ import annotations

from decimal import Decimal

from service.clock import Clock
from service.core import risk
from service.core.markets import Market, Quote
from service.core.orders import Action, Intent, Order, OrderType, SizingMethod
from service.core.refusals import DenialReason, Refusal
from service.execution.halts import Halts
from service.intake.normalize import RETRY_AFTER_S
from service.intake.request import Intake
from telemetry import conventions as c
from telemetry.facade import Telemetry


class CheckRisk:
    """Freshness, confidence, kill switch, order type, price band, size."""

    span = c.SPAN_ORDER_CHECK_RISK

    def __init__(self, halts: Halts, telemetry: Telemetry, clock: Clock) -> None:
        self._halts = halts
        self._telemetry = telemetry
        self._clock = clock

    def __call__(self, intake: Intake) -> None:
        order = intake.order
        assert order is not None, "normalized before"
        try:
            self._check(intake, order)
        except Refusal as refusal:
            self._count(intake, order, refusal.reason)
            raise

    def _check(self, intake: Intake, order: Order) -> None:
        source = intake.known
        risk.check_time(
            order.alert_ts_ns,
            self._clock.now_ns(),
            stale_after_ns=source.stale_after_ns,
            future_tolerance_ns=source.future_tolerance_ns,
        )
        risk.check_confidence(order.confidence, source.settings.min_confidence)
        risk.check_halt(self._halts.level(order.account), order.intent, order.action)
        # A cancel needs neither a market that is open nor a price: nothing is placed.
        if order.action is Action.PLACE:
            self._check_market(intake, order)

    def _check_market(self, intake: Intake, order: Order) -> None:
        alert, market, quote = intake.alert, intake.market, intake.quote
        assert alert is not None, "validated before"
        assert market is not None, "normalized before"
        risk.check_market(alert, market)
        if quote is None:
            if _needs_no_price(order):
                return
            raise Refusal(
                DenialReason.NO_MARKET_DATA,
                f"no price of {market.symbol} is known at {order.exchange}; send it again when there is one",
                status=503,
                retry_after=RETRY_AFTER_S,
            )
        settings = intake.known.settings
        risk.check_price_band(
            order.side,
            order.order_type,
            price=order.price,
            stop_price=order.stop_price,
            quote=quote,
            max_deviation_pct=settings.max_deviation_percent,
        )
        _check_size(order, quote, market, settings.max_notional)

    def _count(self, intake: Intake, order: Order, reason: DenialReason) -> None:
        if reason is DenialReason.STALE:
            self._telemetry.add(c.WEBHOOK_STALE_REJECTED, source=intake.source_label, symbol=order.symbol)
        elif reason is DenialReason.LOW_CONFIDENCE:
            self._telemetry.add(c.WEBHOOK_CONFIDENCE_FILTERED, source=intake.source_label, symbol=order.symbol)


def _needs_no_price(order: Order) -> bool:
    """A way out at the market has no limit to check, and its size is checked before the send: it is not held up."""
    return order.order_type is OrderType.MARKET and order.intent is Intent.EXIT


def _check_size(order: Order, quote: Quote, market: Market, max_notional: Decimal | None) -> None:
    reference = order.price or order.stop_price or quote.for_side(order.side)
    if order.sizing.method is SizingMethod.TARGET:
        risk.check_target(order.sizing.value, reference, market, max_notional)
    else:
        risk.check_size(_quantity(order, reference), reference, market, max_notional)


def _quantity(order: Order, reference: Decimal) -> Decimal | None:
    """Base units, where the alert says how much; sizes that depend on the balance are checked before sending."""
    if order.sizing.method is SizingMethod.QUOTE_AMOUNT:
        return order.sizing.value / reference
    return order.sizing.value if order.sizing.method is SizingMethod.EXPLICIT else None
