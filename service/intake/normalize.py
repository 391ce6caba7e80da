"""Says the alert in our words: which account, which exchange, which market, which order."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from service.clock import Clock
from service.core import freshness, risk
from service.core.alerts import Alert
from service.core.ids import RANDOM_BYTES, new_order_id
from service.core.markets import Market
from service.core.orders import Action, Intent, Order, OrderType, TraceContext
from service.core.refusals import DenialReason, Refusal
from service.core.symbols import SymbolTable
from service.exchanges.protocol import Exchange
from service.execution import attributes
from service.intake.request import Intake, Source
from service.randomness import RandomBytes
from service.settings import SourceSettings
from telemetry import conventions as c
from telemetry.facade import Telemetry

RETRY_AFTER_S = 5
"""When an alert is worth sending again that was refused because an exchange has told no markets or no price yet."""


class Symbols:
    """Each exchange's table of symbols, made anew when its markets were loaded anew."""

    def __init__(self) -> None:
        self._tables: dict[str, tuple[Mapping[str, Market], SymbolTable]] = {}

    def of(self, exchange: Exchange) -> SymbolTable:
        """Raises `Refusal` (no_market_data, 503) while the exchange has not told its markets yet."""
        markets = exchange.markets
        if not markets:
            raise Refusal(
                DenialReason.NO_MARKET_DATA,
                f"{exchange.name} has not told its markets yet; send it again when it has",
                status=503,
                retry_after=RETRY_AFTER_S,
            )
        made_of, table = self._tables.get(exchange.name, (None, None))
        if table is None or made_of is not markets:
            table = SymbolTable(markets.values())
            self._tables[exchange.name] = markets, table
        return table


class Normalize:
    """`accounts` says at which exchange each account is."""

    span = c.SPAN_ORDER_NORMALIZE

    def __init__(self, accounts: Mapping[str, Exchange], telemetry: Telemetry, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._symbols = Symbols()
        self._random = RandomBytes()
        self._telemetry = telemetry

    def __call__(self, intake: Intake) -> None:
        alert = intake.alert
        assert alert is not None, "validated before"
        account = self._account(alert, intake.known.settings)
        exchange = self._accounts[account]
        symbols = self._symbols.of(exchange)
        market = symbols.resolve_traded(alert.symbol, exchange.market_type(account), account)
        if market.symbol != alert.symbol:
            self._telemetry.add(c.NORMALIZATION_OPERATIONS, operation_type="symbol")
        intake.market = market
        intake.quote = freshness.recent(exchange.quote(market.symbol), self._clock.now_ns())
        intake.order = self._order(intake, alert, account, exchange, market)
        intake.identity = attributes.identity(intake.order)

    def _account(self, alert: Alert, settings: SourceSettings) -> str:
        account = alert.account or settings.accounts[0]
        if account not in settings.accounts:
            raise Refusal(
                DenialReason.ACCOUNT_NOT_ALLOWED,
                f"this source may not use account {account!r}",
                extra={"accounts": list(settings.accounts)},
            )
        return account

    def _order(self, intake: Intake, alert: Alert, account: str, exchange: Exchange, market: Market) -> Order:
        source, quote = intake.known, intake.quote
        order_id = new_order_id(intake.received_ns, self._random.take(RANDOM_BYTES))
        cancels = alert.action is Action.CANCEL
        intent = Intent.EXIT if cancels else risk.intent_of(alert.side, market.type, reduce_only=alert.reduce_only)
        price, stop_price = self._rounded(market, alert.price), self._rounded(market, alert.stop_price)
        trace = intake.span.context
        return Order(
            id=order_id,
            client_order_id=exchange.client_order_id(order_id),
            source=intake.source_name,
            exchange=exchange.name,
            account=account,
            symbol=market.symbol,
            action=alert.action,
            side=alert.side,
            order_type=alert.order_type,
            sizing=alert.sizing,
            intent=intent,
            received_ns=intake.received_ns,
            updated_ns=intake.received_ns,
            trace=TraceContext(trace.trace_id, trace.span_id),
            reduce_only=alert.reduce_only,
            price=price,
            stop_price=stop_price,
            confidence=alert.confidence,
            tag=alert.tag,
            comment=alert.comment,
            alert_ts_ns=alert.timestamp_ns,
            max_age_ns=_max_age_ns(intent, alert.order_type, source),
            max_drift_bps=_max_drift(intent, alert.order_type, source.settings),
            arrival_price=None if quote is None else quote.for_side(alert.side),
        )

    def _rounded(self, market: Market, price: Decimal | None) -> Decimal | None:
        if price is None:
            return None
        rounded = market.round_price(price)
        if rounded != price:
            self._telemetry.add(c.NORMALIZATION_OPERATIONS, operation_type="rounded")
        return rounded


def _max_age_ns(intent: Intent, order_type: OrderType, source: Source) -> int | None:
    if intent is Intent.EXIT:
        return None
    return source.max_age_market_ns if order_type is OrderType.MARKET else source.max_age_other_ns


def _max_drift(intent: Intent, order_type: OrderType, settings: SourceSettings) -> Decimal | None:
    return settings.max_drift_bps if intent is Intent.ENTRY and order_type is OrderType.MARKET else None
