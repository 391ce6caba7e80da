"""What every simulated swap venue does, through ccxt's own class: subclass `VenueContract`, with a `bench` fixture."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any

import ccxt.async_support as ccxt
import pytest

from tests.simulator import faults
from tests.simulator.clients import point_at
from tests.simulator.faults import Fault
from tests.simulator.model import FillPlan, Instrument
from tests.simulator.server import Simulator
from tests.simulator.venue import API_KEY, API_PASSWORD, API_SECRET


class Bench(ABC):
    """One venue and a ccxt client of it.

    `size` is an order's as ccxt takes it, `base` the same in base units. `resends` says that orders are placed by GET:
    aiohttp repeats those after a lost connection. `gross_skew_ms` is a clock's error that the venue does not tolerate,
    `skew_code` its code for that.
    """

    symbol: str
    ccxt_id: str
    id_parameter = "clientOrderId"
    size = 2.0
    base = Decimal("0.02")
    resends = False
    gross_skew_ms = 120_000
    skew_code: str
    bad_signature_code: str

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        credentials = {"apiKey": API_KEY, "secret": API_SECRET, "password": API_PASSWORD}
        self.exchange: Any = getattr(ccxt, self.ccxt_id)({**credentials, "enableRateLimit": False})
        self.exchange.options["defaultType"] = "swap"
        # What it waits for when it closes is TLS.
        self.exchange.timeout_on_exit = 0
        point_at(self.exchange, simulator.base_url)

    @property
    def instrument(self) -> Instrument:
        return next(iter(self.simulator.engine.instruments.values()))

    async def place(self, client_id: str, kind: str = "market", side: str = "buy", **fields: Any) -> Any:
        """`fields` are ccxt's parameters, but for `size` and `price`."""
        size, price = fields.pop("size", self.size), fields.pop("price", None)
        params = {self.id_parameter: client_id, **fields}
        return await self.exchange.create_order(self.symbol, kind, side, size, price, params)

    async def attempt(self, client_id: str) -> str | None:
        """The order id that ccxt hands out; None when it raises, or returns an order without one."""
        try:
            return (await self.place(client_id))["id"] or None
        except (ccxt.BaseError, TypeError):
            # Deribit's class raises the latter when the answer is no JSON.
            return None

    async def cancel(self, order: Any) -> Any:
        return await self.exchange.cancel_order(order["id"], self.symbol)

    @abstractmethod
    async def look_up(self, client_id: str) -> Any:
        """ccxt's order of that client order id; None when the venue says that there is none."""

    @abstractmethod
    async def position(self) -> Decimal:
        """In base units, negative when short."""


NAMED_FAULTS: dict[str, tuple[Fault, int, bool]] = {
    "delay": (faults.delay(0.05), 1, True),
    "status before": (faults.status_before(), 0, False),
    "status after": (faults.status_after(), 1, False),
    "html 200": (faults.html_200(), 1, False),
    "html 524": (faults.html_524(), 1, False),
    "empty": (faults.empty_200(), 1, False),
    "truncated": (faults.truncated_json(), 1, False),
    "cut": (faults.cut_body(), 1, False),
    "missing id": (faults.missing_id(), 1, False),
    "unknown status before": (faults.unknown_status(after=False), 0, False),
    "unknown status after": (faults.unknown_status(), 1, False),
    "rate limited": (faults.rate_limited(), 0, False),
    "banned": (faults.banned(), 0, False),
    "invisible": (faults.invisible(60), 1, True),
    "partial, then canceled": (faults.partial_then_cancel(), 1, True),
}
"""Fault, how often it places the order, whether ccxt hands out an order id; closes and redirects have own tests."""


