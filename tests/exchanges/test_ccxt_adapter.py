"""What the ccxt adapter does with what goes wrong, judged by the simulator's ledger."""

from __future__ import annotations

import logging
import secrets
import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from service.clock import SystemClock
from service.core.ids import new_order_id
from service.core.orders import OrderStatus, OrderType, Side
from service.core.outcomes import (
    Accepted,
    Found,
    InDoubt,
    NotExecuted,
    NotFound,
    OrderReport,
    Refused,
    RejectReason,
    Unanswered,
)
from service.errors import ConfigurationError
from service.exchanges.ccxt import reads, search
from service.exchanges.ccxt.exchange import CcxtExchange
from service.exchanges.ccxt.profiles import LookUpMethod
from service.exchanges.limiter import Limiter
from service.exchanges.protocol import ExchangeUnavailable, OrderRef, OrderRequest, Priority
from tests.exchanges.adapter import ACCOUNT, KEYS, adapter, trading
from tests.simulator import faults
from tests.simulator.__main__ import make_venue
from tests.simulator.binance import INSTRUMENTS, BinanceSpot
from tests.simulator.engine import Engine
from tests.simulator.model import FillPlan
from tests.simulator.server import Simulator
from tests.support.waiting import until

BTC = "BTC/USDT"
ETH = "ETH/USDT"
PERPETUAL = "BTC/USDT:USDT"


def buy(exchange: CcxtExchange, **changes: Any) -> OrderRequest:
    fields = {
        "account": ACCOUNT,
        "client_order_id": exchange.client_order_id(new_order_id(time.time_ns(), secrets.token_bytes(10))),
        "symbol": BTC,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("0.01"),
    }
    return OrderRequest(**(fields | changes))


def low(exchange: CcxtExchange, **changes: Any) -> OrderRequest:
    """Rests below the market."""
    return buy(exchange, order_type=OrderType.LIMIT, price=Decimal(40_000), **changes)


def ref_of(request: OrderRequest, exchange_order_id: str | None = None) -> OrderRef:
    return OrderRef(
        account=request.account,
        symbol=request.symbol,
        order_type=request.order_type,
        client_order_id=request.client_order_id,
        exchange_order_id=exchange_order_id,
        side=request.side,
        quantity=request.quantity,
        price=request.price,
        submitted_ns=time.time_ns(),
    )


def binance(**options: Any) -> Any:
    return trading("binance", "spot", BTC, **options)


