"""Placing and cancelling through ccxt: one call, its evidence, one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from ccxt.base.errors import BaseError, InvalidOrder, OrderNotFound

from service.core.markets import MATH, MarketType, Quote
from service.core.orders import OrderStatus, OrderType, Side
from service.core.outcomes import (
    CodeKind,
    Found,
    InDoubt,
    NotExecuted,
    NotFound,
    OrderReport,
    Outcome,
    Refused,
    RejectReason,
    judge,
)
from service.exchanges.ccxt.clients import Client
from service.exchanges.ccxt.convert import Listed, decimal_of
from service.exchanges.ccxt.evidence import evidence_of, meaning_of
from service.exchanges.ccxt.guard import CallRecord, HttpRequest
from service.exchanges.ccxt.lookups import LookUps
from service.exchanges.ccxt.quotes import Quotes
from service.exchanges.ccxt.shared import Shared
from service.exchanges.protocol import CancelOutcome, ExchangeUnavailable, OrderRef, OrderRequest

_OPEN = frozenset({OrderStatus.ACCEPTED, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED})
_SERVER_ERROR = 500


class _Call(NamedTuple):
    """The arguments of ccxt's `create_order`."""

    symbol: str
    type: str
    side: str
    amount: float
    price: float | None
    params: dict[str, Any]