class VenueContract:
    async def test_markets_prices_and_time_are_those_of_the_engine(self, bench: Bench) -> None:
        simulator, found = bench.simulator, bench.instrument
        market = (await bench.exchange.load_markets())[bench.symbol]
        assert (market["swap"], market["linear"], market["active"]) == (True, True, True)
        assert Decimal(str(market["precision"]["amount"])) == found.step
        assert Decimal(str(market["precision"]["price"])) == found.tick
        simulator.engine.set_price(found.symbol, "60000", "60000.5")
        ticker = await bench.exchange.fetch_ticker(bench.symbol)
        book = await bench.exchange.fetch_order_book(bench.symbol)
        assert (ticker["bid"], ticker["ask"]) == (60000, 60000.5)
        assert (book["bids"][0][0], book["asks"][0][0]) == (60000, 60000.5)
        simulator.schedule.skew_ms = 5_000
        assert abs(await bench.exchange.fetch_time() - simulator.engine.clock() // 1_000_000 - 5_000) < 2_000

    async def test_a_market_order_opens_a_position_and_pays_its_fee_in_the_settlement_currency(
        self, bench: Bench
    ) -> None:
        placed = await bench.place("fp1")
        found = await bench.look_up("fp1")
        assert (found["id"], found["status"], found["filled"]) == (placed["id"], "closed", bench.size)
        assert await bench.position() == bench.base
        (trade,) = await bench.exchange.fetch_my_trades(bench.symbol)
        paid = bench.base * Decimal(str(found["average"])) * bench.instrument.taker_fee
        assert Decimal(str(trade["fee"]["cost"])) == paid
        assert (trade["fee"]["currency"], trade["order"]) == (bench.instrument.quote, placed["id"])
        balance = (await bench.exchange.fetch_balance())[bench.instrument.quote]
        assert 0 < balance["free"] < balance["total"] < 100_000

    async def test_a_limit_rests_and_is_the_maker_when_the_price_comes(self, bench: Bench) -> None:
        await bench.place("fp1", "limit", price=40_000)
        (resting,) = await bench.exchange.fetch_open_orders(bench.symbol)
        assert (resting["status"], resting["filled"], resting["price"]) == ("open", 0, 40_000)
        bench.simulator.engine.set_price(bench.instrument.symbol, "39990", "39991")
        found = await bench.look_up("fp1")
        assert (found["status"], found["average"]) == ("closed", 40_000)
        (trade,) = await bench.exchange.fetch_my_trades(bench.symbol)
        assert trade["takerOrMaker"] == "maker"
        assert await bench.exchange.fetch_open_orders(bench.symbol) == []

    async def test_a_sell_opens_a_short_position(self, bench: Bench) -> None:
        await bench.place("fp1", side="sell")
        assert await bench.position() == -bench.base

    async def test_an_order_filled_in_part_stays_open(self, bench: Bench) -> None:
        bench.simulator.engine.next_fill(FillPlan.partly("0.5", then="rest"))
        await bench.place("fp1", "limit", price=50_001)
        found = await bench.look_up("fp1")
        assert (found["status"], found["filled"], found["remaining"]) == ("open", bench.size / 2, bench.size / 2)

    async def test_an_order_filled_in_parts_has_a_trade_for_each(self, bench: Bench) -> None:
        bench.simulator.engine.next_fill(FillPlan.in_parts(2))
        await bench.place("fp1")
        trades = await bench.exchange.fetch_my_trades(bench.symbol)
        assert sum(trade["amount"] for trade in trades) == bench.size
        assert len({trade["id"] for trade in trades}) == 2

    async def test_a_canceled_order_is_found_as_canceled_and_a_second_cancel_refused(self, bench: Bench) -> None:
        order = await bench.place("fp1", "limit", price=40_000)
        await bench.cancel(order)
        assert (await bench.look_up("fp1"))["status"] == "canceled"
        with pytest.raises(ccxt.ExchangeError):
            await bench.cancel(order)

    async def test_a_cancel_that_comes_too_late_finds_the_order_filled(self, bench: Bench) -> None:
        bench.simulator.schedule.queue("place", faults.cancel_crosses_fill())
        order = await bench.place("fp1", "limit", price=40_000)
        with contextlib.suppress(ccxt.ExchangeError):
            await bench.cancel(order)
        assert (await bench.look_up("fp1"))["status"] == "closed"

    async def test_an_id_that_was_never_placed_is_not_found(self, bench: Bench) -> None:
        await bench.place("fp1")
        assert await bench.look_up("fpnever") is None

    async def test_an_order_above_the_funds_is_refused(self, bench: Bench) -> None:
        with pytest.raises(ccxt.InsufficientFunds):
            await bench.place("fp1", size=bench.size * 5_000)
        assert bench.simulator.ledger.refused("fp1") == ["insufficient_funds"]

    async def test_a_reduce_only_order_without_a_position_is_refused(self, bench: Bench) -> None:
        with pytest.raises(ccxt.ExchangeError):
            await bench.place("fp1", side="sell", reduceOnly=True)
        assert bench.simulator.ledger.refused("fp1") == ["reduce_only"]

    async def test_a_reduce_only_order_never_turns_the_position(self, bench: Bench) -> None:
        await bench.place("fp1")
        await bench.place("fp2", side="sell", size=bench.size * 3, reduceOnly=True)
        assert await bench.position() == 0
        assert bench.simulator.ledger.filled("fp2") == bench.simulator.ledger.filled("fp1")

    async def test_positions_add_up_and_closing_one_brings_its_profit(self, bench: Bench) -> None:
        await bench.place("fp1")
        bench.simulator.engine.set_price(bench.instrument.symbol, "60000", "60000.5")
        await bench.place("fp2", side="sell")
        assert await bench.position() == 0
        total = (await bench.exchange.fetch_balance())[bench.instrument.quote]["total"]
        assert 100_180 < total < 100_200

    async def test_a_wrong_signature_is_refused(self, bench: Bench) -> None:
        bench.exchange.secret = "another"
        with pytest.raises(ccxt.AuthenticationError, match=bench.bad_signature_code):
            await bench.place("fp1")
        assert bench.simulator.ledger.events == []

    @pytest.mark.parametrize("sign", [1, -1])
    async def test_a_request_from_another_time_is_refused(self, bench: Bench, sign: int) -> None:
        bench.simulator.schedule.queue("place", faults.clock_skew(sign * bench.gross_skew_ms))
        with pytest.raises(ccxt.BaseError, match=bench.skew_code):
            await bench.place("fp1")
        assert bench.simulator.ledger.placed("fp1") == 0
        await bench.place("fp1")

    @pytest.mark.parametrize("name", list(NAMED_FAULTS))
    async def test_a_fault_places_the_order_as_often_as_it_says(self, bench: Bench, name: str) -> None:
        fault, placed, answered = NAMED_FAULTS[name]
        bench.simulator.schedule.queue("place", fault, client_id="fp1")
        assert (await bench.attempt("fp1") is not None) == answered
        assert bench.simulator.ledger.placed("fp1") == placed
        (hit,) = bench.simulator.schedule.history
        assert (hit.client_id, hit.executed) == ("fp1", placed > 0)

    async def test_a_refused_order_is_no_order(self, bench: Bench) -> None:
        bench.simulator.schedule.queue("place", faults.rejected_200())
        try:
            order = await bench.place("fp1")
        except ccxt.InsufficientFunds:
            order = {"status": "rejected"}
        assert order["status"] == "rejected"
        assert bench.simulator.ledger.placed("fp1") == 0

    @pytest.mark.parametrize("after", [False, True])
    async def test_no_answer_at_all_is_a_time_out(self, bench: Bench, after: bool) -> None:
        await bench.exchange.load_markets()
        bench.simulator.schedule.queue("place", faults.hang(after=after))
        bench.exchange.timeout = 300
        assert await bench.attempt("fp1") is None
        assert bench.simulator.ledger.placed("fp1") == after

    @pytest.mark.parametrize("after", [False, True])
    async def test_a_lost_connection_is_an_error_but_where_orders_are_repeated(self, bench: Bench, after: bool) -> None:
        await bench.exchange.load_markets()
        bench.simulator.schedule.queue("place", faults.close_after() if after else faults.close_before())
        assert (await bench.attempt("fp1") is not None) == bench.resends
        assert bench.simulator.ledger.placed("fp1") == after + bench.resends

    @pytest.mark.parametrize("status", [307, 308])
    async def test_a_redirect_executes_only_when_it_is_followed(self, bench: Bench, status: Any) -> None:
        bench.simulator.schedule.queue("place", faults.redirect(status))
        assert await bench.attempt("fp1") is not None
        assert (bench.simulator.count("place", "fp1"), bench.simulator.ledger.placed("fp1")) == (2, 1)

    async def test_an_invisible_order_is_not_found_and_then_it_is(self, bench: Bench) -> None:
        bench.simulator.schedule.queue("place", faults.invisible(60))
        await bench.place("fp1", "limit", price=40_000)
        assert await bench.look_up("fp1") is None
        assert await bench.exchange.fetch_open_orders(bench.symbol) == []
        now = bench.simulator.engine.clock
        bench.simulator.engine.clock = lambda: now() + 61_000_000_000
        bench.simulator.schedule.skew_ms = -61_000
        assert (await bench.look_up("fp1"))["status"] == "open"
