"""Each order request leaves once, whatever ccxt and aiohttp would do, and the record says whether it left.

The proof is the server's own count of what arrived.
"""

from __future__ import annotations

import asyncio
import decimal
import socket
import sys

import aiohttp
import ccxt
import pytest

from service.errors import ConfigurationError
from service.exchanges.ccxt.guard import CallRecord, SecondSend, guarded_class, recording
from service.exchanges.ccxt.session import open_session
from telemetry.off import OffTelemetry
from tests.support.waiting import until
from tests.unit.exchanges.ccxt.wire_lab import (
    CONFIG,
    DONE,
    ORDER_ID,
    attempt,
    close,
    exchange,
    hang,
    place,
    reply,
    serving,
)

EXCHANGES = ["binance", "okx", "deribit"]


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("ccxt_id", EXCHANGES)
async def test_an_order_that_is_answered_was_sent_once_with_our_id(ccxt_id, server, session):
    server.otherwise = reply(200, DONE[ccxt_id])

    record, order, error = await attempt(exchange(ccxt_id, session, server.url))

    assert error is None
    assert order["id"] == "28"
    (arrived,) = server.received
    assert ORDER_ID in arrived.target + arrived.body
    (request,) = record.requests
    assert (request.method, request.url) == (arrived.method, server.url + arrived.path)
    assert (request.carries_id, request.sent, request.status, request.body_kind) == (True, True, 200, "json")
    assert record.may_have_sent(id_visible=True)
    assert record.asked_with_id()


@pytest.mark.parametrize("kept_alive", [False, True])
@pytest.mark.parametrize("ccxt_id", EXCHANGES)
async def test_a_connection_closed_after_the_order_arrived_does_not_bring_it_again(
    ccxt_id, kept_alive, server, session
):
    api = exchange(ccxt_id, session, server.url)
    if kept_alive:
        server.script = [reply(200, DONE[ccxt_id])]
        await place(api, "an-earlier-order")
    server.otherwise = close

    record, _, error = await attempt(api)

    assert error is not None
    orders = [r for r in server.received if ORDER_ID in r.target + r.body]
    assert len(orders) == 1
    assert server.connections == 1, "it was kept alive where it should have been, and nobody came again"
    assert record.may_have_sent(id_visible=True)
    assert not record.asked_with_id()


async def test_without_the_guard_aiohttp_sends_such_a_get_twice(server):
    server.otherwise = close
    async with aiohttp.ClientSession() as bare:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await bare.get(server.url)
    assert len(server.received) == 2


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_no_method_is_sent_again_after_a_dropped_connection(method, server, session):
    server.otherwise = close
    with pytest.raises((SecondSend, aiohttp.ServerDisconnectedError)):
        await session.request(method, server.url, data=b"x")
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("ccxt_id", EXCHANGES)
async def test_a_redirect_is_not_followed(ccxt_id, status, server, session):
    server.otherwise = reply(status, "", headers="Location: /elsewhere\r\n")

    record, _, error = await attempt(exchange(ccxt_id, session, server.url))

    assert isinstance(error, SecondSend)
    assert len(server.received) == 1
    assert record.requests[0].status == status
    assert record.may_have_sent(id_visible=True)


async def test_a_redirect_to_another_host_never_shows_it_our_keys(server, session):
    async with serving() as other:
        server.otherwise = reply(307, "", headers=f"Location: {other.url}/\r\n")
        await attempt(exchange("okx", session, server.url))
        assert other.received == []


async def test_even_past_the_middleware_headers_do_not_leave_twice(server, session):
    session._middlewares = ()
    server.otherwise = close

    _, _, error = await attempt(exchange("deribit", session, server.url))

    assert isinstance(error, SecondSend)
    assert len(server.received) == 1


async def test_requests_of_one_task_are_told_apart(server, session):
    for _ in range(3):
        async with session.get(server.url) as response:
            assert response.status == 200
    assert len(server.received) == 3


@pytest.mark.parametrize("ccxt_id", EXCHANGES)
async def test_a_refused_connection_is_no_send(ccxt_id, session):
    record, _, error = await attempt(exchange(ccxt_id, session, f"http://127.0.0.1:{unused_port()}"))

    assert isinstance(error, ccxt.ExchangeNotAvailable)
    assert not record.may_have_sent(id_visible=True)
    assert not record.may_have_sent(id_visible=False)
    assert record.requests[0].carries_id


async def test_an_unresolvable_host_is_no_send(session):
    record, _, error = await attempt(exchange("okx", session, "http://no-such-host.invalid"))

    assert isinstance(error, ccxt.NetworkError)
    assert not record.may_have_sent(id_visible=False)


async def test_a_tls_handshake_that_never_ends_is_no_send(server):
    async with open_session(OffTelemetry(CONFIG), connect_timeout=0.5) as session:
        record, _, error = await attempt(exchange("okx", session, server.url.replace("http:", "https:"), timeout=60))

    assert isinstance(error, ccxt.RequestTimeout)
    assert not record.may_have_sent(id_visible=False)
    assert server.received == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops connections beyond a full backlog")
async def test_a_host_that_swallows_connections_ends_within_the_connect_time_out_as_no_send():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        async with open_session(OffTelemetry(CONFIG), connect_timeout=0.2) as session:
            api = exchange("binance", session, f"http://127.0.0.1:{address[1]}", timeout=60)
            async with asyncio.timeout(30):
                record, _, error = await attempt(api)
        for filler in fillers:
            filler.close()

    assert isinstance(error, ccxt.RequestTimeout)
    assert not record.may_have_sent(id_visible=False)