class Orders:
    def __init__(self, shared: Shared, look_ups: LookUps, quotes: Quotes) -> None:
        self._shared = shared
        self._look_ups = look_ups
        self._quotes = quotes

    async def create(self, request: OrderRequest) -> Outcome:
        """Send once; never raises but for cancellation."""
        listed = self._shared.listings.get(request.symbol)
        try:
            client = self._shared.client(request.account)
            if listed is None:
                return _invalid(f"{request.symbol} is not traded at {self._shared.name}")
            quote = await self._quote_for_cost(request)
        except ExchangeUnavailable as error:
            return NotExecuted(cause=str(error))
        try:
            call = self._call(client, request, listed, quote)
        except (BaseError, ValueError) as error:
            return _invalid(self._shared.traffic.said(error))
        return await self._send(client, request, listed, call)

    async def _send(self, client: Client, request: OrderRequest, listed: Listed, call: _Call) -> Outcome:
        report: OrderReport | None = None
        failure: BaseException | None = None
        traffic = self._shared.traffic
        with traffic.recorded(request.client_order_id, placing=True) as record:
            try:
                async with asyncio.timeout(traffic.timeout):
                    raw = await client.api.create_order(*call)
                quantity = None if self._by_cost(request) else request.quantity
                report = self._shared.report(raw, listed, request.client_order_id, quantity=quantity)
            except Exception as error:  # noqa: BLE001 - whatever it is, the record says whether the order left
                failure = error
        return judge(evidence_of(record, self._shared.profile, report=report, error=failure))

    def _call(self, client: Client, request: OrderRequest, listed: Listed, quote: Quote | None) -> _Call:
        """Raises ValueError, or ccxt's InvalidOrder, for what cannot be sent as it was asked for."""
        profile, market = self._shared.profile, listed.market
        conditional = None if request.order_type in {OrderType.MARKET, OrderType.LIMIT} else profile.conditional
        if conditional is None and request.order_type not in {OrderType.MARKET, OrderType.LIMIT}:
            raise ValueError(f"{request.order_type} orders cannot be placed and found again here")
        place_param = profile.place_param if conditional is None else conditional.place_param
        params: dict[str, Any] = dict(profile.order_params)
        if conditional is not None:
            stop = request.order_type is OrderType.STOP_LOSS
            key = conditional.stop_loss_param if stop else conditional.take_profit_param
            params |= dict(conditional.order_params)
            params[key] = _price(client, market.symbol, request.stop_price)
        if place_param is not None:
            params[place_param] = request.client_order_id
        if market.type is MarketType.SWAP:
            if request.reduce_only:
                params["reduceOnly"] = True
            if client.settings.margin_mode is not None:
                params["marginMode"] = client.settings.margin_mode
        if quote is not None:
            cost = MATH.multiply(request.quantity, quote.ask)
            params["cost"] = float(client.api.cost_to_precision(market.symbol, float(cost)))
        price = None if request.order_type is OrderType.MARKET else request.price
        return _Call(
            symbol=market.symbol,
            type="market" if price is None else "limit",
            side=request.side.value,
            amount=_amount(client, listed, request.quantity),
            price=_price(client, market.symbol, price),
            params=params,
        )

    def _by_cost(self, request: OrderRequest) -> bool:
        """Whether the exchange takes this order's cost in quote units: what it fills is near the quantity, not it."""
        return (
            not self._shared.profile.market_buy_by_quantity
            and request.order_type is OrderType.MARKET
            and request.side is Side.BUY
            and self._shared.listed(request.symbol).market.type is MarketType.SPOT
        )

    async def _quote_for_cost(self, request: OrderRequest) -> Quote | None:
        if not self._by_cost(request):
            return None
        return self._quotes.get(request.symbol) or await self._quotes.fetch(request.symbol)

    async def cancel(self, ref: OrderRef) -> CancelOutcome:
        """By the exchange's id, which a look-up by ours tells where it is not known; never raises but for cancellation.

        A cancel that was confirmed while the order still shows as open is in doubt: it may take its time.
        """
        try:
            client = self._shared.client(ref.account)
        except ExchangeUnavailable as error:
            return NotExecuted(cause=str(error))
        exchange_order_id = ref.exchange_order_id
        if not exchange_order_id:
            known = await self._look_ups.look_up(ref)
            if isinstance(known, NotFound):
                return Refused(reason=RejectReason.OTHER, message="the exchange knows no such order")
            if not isinstance(known, Found):
                return NotExecuted(cause=f"the order's id at the exchange is not known: {known.cause}")
            if known.report.status not in _OPEN:
                return Refused(reason=RejectReason.OTHER, message=f"the order is {known.report.status} already")
            exchange_order_id = known.report.exchange_order_id
        return await self._cancel(client, ref, exchange_order_id)

    async def _cancel(self, client: Client, ref: OrderRef, exchange_order_id: str) -> CancelOutcome:
        params = self._look_ups.way_of(ref).cancel_params
        traffic = self._shared.traffic
        with traffic.recorded(ref.client_order_id) as record:
            try:
                async with asyncio.timeout(traffic.timeout):
                    raw = await client.api.cancel_order(exchange_order_id, ref.symbol, dict(params))
            except Exception as error:  # noqa: BLE001 - whatever it is, the record says whether the cancel left
                return self._failed_cancel(record, error)
        report = self._report_of_cancel(raw, ref)
        if report is not None and report.status not in _OPEN:
            return report
        found = await self._look_ups.look_up(ref)
        if isinstance(found, Found) and found.report.status not in _OPEN:
            return found.report
        return InDoubt(cause="the cancel was confirmed, the order's end is not known yet")

    def _report_of_cancel(self, raw: Any, ref: OrderRef) -> OrderReport | None:
        """What the answer says of the order; many classes only confirm, or repeat the order as it was before."""
        listed = self._shared.listings.get(ref.symbol)
        if listed is None or not isinstance(raw, Mapping) or decimal_of(raw.get("filled")) is None:
            return None
        report = self._shared.report(raw, listed, ref.client_order_id, quantity=ref.quantity)
        return report if report is not None and report.exchange_order_id else None

    def _failed_cancel(self, record: CallRecord, error: BaseException) -> CancelOutcome:
        """A cancel that is refused proves nothing about the order: its own look-up tells what is true."""
        said = self._shared.traffic.said(error)
        if not any(request.sent for request in record.requests):
            return NotExecuted(cause=said)
        last = record.requests[-1]
        if last.status is None or last.status >= _SERVER_ERROR:
            return InDoubt(cause=said)
        meaning = meaning_of(self._shared.profile, last)
        kind = CodeKind.UNKNOWN if meaning is None else meaning.kind
        if kind in {CodeKind.CLOCK_SKEW, CodeKind.RATE_LIMITED}:
            return NotExecuted(cause=kind.value, retry_after=last.retry_after or 0.0)
        if kind is CodeKind.REFUSED or self._says_gone(last, error):
            return Refused(reason=RejectReason.OTHER, message=said)
        return InDoubt(cause=said)

    def _says_gone(self, request: HttpRequest, error: BaseException) -> bool:
        if request.error_key is None:
            return False
        return request.error_key in self._shared.profile.not_found_codes or isinstance(
            error, OrderNotFound | InvalidOrder
        )


def _amount(client: Client, listed: Listed, quantity: Decimal) -> float:
    """In ccxt's unit; raises ValueError where the market's precision would make another quantity of it."""
    amount = listed.to_amount(quantity)
    text = str(client.api.amount_to_precision(listed.market.symbol, float(amount)))
    if Decimal(text) != amount:
        raise ValueError(
            f"quantity {quantity:f} is {amount:f} at the exchange, which takes it as {text}; expected a multiple of "
            f"{listed.market.amount_step:f}"
        )
    return float(text)


def _price(client: Client, symbol: str, price: Decimal | None) -> float | None:
    return None if price is None else float(client.api.price_to_precision(symbol, float(price)))


def _invalid(message: str) -> Refused:
    return Refused(reason=RejectReason.INVALID_ORDER, message=message)