class TestPlacing:
    @pytest.mark.parametrize(
        "fault",
        [
            faults.close_after(),
            faults.close_after(reset=True),
            faults.status_after(502),
            faults.html_200(),
            faults.html_524(),
            faults.empty_200(),
            faults.truncated_json(),
            faults.cut_body(),
            faults.missing_id(),
            faults.unknown_status(),
        ],
        ids=lambda fault: f"{fault.kind}-{fault.status}",
    )
    async def test_an_answer_that_proves_nothing_leaves_the_order_in_doubt_and_a_look_up_finds_it(self, fault):
        async with binance() as (exchange, simulator):
            request = buy(exchange)
            simulator.schedule.queue("place", fault)
            assert isinstance(await exchange.create_order(request), InDoubt)
            found = await exchange.look_up(ref_of(request))
            assert found.report.status is OrderStatus.FILLED
            assert simulator.ledger.placed(request.client_order_id) == 1

    @pytest.mark.parametrize(
        "fault",
        [faults.close_before(), faults.status_before(503), faults.redirect(307), faults.html_200(after=False)],
        ids=lambda fault: f"{fault.kind}-{fault.status}",
    )
    async def test_an_order_that_never_arrived_is_in_doubt_and_then_not_found(self, fault):
        async with binance() as (exchange, simulator):
            request = buy(exchange)
            simulator.schedule.queue("place", fault)
            assert isinstance(await exchange.create_order(request), InDoubt)
            assert isinstance(await exchange.look_up(ref_of(request)), NotFound)
            assert simulator.ledger.placed(request.client_order_id) == 0

    async def test_an_order_without_an_answer_is_in_doubt_within_the_time_of_a_request(self):
        async with binance(timeout=0.5) as (exchange, simulator):
            simulator.schedule.queue("place", faults.hang())
            assert await exchange.create_order(buy(exchange)) == InDoubt(cause="timeout")

    async def test_an_order_that_could_not_be_sent_was_not_executed(self):
        async with binance() as (exchange, simulator):
            await simulator.stop()
            assert isinstance(await exchange.create_order(buy(exchange)), NotExecuted)

    async def test_an_exchange_that_says_rejected_refused(self):
        async with binance() as (exchange, simulator):
            simulator.schedule.queue("place", faults.rejected_200())
            assert isinstance(await exchange.create_order(buy(exchange)), Refused)

    async def test_a_rate_limit_holds_every_request_back_as_long_as_it_says(self):
        async with binance() as (exchange, simulator):
            simulator.schedule.queue("place", faults.rate_limited(0.7))
            outcome = await exchange.create_order(buy(exchange))
            assert isinstance(outcome, NotExecuted)
            assert outcome.retry_after == pytest.approx(0.7)
            started = time.monotonic()
            await exchange.slot(ACCOUNT, Priority.CANCEL)
            assert time.monotonic() - started > 0.4

    async def test_a_clock_that_is_off_is_read_again_before_the_next_order(self):
        async with binance() as (exchange, simulator):
            simulator.schedule.skew_ms = 60_000
            assert await exchange.create_order(buy(exchange)) == NotExecuted(cause="clock_skew")
            assert isinstance(await exchange.create_order(buy(exchange)), Accepted)

    async def test_a_market_orders_executions_come_with_the_answer(self):
        async with binance() as (exchange, _):
            report = (await exchange.create_order(buy(exchange))).report
            assert report.status is OrderStatus.FILLED
            assert sum(fill.quantity for fill in report.fills) == Decimal("0.01")
            assert {fill.fee_currency for fill in report.fills} == {"BTC"}

    async def test_what_was_filled_of_an_order_is_told_while_it_rests_and_when_it_is_canceled(self):
        async with binance() as (exchange, simulator):
            for then, status in (("rest", OrderStatus.PARTIALLY_FILLED), ("cancel", OrderStatus.CANCELED)):
                request = buy(exchange, order_type=OrderType.LIMIT, price=Decimal(60_000))
                simulator.schedule.queue("place", faults.filled_as(FillPlan.partly("0.4", then=then)))
                await exchange.create_order(request)
                report = (await exchange.look_up(ref_of(request))).report
                assert (report.status, report.filled_qty) == (status, Decimal("0.004"))

    async def test_a_quantity_that_the_precision_would_change_is_refused_here(self):
        async with binance() as (exchange, simulator):
            outcome = await exchange.create_order(buy(exchange, quantity=Decimal("0.0123456789")))
            assert (outcome.reason, simulator.count("place")) == (RejectReason.INVALID_ORDER, 0)

    async def test_a_symbol_that_is_not_traded_is_refused_here(self):
        async with binance() as (exchange, _):
            outcome = await exchange.create_order(buy(exchange, symbol="DOGE/USDT"))
            assert outcome.reason is RejectReason.INVALID_ORDER

    async def test_contracts_are_counted_in_base_units(self):
        async with trading("okx", "swap", PERPETUAL) as (exchange, simulator):
            request = buy(exchange, symbol=PERPETUAL, quantity=Decimal("0.03"))
            assert isinstance(await exchange.create_order(request), Accepted)
            placed = [event for event in simulator.ledger.events if event.kind == "placed"]
            assert [event.quantity for event in placed] == [3]
            assert (await exchange.fetch_positions(ACCOUNT))[PERPETUAL].quantity == Decimal("0.03")
            (trade,) = await exchange.fills_since(ACCOUNT, [PERPETUAL], 0)
            assert trade.quantity == Decimal("0.03")

    async def test_a_reducing_order_cannot_turn_a_position(self):
        async with trading("okx", "swap", PERPETUAL) as (exchange, _):
            await exchange.create_order(buy(exchange, symbol=PERPETUAL, quantity=Decimal("0.03")))
            close = buy(exchange, symbol=PERPETUAL, quantity=Decimal("0.03"), side=Side.SELL, reduce_only=True)
            await exchange.create_order(close)
            assert await exchange.fetch_positions(ACCOUNT) == {}
            again = buy(exchange, symbol=PERPETUAL, quantity=Decimal("0.03"), side=Side.SELL, reduce_only=True)
            assert not isinstance(await exchange.create_order(again), Accepted)