async def test_waiting_for_a_free_connection_is_bounded_and_no_send(server):
    server.otherwise = hang
    async with open_session(OffTelemetry(CONFIG), connect_timeout=1) as session:
        api = exchange("okx", session, server.url, timeout=120)
        holders = [asyncio.create_task(attempt(api)) for _ in range(32)]
        await until(lambda: server.has(32), within=60)
        async with asyncio.timeout(60):
            record, _, _ = await attempt(api)
        for holder in holders:
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)

    assert not record.may_have_sent(id_visible=False)
    assert len(server.received) == 32


async def test_an_answer_that_never_comes_was_sent(server, session):
    server.otherwise = hang

    record, _, error = await attempt(exchange("binance", session, server.url, timeout=2))

    assert isinstance(error, ccxt.RequestTimeout)
    assert record.may_have_sent(id_visible=True)
    assert len(server.received) == 1
    assert record.requests[0].status is None


async def test_a_second_order_request_in_one_call_is_stopped(server, session):
    server.otherwise = close
    api = exchange("okx", session, server.url)
    # What a class with a fallback, or ccxt's own repetition of failed requests, would do.
    api.options["maxRetriesOnFailure"] = 3

    record, _, error = await attempt(api)

    assert isinstance(error, SecondSend)
    assert len(server.received) == 1
    assert record.requests[0].stopped


async def test_a_look_up_may_ask_several_times_with_our_id(server, session):
    server.otherwise = reply(200, {"code": "0", "data": []})
    api = exchange("okx", session, server.url)

    with recording(ORDER_ID, attributes=None) as record:
        for _ in range(3):
            await api.privateGetTradeOrder({"instId": "BTC-USDT", "clOrdId": ORDER_ID})

    assert [request.carries_id for request in record.requests] == [True] * 3
    assert len(server.received) == 3


async def test_a_helper_request_inside_the_call_is_no_send_of_the_order(server, session):
    server.otherwise = hang
    api = exchange("gate", session, server.url)

    with recording("t-018f3c2ad6e57c3bb2c1", attributes=None, placing=True) as record:
        call = asyncio.create_task(place(api, "t-018f3c2ad6e57c3bb2c1"))
        await until(lambda: server.has(1))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    assert [(r.method, r.path) for r in server.received] == [("GET", "/api/v4/account/detail")]
    assert not record.may_have_sent(id_visible=True)
    assert record.may_have_sent(id_visible=False), "where ids are hidden it could have been the order"


async def test_an_order_that_does_not_leave_after_a_helper_request_did_is_no_send(server, session):
    async def answer_once(writer: asyncio.StreamWriter) -> None:
        await reply(200, {"key": {"mode": 1}}, headers="Connection: close\r\n")(writer)
        writer.close()
        server.listener.close()

    server.otherwise = answer_once

    record, _, error = await attempt(exchange("gate", session, server.url), "t-018f3c2ad6e57c3bb2c1")

    assert isinstance(error, ccxt.ExchangeNotAvailable)
    assert [(r.carries_id, r.sent) for r in record.requests] == [(False, True), (True, False)]
    assert not record.may_have_sent(id_visible=True)


async def test_a_post_that_should_have_shown_our_id_and_did_not_counts_as_sent(server, session):
    server.otherwise = reply(200, DONE["okx"])
    api = exchange("okx", session, server.url)

    with recording("another-id", attributes=None, placing=True) as record:
        await place(api)

    assert not record.requests[0].carries_id
    assert record.may_have_sent(id_visible=True)


async def test_a_session_that_reports_nothing_is_refused(server):
    async with aiohttp.ClientSession() as bare:
        _, _, error = await attempt(exchange("okx", bare, server.url))
    assert isinstance(error, RuntimeError)
    assert server.received == []


async def test_calls_at_the_same_time_have_records_of_their_own(server, session):
    server.otherwise = reply(200, DONE["okx"])
    api = exchange("okx", session, server.url)

    async def one(client_order_id: str) -> CallRecord:
        with recording(client_order_id, attributes=None, placing=True) as record:
            await place(api, client_order_id)
        return record

    records = await asyncio.gather(*(one(f"order{n}") for n in range(10)))

    assert all(len(record.requests) == 1 and record.requests[0].carries_id for record in records)


async def test_cookies_of_one_account_do_not_go_out_with_another(server, session):
    server.script = [reply(200, {}, headers="Set-Cookie: session=of-the-first; Path=/\r\n")]
    async with session.get(server.url):
        assert not list(session.cookie_jar)


async def test_ccxts_rounding_does_not_change_the_arithmetic_of_everybody_else(session):
    api = exchange("binance", session, "http://127.0.0.1:1")
    with decimal.localcontext(decimal.DefaultContext) as context:
        assert api.amount_to_precision("BTC/USDT", 0.0123456789) == "0.012345"
        assert api.price_to_precision("BTC/USDT", 50_000.005) == "50000.01"
        assert context.rounding == decimal.DefaultContext.rounding
        assert not context.traps[decimal.Underflow]


def test_an_unknown_exchange_is_named_with_the_nearest():
    with pytest.raises(ConfigurationError, match="'binanc'; did you mean 'binance"):
        guarded_class("binanc")


def test_a_class_is_made_once():
    assert guarded_class("okx") is guarded_class("okx")


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
async def test_a_connect_time_out_that_bounds_nothing_is_refused(seconds):
    with pytest.raises(ValueError, match="connect time-out"):
        open_session(OffTelemetry(CONFIG), connect_timeout=seconds)
