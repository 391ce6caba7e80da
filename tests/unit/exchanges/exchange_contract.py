"""What every implementation of the Exchange protocol must do, as tests to inherit.

A subclass provides the fixture `exchange` (started, closed afterwards, its account without orders) and `place`: a
symbol and an account that holds the currency it pays with, enough for a hundred smallest orders, and no position.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from service.core.ids import new_order_id
from service.core.markets import Balance, MarketType
from service.core.orders import OrderStatus, OrderType, Side
from service.core.outcomes import (
    Accepted,
    Found,
    NotExecuted,
    NotFound,
    Refused,
    RejectReason,
    Unanswered,
    UsedIds,
)
from service.exchanges.protocol import Exchange, ExchangeUnavailable, OrderRef, OrderRequest, Priority


def order_id() -> str:
    return new_order_id(time.time_ns(), secrets.token_bytes(10))


class Place(NamedTuple):
    """Where the contract trades."""

    account: str
    symbol: str


def ref_of(request: OrderRequest) -> OrderRef:
    return OrderRef(
        account=request.account,
        symbol=request.symbol,
        order_type=request.order_type,
        client_order_id=request.client_order_id,
    )


class ExchangeContract:
    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError("the subclass says where to trade")

    def request(self, exchange: Exchange, place: Place, **changes: Any) -> OrderRequest:
        """A market buy of about ten times the minimum, with a new client order id."""
        market, quote = exchange.markets[place.symbol], exchange.quote(place.symbol)
        worth = max(market.min_notional * 10 / quote.ask, market.min_quantity * 10)
        fields = {
            "account": place.account,
            "client_order_id": exchange.client_order_id(order_id()),
            "symbol": place.symbol,
            "side": Side.BUY,
            "order_type": OrderType.MARKET,
            "quantity": market.round_quantity(worth) + market.amount_step,
        }
        return OrderRequest(**(fields | changes))

    def resting(self, exchange: Exchange, place: Place, **changes: Any) -> OrderRequest:
        """A limit buy well below the market."""
        market, quote = exchange.markets[place.symbol], exchange.quote(place.symbol)
        price = market.round_price(quote.bid * Decimal("0.7"))
        return self.request(exchange, place, order_type=OrderType.LIMIT, price=price, **changes)

    async def free(self, exchange: Exchange, place: Place) -> Balance:
        """What the account has of the currency that it pays with."""
        balances = await exchange.fetch_balances(place.account)
        market = exchange.markets[place.symbol]
        return balances.get(market.settle or market.quote, Balance())

    async def held(self, exchange: Exchange, place: Place) -> Decimal:
        """Base units: what is there on spot, the position on a swap."""
        market = exchange.markets[place.symbol]
        if market.type is MarketType.SPOT:
            return (await exchange.fetch_balances(place.account)).get(market.base, Balance()).total
        position = (await exchange.fetch_positions(place.account)).get(place.symbol)
        return Decimal(0) if position is None else position.quantity

    async def test_start_loads_markets_and_prices(self, exchange, place):
        quote = exchange.quote(place.symbol)
        assert place.symbol in exchange.markets
        assert 0 < quote.bid < quote.ask
        assert (await exchange.fetch_quote(place.symbol)).symbol == place.symbol

    async def test_an_unknown_symbol_has_no_price(self, exchange):
        assert exchange.quote("NOT/TRADED") is None
        with pytest.raises(ExchangeUnavailable):
            await exchange.fetch_quote("NOT/TRADED")

    async def test_client_order_ids_are_the_same_for_the_same_order_only(self, exchange):
        one, other = order_id(), order_id()
        assert exchange.client_order_id(one) == exchange.client_order_id(one)
        assert exchange.client_order_id(one) != exchange.client_order_id(other)

    async def test_a_slot_is_given(self, exchange, place):
        await asyncio.wait_for(exchange.slot(place.account, Priority.ORDER), 5)

    async def test_the_exchange_has_a_clock(self, exchange):
        assert abs(await exchange.fetch_time() - time.time_ns()) < 60_000_000_000

    async def test_a_market_order_fills_and_its_report_adds_up(self, exchange, place):
        request = self.request(exchange, place)
        outcome = await exchange.create_order(request)
        assert isinstance(outcome, Accepted)
        assert outcome.report.client_order_id == request.client_order_id
        assert outcome.report.exchange_order_id
        found = await exchange.look_up(ref_of(request))
        assert found.report.status is OrderStatus.FILLED
        assert found.report.filled_qty == request.quantity
        fills = [
            fill
            for fill in await exchange.fills_since(place.account, [place.symbol], 0)
            if fill.exchange_order_id == found.report.exchange_order_id
        ]
        assert {fill.client_order_id for fill in fills} <= {request.client_order_id, None}
        assert sum(fill.quantity for fill in fills) == request.quantity
        assert {fill.id for fill in found.report.fills} <= {fill.id for fill in fills}

    async def test_a_fill_moves_what_is_held_and_costs_money(self, exchange, place):
        held, money = await self.held(exchange, place), await self.free(exchange, place)
        request = self.request(exchange, place)
        await exchange.create_order(request)
        assert 0 < await self.held(exchange, place) - held <= request.quantity
        assert (await self.free(exchange, place)).free < money.free

    async def test_a_resting_order_reserves_and_its_cancel_releases(self, exchange, place):
        before = await self.free(exchange, place)
        request = self.resting(exchange, place)
        outcome = await exchange.create_order(request)
        assert outcome.report.status is OrderStatus.ACCEPTED
        assert [report.client_order_id for report in await exchange.open_orders(place.account)] == [
            request.client_order_id
        ]
        held = await self.free(exchange, place)
        if exchange.markets[place.symbol].type is MarketType.SPOT:
            assert held.used - before.used >= request.quantity * request.price
        canceled = await exchange.cancel_order(ref_of(request))
        assert canceled.status is OrderStatus.CANCELED
        assert await self.free(exchange, place) == before
        assert await exchange.open_orders(place.account) == []

    async def test_a_finished_order_cannot_be_canceled(self, exchange, place):
        request = self.request(exchange, place)
        await exchange.create_order(request)
        assert isinstance(await exchange.cancel_order(ref_of(request)), Refused)

    async def test_an_unknown_order_is_not_found_and_not_canceled(self, exchange, place):
        ref = ref_of(self.request(exchange, place))
        assert isinstance(await exchange.look_up(ref), NotFound)
        assert isinstance(await exchange.cancel_order(ref), Refused)

    async def test_a_used_client_order_id_is_dealt_with_as_the_rules_say(self, exchange, place):
        request = self.resting(exchange, place)
        await exchange.create_order(request)
        again = await exchange.create_order(request)
        assert not isinstance(again, NotExecuted)
        if exchange.rules.used_ids is not UsedIds.UNKNOWN:
            # In doubt where the exchange's answer does not say it plainly: the look-up then finds the first one.
            assert not isinstance(again, Accepted)
        if isinstance(again, Refused):
            assert again.reason is RejectReason.DUPLICATE_CLIENT_ORDER_ID
        await exchange.cancel_order(ref_of(request))
        if exchange.rules.used_ids is UsedIds.REFUSED_FOREVER:
            assert not isinstance(await exchange.create_order(request), Accepted | NotExecuted)

    async def test_more_than_there_is_is_refused(self, exchange, place):
        market, quote = exchange.markets[place.symbol], exchange.quote(place.symbol)
        money = await self.free(exchange, place)
        leverage = 1 if market.type is MarketType.SPOT else 20
        quantity = market.round_quantity(money.free / quote.ask) * 2 * leverage
        request = self.request(exchange, place, quantity=quantity)
        assert (await exchange.create_order(request)).reason is RejectReason.INSUFFICIENT_FUNDS
        assert await self.free(exchange, place) == money

    async def test_less_than_the_minimum_is_refused(self, exchange, place):
        market = exchange.markets[place.symbol]
        below = market.amount_step if market.amount_step < market.min_quantity else market.amount_step / 2
        request = self.request(exchange, place, quantity=below)
        assert (await exchange.create_order(request)).reason is RejectReason.INVALID_ORDER

    async def test_a_caller_that_gives_up_leaves_an_order_that_a_look_up_settles(self, exchange, place):
        request = self.request(exchange, place)
        sending = asyncio.create_task(exchange.create_order(request))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        rules = exchange.rules
        deadline = time.monotonic_ns() + rules.request_validity_ns + rules.visibility_delay_ns
        first = await exchange.look_up(ref_of(request))
        while not isinstance(first, Found) and time.monotonic_ns() < deadline:
            await asyncio.sleep(0.01)
            first = await exchange.look_up(ref_of(request))
        assert type(await exchange.look_up(ref_of(request))) is type(first)

    async def test_nothing_raises_or_pretends_after_close(self, exchange, place):
        request = self.request(exchange, place)
        await exchange.close()
        assert not isinstance(await exchange.create_order(request), Accepted | Refused)
        assert isinstance(await exchange.look_up(ref_of(request)), Unanswered)
        with pytest.raises(ExchangeUnavailable):
            await exchange.fetch_balances(place.account)