class TestLookingUp:
    @pytest.mark.parametrize(
        "fault",
        [
            faults.close_before(),
            faults.close_after(),
            faults.status_before(503),
            faults.status_after(502),
            faults.redirect(307),
            faults.html_200(),
            faults.html_524(),
            faults.empty_200(),
            faults.other_json(),
            faults.truncated_json(),
            faults.cut_body(),
            faults.rate_limited(0.0),
            faults.hang(),
        ],
        ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.after}",
    )
    @pytest.mark.parametrize(
        ("venue", "kind", "symbol"),
        [
            ("binance", "spot", BTC),
            ("okx", "swap", PERPETUAL),
            ("bybit", "swap", PERPETUAL),
            ("deribit", "swap", "BTC/USDC:USDC"),
        ],
        ids=["binance", "okx", "bybit", "deribit"],
    )
    async def test_a_look_up_that_fails_says_nothing(self, venue, kind, symbol, fault):
        async with trading(venue, kind, symbol, timeout=1.0) as (exchange, simulator):
            request = buy(exchange, symbol=symbol)
            simulator.schedule.queue("look_up", fault)
            simulator.schedule.queue("orders", fault)
            assert isinstance(await exchange.look_up(ref_of(request)), Unanswered)
            simulator.schedule.clear()
            assert isinstance(await exchange.look_up(ref_of(request)), NotFound)

    async def test_an_order_older_than_the_exchange_keeps_it_is_never_not_found(self):
        async with binance(look_up_life_s=3600.0) as (exchange, _):
            ref = ref_of(buy(exchange))
            assert isinstance(await exchange.look_up(ref), NotFound)
            old = msgspec.structs.replace(ref, submitted_ns=time.time_ns() - 7200 * 1_000_000_000)
            assert isinstance(await exchange.look_up(old), Unanswered)

    async def test_an_empty_account_and_an_unknown_one_are_told_apart(self):
        async with binance() as (exchange, _):
            with pytest.raises(ExchangeUnavailable, match="no account"):
                await exchange.fetch_balances("other")


class TestCanceling:
    async def test_a_cancel_that_comes_too_late_is_refused_or_tells_the_fill(self):
        async with binance() as (exchange, simulator):
            request = low(exchange)
            simulator.schedule.queue("place", faults.cancel_crosses_fill())
            await exchange.create_order(request)
            outcome = await exchange.cancel_order(ref_of(request))
            assert isinstance(outcome, Refused)
            assert (await exchange.look_up(ref_of(request))).report.status is OrderStatus.FILLED

    @pytest.mark.parametrize("fault", [faults.close_after(), faults.status_after(502), faults.html_524()])
    async def test_a_cancel_without_an_answer_is_in_doubt_or_told_by_a_look_up(self, fault):
        async with binance() as (exchange, simulator):
            request = low(exchange)
            report = (await exchange.create_order(request)).report
            simulator.schedule.queue("cancel", fault)
            outcome = await exchange.cancel_order(ref_of(request, report.exchange_order_id))
            # A page instead of an answer is no error to ccxt: then the order itself is asked.
            assert isinstance(outcome, InDoubt) or outcome.status is OrderStatus.CANCELED

    async def test_a_cancel_that_was_not_executed_is_never_told_as_done(self):
        async with binance() as (exchange, simulator):
            for fault in (faults.close_before(), faults.status_before(503), faults.html_524(after=False)):
                request = low(exchange)
                report = (await exchange.create_order(request)).report
                simulator.schedule.queue("cancel", fault)
                assert isinstance(await exchange.cancel_order(ref_of(request, report.exchange_order_id)), InDoubt)

    async def test_a_cancel_that_could_not_be_sent_was_not_executed(self):
        async with binance() as (exchange, simulator):
            await simulator.stop()
            assert isinstance(await exchange.cancel_order(ref_of(low(exchange), "123")), NotExecuted)

    async def test_an_exchange_that_only_confirms_is_asked_what_became_of_the_order(self):
        async with trading("okx", "swap", PERPETUAL) as (exchange, _):
            request = low(exchange, symbol=PERPETUAL)
            report = (await exchange.create_order(request)).report
            outcome = await exchange.cancel_order(ref_of(request, report.exchange_order_id))
            assert isinstance(outcome, OrderReport)
            assert outcome.status is OrderStatus.CANCELED


