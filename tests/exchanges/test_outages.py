"""Restarts and outages in the middle of an order, at simulated exchanges."""

from __future__ import annotations

import asyncio
import time

import pytest

from service.errors import ConfigurationError
from tests.exchanges.lab import KEYS, PLACES, Lab, settings, statuses, trading
from tests.simulator import faults
from tests.simulator.__main__ import make_venue
from tests.simulator.server import Simulator
from tests.support.service import ENVIRON, running
from tests.support.waiting import until

VENUES = ("binance", "okx", "deribit")


@pytest.mark.parametrize("venue", VENUES)
async def test_an_order_in_doubt_is_found_soon_after_the_exchange_answers_again(venue, tmp_path):
    async with trading(tmp_path, venue) as lab:
        lab.simulator.schedule.queue("place", faults.close_after())
        lab.simulator.schedule.queue("look_up", *[faults.status_before(503)] * 100)
        order_id = await lab.send(lab.alert())
        await lab.becomes(order_id, "IN_DOUBT")
        await lab.simulator.stop()
        await asyncio.sleep(6)
        assert (await lab.client.order(order_id))["status"] == "IN_DOUBT"

        lab.simulator.schedule.clear()
        await lab.simulator.start()
        began = time.monotonic()
        order = await lab.final(order_id)

        assert order["status"] == "FILLED"
        assert time.monotonic() - began < 10
        assert lab.simulator.ledger.placed(order["client_order_id"]) == 1


@pytest.mark.parametrize("venue", VENUES)
async def test_a_restart_in_doubt_finds_the_order_in_the_same_trace(venue, tmp_path):
    async with Simulator(make_venue(venue)) as simulator:
        async with trading(tmp_path, venue, simulator) as lab:
            simulator.schedule.queue("place", faults.close_after())
            simulator.schedule.queue("look_up", *[faults.status_before(503)] * 50)
            order_id = await lab.send(lab.alert())
            before = await lab.becomes(order_id, "IN_DOUBT")
        simulator.schedule.clear()
        async with trading(tmp_path, venue, simulator, engine="sdk") as lab:
            order = await lab.final(order_id)
            spans = await lab.client.spans(order_id)

        assert (order["status"], order["trace_id"]) == ("FILLED", before["trace_id"])
        assert simulator.ledger.placed(order["client_order_id"]) == 1
        assert {"order.resume", "order.reconcile", "exchange.look_up"} <= {span["name"] for span in spans}
        assert {span["traceId"] for span in spans} == {order["trace_id"]}


async def test_what_happened_to_a_resting_order_while_the_service_was_down_is_followed_up(tmp_path):
    async with Simulator(make_venue("binance")) as simulator:
        async with trading(tmp_path, "binance", simulator) as lab:
            order_id = await lab.send(lab.alert(order_type="limit", price=lab.place.low_price))
            resting = await lab.becomes(order_id, "ACCEPTED")
        simulator.engine.fill(simulator.engine.find_by_client_id(resting["client_order_id"]))
        async with trading(tmp_path, "binance", simulator) as lab:
            order = await lab.becomes(order_id, "FILLED")

            async def paid() -> bool:
                return bool((await lab.client.order(order_id))["fees"])

            await until(paid)
        assert statuses(order) == ["RECEIVED", "SUBMITTED", "ACCEPTED", "FILLED"]


async def test_a_service_starts_while_its_exchange_is_down_and_trades_once_it_is_up(tmp_path):
    simulator = await Simulator(make_venue("binance")).start()
    await simulator.stop()
    async with trading(tmp_path, "binance", simulator, ready=False) as lab:
        refused = await lab.client.send(lab.alert())
        assert (refused.status_code, refused.json()["reason"]) == (503, "no_market_data")

        await simulator.start()

        async def taken() -> str | None:
            response = await lab.client.send(lab.alert())
            return response.json()["order_id"] if response.status_code == 202 else None

        order_id = await until(taken, within=40, every=0.5)
        assert order_id is not None
        assert (await lab.final(order_id))["status"] == "FILLED"
        await simulator.stop()


async def test_a_ban_holds_back_everything_until_it_is_over(tmp_path):
    async with trading(tmp_path, "binance") as lab:
        lab.simulator.schedule.queue("place", faults.banned(3))
        began = time.monotonic()
        order = await lab.final(await lab.send(lab.alert()))

        assert (order["status"], order["attempts"]) == ("FILLED", 2)
        assert time.monotonic() - began >= 3
        banned = next(s.ts_ns for s in lab.simulator.requests if s.endpoint == "place")
        during = [s for s in lab.simulator.requests if 0.5e9 < s.ts_ns - banned < 2.5e9]
        assert during == []


async def test_an_entry_that_waits_for_the_request_limit_ages_and_ends_expired(tmp_path):
    async with Simulator(make_venue("binance")) as simulator:
        document = settings("binance", simulator.base_url)
        document["sources"]["default"] |= {"max_age_market": 2}
        async with running(tmp_path, environ=ENVIRON | KEYS, settings=document) as client:
            lab = Lab("binance", PLACES["binance"], client, simulator)
            simulator.schedule.queue("place", faults.banned(30))
            order = await lab.final(await lab.send(lab.alert()))

            assert (order["status"], order["reason"]) == ("EXPIRED", "max_age")
            assert simulator.ledger.placed(order["client_order_id"]) == 0


@pytest.mark.parametrize(
    ("exchange", "account", "message"),
    [
        ({"id": "binance"}, {}, "API_KEY"),
        ({"id": "kraken"}, {}, "sandbox"),
        ({"id": "no-such-exchange"}, {}, "no-such-exchange"),
        (
            {"id": "okx", "api_url": "http://127.0.0.1:9"},
            {"market_type": "spot", "margin_mode": "cross"},
            "margin_mode",
        ),
        ({"id": "binance", "api_url": "https://example.com"}, {}, "live"),
    ],
)
async def test_what_cannot_trade_safely_stops_the_start_and_says_why(exchange, account, message, tmp_path):
    document = settings("binance", "")
    document["exchanges"]["binance"] |= {"api_url": ""} | exchange
    document["exchanges"]["binance"]["accounts"] = {"main": {"market_type": "spot"} | account}
    environ = ENVIRON if message == "API_KEY" else ENVIRON | KEYS

    with pytest.raises(ConfigurationError, match=message):
        async with running(tmp_path, environ=environ, settings=document):
            raise AssertionError("it started")
