"""Each fault of the simulator does what it says, seen in its ledger and in the bytes that come back."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
import pytest

from tests.exchanges.binance_lab import (
    SYMBOL,
    announced,
    body_of,
    client_of,
    limit_order,
    look_up,
    market_order,
    our,
    pass_time,
    raw,
    signed,
    until_arrived,
)
from tests.simulator import faults, ledger
from tests.simulator.binance import BinanceSpot
from tests.simulator.faults import Fault
from tests.simulator.server import Simulator
from tests.simulator.venue import API_KEY
from tests.support.waiting import until

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(BinanceSpot()) as running:
        yield running


@pytest.fixture
async def exchange(simulator: Simulator) -> AsyncIterator[Any]:
    client = client_of(simulator)
    yield client
    await client.close()


BODY_OF_200 = b"HTTP/1.1 200 "
NO_ANSWER = b""

FAULTS: dict[str, tuple[Fault, int, bytes]] = {
    "close_before": (faults.close_before(), 0, NO_ANSWER),
    "close_after": (faults.close_after(), 1, NO_ANSWER),
    "status_before": (faults.status_before(503), 0, b"HTTP/1.1 503 "),
    "status_after": (faults.status_after(502), 1, b"HTTP/1.1 502 "),
    "redirect_307": (faults.redirect(307), 0, b"HTTP/1.1 307 "),
    "redirect_308": (faults.redirect(308), 0, b"HTTP/1.1 308 "),
    "html_200_before": (faults.html_200(after=False), 0, BODY_OF_200),
    "html_200_after": (faults.html_200(), 1, BODY_OF_200),
    "html_524_before": (faults.html_524(after=False), 0, b"HTTP/1.1 524 "),
    "html_524_after": (faults.html_524(), 1, b"HTTP/1.1 524 "),
    "empty_200": (faults.empty_200(), 1, BODY_OF_200),
    "other_json": (faults.other_json(), 1, BODY_OF_200),
    "truncated_json": (faults.truncated_json(), 1, BODY_OF_200),
    "cut_body": (faults.cut_body(), 1, BODY_OF_200),
    "missing_id": (faults.missing_id(), 1, BODY_OF_200),
    "rejected_200": (faults.rejected_200(), 0, BODY_OF_200),
    "unknown_status_before": (faults.unknown_status(after=False), 0, b"HTTP/1.1 408 "),
    "unknown_status_after": (faults.unknown_status(), 1, b"HTTP/1.1 408 "),
    "duplicate": (faults.duplicate(), 2, BODY_OF_200),
    "rate_limited": (faults.rate_limited(3), 0, b"HTTP/1.1 429 "),
    "banned": (faults.banned(60), 0, b"HTTP/1.1 418 "),
    "clock_skew_behind": (faults.clock_skew(-5000), 0, b"HTTP/1.1 400 "),
    "clock_skew_ahead": (faults.clock_skew(60_000), 0, b"HTTP/1.1 400 "),
    "delay_before": (faults.delay(0.05), 1, BODY_OF_200),
    "delay_after": (faults.delay(0.05, after=True), 1, BODY_OF_200),
    "invisible": (faults.invisible(60), 1, BODY_OF_200),
    "invisible_and_lost": (faults.invisible_and_lost(60), 1, NO_ANSWER),
    "late_trades": (faults.late_trades(60), 1, BODY_OF_200),
    "partial_then_cancel": (faults.partial_then_cancel(), 1, BODY_OF_200),
    "cancel_crosses_fill": (faults.cancel_crosses_fill(), 1, BODY_OF_200),
}


@pytest.mark.parametrize("name", list(FAULTS))
async def test_each_fault_executes_as_often_as_it_says_and_answers_as_it_says(simulator: Simulator, name: str) -> None:
    fault, placed, start = FAULTS[name]
    simulator.schedule.queue("place", fault)
    answer = await raw(simulator, market_order("fp-1"))
    assert answer.startswith(start)
    assert (answer == b"") == (start == b"")
    assert simulator.ledger.placed("fp-1") == placed
    (hit,) = simulator.schedule.history
    assert (hit.client_id, hit.placed, hit.executed) == ("fp-1", placed, placed > 0)
    assert hit.delivered == (1 if fault.skew_ms else placed)
    assert (await raw(simulator, market_order("fp-2"))).startswith(BODY_OF_200)


async def test_what_comes_back_is_spoilt_in_the_way_of_its_fault(simulator: Simulator) -> None:
    async def answered(fault: Fault) -> bytes:
        simulator.schedule.queue("place", fault)
        return await raw(simulator, market_order("fp-1"))

    assert body_of(await answered(faults.empty_200())) == b""
    truncated = await answered(faults.truncated_json())
    assert announced(truncated) == len(body_of(truncated))
    with pytest.raises(json.JSONDecodeError):
        json.loads(body_of(truncated))
    cut = await answered(faults.cut_body())
    assert 0 < len(body_of(cut)) < announced(cut)
    assert "orderId" not in json.loads(body_of(await answered(faults.missing_id())))
    assert json.loads(body_of(await answered(faults.rejected_200())))["status"] == "REJECTED"
    assert b"Retry-After: 7\r\n" in await answered(faults.rate_limited(7))
    assert json.loads(body_of(await answered(faults.banned())))["code"] == -1003
    assert json.loads(body_of(await answered(faults.clock_skew(-5000))))["code"] == -1021
    assert json.loads(body_of(await answered(faults.unknown_status())))["code"] == -1007
    assert b"<html>" in await answered(faults.html_524())


async def test_a_reset_ends_the_connection_by_rst(simulator: Simulator) -> None:
    simulator.schedule.queue("place", faults.close_after(reset=True))
    with pytest.raises(ConnectionResetError):
        await raw(simulator, market_order("fp-1"))
    assert simulator.ledger.placed("fp-1") == 1


@pytest.mark.parametrize(("after", "placed"), [(False, 0), (True, 1)])
async def test_a_hanging_request_gets_no_answer(simulator: Simulator, after: bool, placed: int) -> None:
    simulator.schedule.queue("place", faults.hang(after=after))
    waiting = asyncio.create_task(raw(simulator, market_order("fp-1")))
    await until_arrived(simulator)
    assert await asyncio.wait({waiting}, timeout=0.2) == (set(), {waiting})
    assert simulator.ledger.placed("fp-1") == placed
    waiting.cancel()


async def test_a_delayed_order_is_executed_though_nobody_waits_for_it(simulator: Simulator) -> None:
    simulator.schedule.queue("place", faults.delay(1.5))
    waiting = asyncio.create_task(raw(simulator, market_order("fp-1")))
    await until_arrived(simulator)
    waiting.cancel()
    assert simulator.ledger.placed("fp-1") == 0

    async def placed() -> bool:
        return simulator.ledger.placed("fp-1") == 1

    await until(placed)


async def test_an_order_that_lands_after_its_window_is_refused(simulator: Simulator) -> None:
    simulator.schedule.queue("place", faults.delay(0.3))
    answer = await raw(simulator, market_order("fp-1") | {"recvWindow": "100"})
    assert json.loads(body_of(answer))["code"] == -1021
    assert simulator.ledger.placed("fp-1") == 0


async def test_who_follows_a_redirect_sends_the_order_again(simulator: Simulator) -> None:
    simulator.schedule.queue("place", faults.redirect(308))
    headers = {"X-MBX-APIKEY": API_KEY, "Content-Type": "application/x-www-form-urlencoded"}
    url = f"{simulator.base_url}/api/v3/order"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=signed(market_order("fp-1")), headers=headers) as answer,
    ):
        assert answer.status == 200
    assert simulator.count("place", "fp-1") == 2
    assert simulator.ledger.placed("fp-1") == 1


async def test_aiohttp_repeats_a_get_on_a_kept_connection_that_drops(exchange: Any, simulator: Simulator) -> None:
    await exchange.load_markets()
    await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    kept = {seen.connection for seen in simulator.requests}
    simulator.schedule.queue("look_up", faults.close_after())
    assert (await look_up(exchange, "fp-1"))["status"] == "closed"
    first, second = [seen for seen in simulator.requests if seen.endpoint == "look_up"]
    assert first.connection in kept
    assert second.connection != first.connection


async def test_ccxt_calls_an_order_that_was_executed_unavailable(exchange: Any, simulator: Simulator) -> None:
    await exchange.load_markets()
    simulator.schedule.queue("place", faults.close_after())
    with pytest.raises(ccxt.ExchangeNotAvailable):
        await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    assert (simulator.count("place", "fp-1"), simulator.ledger.placed("fp-1")) == (1, 1)


async def test_connections_that_wait_can_be_dropped_while_idle(simulator: Simulator) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(f"{simulator.base_url}/api/v3/time") as answer:
                await answer.read()
        assert simulator.requests[0].connection == simulator.requests[1].connection
        simulator.drop_idle()
        async with session.get(f"{simulator.base_url}/api/v3/time") as answer:
            assert answer.status == 200
    assert simulator.requests[-1].connection != simulator.requests[0].connection


async def test_an_invisible_order_shows_up_in_time_everywhere(exchange: Any, simulator: Simulator) -> None:
    await exchange.load_markets()
    simulator.schedule.queue("place", faults.invisible(600))
    order = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 60000, our("fp-1"))
    with pytest.raises(ccxt.OrderNotFound):
        await look_up(exchange, "fp-1")
    assert await exchange.fetch_orders(SYMBOL) == []
    assert await exchange.fetch_my_trades(SYMBOL) == []
    pass_time(simulator, 601)
    assert len(await exchange.fetch_my_trades(SYMBOL)) == 1
    assert (await look_up(exchange, "fp-1"))["id"] == order["id"]


async def test_trades_can_show_up_later_than_their_order(exchange: Any, simulator: Simulator) -> None:
    await exchange.load_markets()
    simulator.schedule.queue("place", faults.late_trades(600))
    await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    assert (await look_up(exchange, "fp-1"))["status"] == "closed"
    assert await exchange.fetch_my_trades(SYMBOL) == []
    pass_time(simulator, 601)
    assert len(await exchange.fetch_my_trades(SYMBOL)) == 1


async def test_the_venues_clock_can_be_off(exchange: Any, simulator: Simulator) -> None:
    await exchange.load_markets()
    simulator.schedule.skew_ms = 60_000
    assert await exchange.fetch_time() - time.time() * 1000 > 30_000
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    await exchange.load_time_difference()
    await exchange.create_order(SYMBOL, "market", "buy", 0.01, None, our("fp-1"))
    assert simulator.ledger.placed("fp-1") == 1


async def test_a_part_is_filled_and_then_the_venue_cancels(exchange: Any, simulator: Simulator) -> None:
    simulator.schedule.queue("place", faults.partial_then_cancel("0.25"))
    order = await exchange.create_order(SYMBOL, "market", "sell", 0.04, None, our("fp-1"))
    assert (order["status"], order["filled"]) == ("canceled", 0.01)
    assert simulator.ledger.filled("fp-1") == Decimal("0.01")


@pytest.mark.parametrize("endpoint", ["place", "cancel"])
async def test_a_cancel_crosses_a_fill(exchange: Any, simulator: Simulator, endpoint: Any) -> None:
    simulator.schedule.queue(endpoint, faults.cancel_crosses_fill())
    order = await exchange.create_order(SYMBOL, "limit", "buy", 0.01, 40000, our("fp-1"))
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        await exchange.cancel_order(order["id"], SYMBOL)
    assert (await look_up(exchange, "fp-1"))["filled"] == 0.01


async def test_a_second_delivery_of_a_resting_order_is_refused_as_duplicate(simulator: Simulator) -> None:
    simulator.schedule.queue("place", faults.duplicate())
    answer = await raw(simulator, limit_order("fp-1"))
    assert json.loads(body_of(answer)) == {"code": -2010, "msg": "Duplicate order sent."}
    assert simulator.ledger.placed("fp-1") == 1
    assert simulator.ledger.refused("fp-1") == ["duplicate_id"]


async def test_a_fault_can_wait_for_one_client_order_id(simulator: Simulator) -> None:
    simulator.schedule.queue("any", faults.close_before(), client_id="fp-2")
    assert await raw(simulator, market_order("fp-1")) != b""
    assert await raw(simulator, market_order("fp-2")) == b""
    assert simulator.schedule.waiting() == 0


async def random_run(seed: int) -> list[tuple[str | None, Fault]]:
    async with Simulator(BinanceSpot()) as simulator:
        simulator.schedule.seed = seed
        simulator.schedule.random(0.5, endpoints=["place"])
        orders = (raw(simulator, market_order(f"fp-{number}")) for number in range(40))
        await asyncio.gather(*orders, return_exceptions=True)
        assert {e.client_id for e in simulator.ledger.events} <= {f"fp-{number}" for number in range(40)}
        for hit in simulator.schedule.history:
            assert simulator.ledger.placed(hit.client_id) == hit.placed
        return sorted(((hit.client_id, hit.fault) for hit in simulator.schedule.history), key=lambda pair: str(pair[0]))


async def test_a_seed_decides_which_requests_are_hit_whatever_their_order() -> None:
    first, again, other = await random_run(7), await random_run(7), await random_run(8)
    assert first == again
    assert first != other
    assert 8 <= len(first) <= 32


async def test_stopping_ends_requests_that_hang(simulator: Simulator) -> None:
    simulator.schedule.queue("place", faults.hang())
    pending = asyncio.create_task(raw(simulator, market_order("fp-1")))
    await until_arrived(simulator)
    await simulator.stop()
    assert await pending == b""
    url = simulator.base_url
    await simulator.start()
    assert simulator.base_url == url
    assert await raw(simulator, market_order("fp-2")) != b""


async def post(session: aiohttp.ClientSession, url: str, document: object) -> Any:
    async with session.post(url, json=document) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_as_a_process_it_is_steered_over_http_and_its_ledger_outlives_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    command = [sys.executable, "-m", "tests.simulator", "--venue", "binance", "--ledger", str(file), "--seed", "7"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        url = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
        headers = {"X-MBX-APIKEY": API_KEY, "Content-Type": "application/x-www-form-urlencoded"}
        async with aiohttp.ClientSession() as session:
            await post(session, f"{url}/-/price", {"symbol": "BTCUSDT", "bid": "60000", "ask": "60001"})
            fault = {"kind": "plan", "after": True, "plan": {"parts": [["0.5", 0]], "then": "cancel"}}
            await post(session, f"{url}/-/faults", {"endpoint": "place", "faults": [fault]})
            async with session.post(
                f"{url}/api/v3/order", data=signed(market_order("fp-1")), headers=headers
            ) as answer:
                assert (await answer.json())["status"] == "CANCELED"
            async with session.get(f"{url}/-/ledger") as answer:
                shown = await answer.json()
            async with session.get(f"{url}/-/faults") as answer:
                assert (await answer.json())["history"][0]["executed"]
            async with session.post(f"{url}/-/price", json={"symbol": "nonsense", "bid": "1", "ask": "2"}) as answer:
                assert answer.status == 400
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert (shown["fp-1"]["placed"], shown["fp-1"]["filled"], shown["fp-1"]["status"]) == (1, "0.00500", "canceled")
    assert [event.kind for event in ledger.read(file)] == ["placed", "fill", "status"]
    reopened = ledger.Ledger(file)
    assert (reopened.placed("fp-1"), reopened.filled("fp-1")) == (1, Decimal("0.005"))
    reopened.close()