class TestStops:
    async def test_a_stop_rests_is_found_and_is_canceled(self):
        async with binance() as (exchange, _):
            stop = {"order_type": OrderType.STOP_LOSS, "stop_price": Decimal(45_000)}
            request = buy(exchange, side=Side.SELL, **stop)
            outcome = await exchange.create_order(request)
            assert outcome.report.status is OrderStatus.ACCEPTED
            assert (await exchange.look_up(ref_of(request))).report.status is OrderStatus.ACCEPTED
            canceled = await exchange.cancel_order(ref_of(request, outcome.report.exchange_order_id))
            assert canceled.status is OrderStatus.CANCELED

    async def test_stops_are_refused_where_they_cannot_be_found_again(self):
        async with binance(conditional=None) as (exchange, simulator):
            assert exchange.markets[BTC].order_types == {OrderType.MARKET, OrderType.LIMIT}
            stop = buy(exchange, side=Side.SELL, order_type=OrderType.STOP_LOSS, stop_price=Decimal(45_000))
            assert isinstance(await exchange.create_order(stop), Refused)
            assert simulator.count("place") == 0


class TestPrices:
    async def test_a_configured_symbols_price_is_kept_fresh(self):
        async with binance() as (exchange, simulator):
            first = exchange.quote(BTC)
            simulator.engine.set_price("BTCUSDT", "61000", "61001")

            async def moved() -> bool:
                return exchange.quote(BTC).bid == 61_000

            await until(moved)
            assert exchange.quote(BTC).ts_ns > first.ts_ns

    async def test_another_symbol_is_kept_warm_once_it_is_asked_for(self):
        async with binance() as (exchange, _):
            assert exchange.quote(ETH) is None

            async def known() -> bool:
                return exchange.quote(ETH) is not None

            assert await until(known)

    async def test_a_price_that_is_missing_does_not_stop_the_start(self):
        async with Simulator(_priceless()) as simulator:
            exchange = adapter("binance", "spot", BTC, api_url=simulator.base_url)
            await exchange.start()
            assert exchange.quote(BTC) is None
            await exchange.close()


def _priceless() -> BinanceSpot:
    return BinanceSpot(Engine(INSTRUMENTS, used_ids="refused_while_open", funds={"USDT": Decimal(1000)}))


