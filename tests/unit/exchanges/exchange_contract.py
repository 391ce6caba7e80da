"""What every implementation of the Exchange protocol must do, as tests to inherit.

A subclass provides the fixture `exchange` (started, closed afterwards) and `place`: a spot symbol and an account that
holds its quote currency, enough for a hundred smallest orders, and nothing of its base currency.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from service.core.markets import Balance
from service.core.orders import OrderStatus, OrderType, Side
from service.core.outcomes import Accepted, Found, NotFound, Refused, RejectReason, Unanswered, UsedIds
from service.exchanges.protocol import Exchange, ExchangeUnavailable, OrderRef, OrderRequest, Priority

_ids = itertools.count()


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
            "client_order_id": exchange.client_order_id(f"contract{next(_ids):08d}"),
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
        balances = await exchange.fetch_balances(place.account)
        return balances.get(exchange.markets[place.symbol].quote, Balance())

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
        assert exchange.client_order_id("order1") == exchange.client_order_id("order1")
        assert exchange.client_order_id("order1") != exchange.client_order_id("order2")

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
            for fill in await exchange.fills_since(place.account, 0)
            if fill.client_order_id == request.client_order_id
        ]
        assert sum(fill.quantity for fill in fills) == request.quantity
        assert {fill.id for fill in found.report.fills} <= {fill.id for fill in fills}

    async def test_a_fill_moves_both_balances(self, exchange, place):
        before = await exchange.fetch_balances(place.account)
        request = self.request(exchange, place)
        await exchange.create_order(request)
        after = await exchange.fetch_balances(place.account)
        market = exchange.markets[place.symbol]
        assert after[market.quote].total < before[market.quote].total
        assert 0 < after[market.base].free <= request.quantity

    async def test_a_resting_order_reserves_and_its_cancel_releases(self, exchange, place):
        before = await self.free(exchange, place)
        request = self.resting(exchange, place)
        outcome = await exchange.create_order(request)
        assert outcome.report.status is OrderStatus.ACCEPTED
        assert [report.client_order_id for report in await exchange.open_orders(place.account)] == [
            request.client_order_id
        ]
        held = await self.free(exchange, place)
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
        if exchange.rules.used_ids is not UsedIds.UNKNOWN:
            assert again.reason is RejectReason.DUPLICATE_CLIENT_ORDER_ID
        await exchange.cancel_order(ref_of(request))
        if exchange.rules.used_ids is UsedIds.REFUSED_FOREVER:
            assert (await exchange.create_order(request)).reason is RejectReason.DUPLICATE_CLIENT_ORDER_ID

    async def test_more_than_there_is_is_refused(self, exchange, place):
        market, quote = exchange.markets[place.symbol], exchange.quote(place.symbol)
        money = await self.free(exchange, place)
        quantity = market.round_quantity(money.free / quote.ask) * 2
        request = self.request(exchange, place, quantity=quantity)
        assert (await exchange.create_order(request)).reason is RejectReason.INSUFFICIENT_FUNDS
        assert await self.free(exchange, place) == money

    async def test_less_than_the_minimum_is_refused(self, exchange, place):
        request = self.request(exchange, place, quantity=exchange.markets[place.symbol].amount_step)
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