class TestSearching:
    """An exchange that takes no client order id: the same simulator, never asked by id."""

    def unverifiable(self) -> Any:
        return binance(look_up=LookUpMethod.NONE, place_param=None, settings={"allow_unverifiable": True})

    async def lose(self, exchange: CcxtExchange, simulator: Simulator, request: OrderRequest) -> OrderRef:
        """Place it without learning its id."""
        ref = ref_of(request)
        simulator.schedule.queue("place", faults.close_after())
        assert isinstance(await exchange.create_order(request), InDoubt)
        return ref

    @pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.LIMIT])
    async def test_the_one_order_that_looks_like_ours_is_found(self, kind):
        async with self.unverifiable() as (exchange, simulator):
            await exchange.create_order(buy(exchange, quantity=Decimal("0.02")))
            await exchange.create_order(low(exchange, quantity=Decimal("0.02")))
            request = buy(exchange) if kind is OrderType.MARKET else low(exchange)
            found = await exchange.look_up(await self.lose(exchange, simulator, request))
            assert isinstance(found, Found)
            assert found.report.client_order_id == request.client_order_id
            assert found.report.status is (OrderStatus.FILLED if kind is OrderType.MARKET else OrderStatus.ACCEPTED)

    async def test_two_orders_that_look_alike_are_no_answer(self):
        async with self.unverifiable() as (exchange, simulator):
            ref = await self.lose(exchange, simulator, low(exchange))
            await exchange.create_order(low(exchange))
            assert await exchange.look_up(ref) == Unanswered(cause="several orders could be it")

    async def test_an_older_order_that_looks_alike_is_not_it_even_where_lists_begin_earlier(self, monkeypatch):
        def ask_for_all(client: Any, method: str, symbol: str, since_ms: int) -> Any:
            return lambda: getattr(client.api, method)(symbol)

        monkeypatch.setattr(search, "_ask", ask_for_all)
        async with self.unverifiable() as (exchange, _):
            request = low(exchange)
            await exchange.create_order(request)
            later = msgspec.structs.replace(ref_of(request), submitted_ns=time.time_ns() + 60_000_000_000)
            assert isinstance(await exchange.look_up(later), Unanswered)

    async def test_absence_is_never_told(self):
        async with self.unverifiable() as (exchange, _):
            assert not exchange.rules.looks_up_by_client_id
            assert isinstance(await exchange.look_up(ref_of(low(exchange))), Unanswered)

    async def test_a_known_order_is_asked_for_by_the_exchanges_id(self):
        async with self.unverifiable() as (exchange, _):
            request = low(exchange)
            report = (await exchange.create_order(request)).report
            ref = msgspec.structs.replace(ref_of(request, report.exchange_order_id), side=None, quantity=None)
            assert (await exchange.look_up(ref)).report.status is OrderStatus.ACCEPTED

    async def test_an_order_in_no_list_is_found_by_its_executions(self, monkeypatch):
        async with self.unverifiable() as (exchange, simulator):
            monkeypatch.setattr(search, "_LISTS", (("fetchOpenOrders", "fetch_open_orders"),))
            monkeypatch.setattr(search, "_ENDED", ())
            await exchange.create_order(buy(exchange, quantity=Decimal("0.02")))
            found = await exchange.look_up(await self.lose(exchange, simulator, buy(exchange)))
            assert (found.report.status, found.report.filled_qty) == (OrderStatus.FILLED, Decimal("0.01"))
            assert found.report.average_price == 50_001


class TestFills:
    async def test_more_executions_than_a_page_holds_are_all_read_oldest_first(self, monkeypatch):
        monkeypatch.setattr(reads, "_PAGE", 3)
        monkeypatch.setattr(reads, "_FEWEST", 1)
        async with binance() as (exchange, _):
            for _ in range(7):
                await exchange.create_order(buy(exchange))
            trades = await exchange.fills_since(ACCOUNT, [BTC], time.time_ns() - 60_000_000_000)
            assert len(trades) == len({trade.id for trade in trades}) == 7
            assert [trade.ts_event_ns for trade in trades] == sorted(trade.ts_event_ns for trade in trades)

    async def test_what_was_executed_before_is_left_out(self):
        async with binance() as (exchange, _):
            await exchange.create_order(buy(exchange))
            assert await exchange.fills_since(ACCOUNT, [BTC], time.time_ns() + 60_000_000_000) == []


class TestStarting:
    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"keys": {}}, "FILLPATH_EXCHANGE_MAIN_API_KEY, FILLPATH_EXCHANGE_MAIN_SECRET"),
            ({"api_url": "http://192.0.2.1:1"}, "live = true"),
            ({"look_up": LookUpMethod.NONE}, "allow_unverifiable"),
            ({"place_param": None}, "allow_unverifiable"),
        ],
    )
    async def test_what_the_user_must_mend_is_named(self, options, words):
        exchange = adapter("binance", "spot", BTC, **options)
        with pytest.raises(ConfigurationError, match=words):
            await exchange.start()

    async def test_an_exchange_without_a_sandbox_is_not_traded_by_mistake(self):
        exchange = adapter("kraken", "spot", "BTC/USD")
        with pytest.raises(ConfigurationError, match="no sandbox"):
            await exchange.start()

    async def test_an_account_type_that_nothing_is_known_of_is_refused(self):
        exchange = adapter("binance", "swap", PERPETUAL)
        with pytest.raises(ConfigurationError, match="spot only"):
            await exchange.start()

    async def test_a_symbol_that_is_not_there_is_named_with_those_near_it(self):
        async with Simulator(make_venue("binance")) as simulator:
            exchange = adapter("binance", "spot", "BTC/USDX", api_url=simulator.base_url)
            with pytest.raises(ConfigurationError, match="did you mean BTC/USDT"):
                await exchange.start()

    async def test_an_exchange_that_is_down_can_be_started_later(self):
        async with Simulator(make_venue("binance")) as simulator:
            exchange = adapter("binance", "spot", BTC, api_url=simulator.base_url)
            await simulator.stop()
            with pytest.raises(ExchangeUnavailable):
                await exchange.start()
            await simulator.start()
            await exchange.start()
            assert isinstance(await exchange.create_order(buy(exchange)), Accepted)
            await exchange.close()

    async def test_leverage_that_differs_from_what_is_declared_stops_the_start(self):
        with pytest.raises(ConfigurationError, match="leverage is declared as 7"):
            async with trading("okx", "swap", PERPETUAL, account={"leverage": Decimal(7), "margin_mode": "cross"}):
                pass

    async def test_what_the_exchange_cannot_tell_is_noted(self):
        async with trading("okx", "swap", PERPETUAL, account={"margin_mode": "cross"}) as (exchange, _):
            (note,) = exchange.notes[ACCOUNT]
            assert "margin_mode = cross is not verified" in note


class TestSecrets:
    async def test_no_credential_or_signature_is_logged_or_told(self, caplog):
        caplog.set_level(logging.DEBUG)
        async with binance(timeout=1.0) as (exchange, simulator):
            await exchange.create_order(buy(exchange))
            simulator.schedule.queue("balances", faults.status_before(503), faults.hang())
            told = []
            for _ in range(2):
                with pytest.raises(ExchangeUnavailable) as error:
                    await exchange.fetch_balances(ACCOUNT)
                told.append(str(error.value))
        text = caplog.text + " ".join(told)
        assert "signature" not in text
        assert not [secret for secret in KEYS.values() if secret.reveal() in text]


class TestLimits:
    class Counting(Limiter):
        def __init__(self) -> None:
            super().__init__(rate=1000, burst=1000, clock=SystemClock())
            self.taken: list[Priority] = []
            self.charged = 0.0

        async def take(self, priority: Priority, cost: float = 1.0) -> None:
            self.taken.append(priority)
            await super().take(priority, cost)

        def charge(self, cost: float) -> None:
            self.charged += cost
            super().charge(cost)

    async def test_what_no_slot_has_paid_is_charged(self):
        limiter = self.Counting()
        async with binance(limiter=limiter) as (exchange, _):
            before = limiter.charged
            await exchange.fetch_balances(ACCOUNT)
            unpaid = limiter.charged - before
            assert unpaid > 0
            await exchange.slot(ACCOUNT, Priority.FOLLOW)
            await exchange.fetch_balances(ACCOUNT)
            assert limiter.charged - before - unpaid == pytest.approx(max(unpaid - 1, 0))
