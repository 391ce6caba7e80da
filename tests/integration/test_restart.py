"""What a restart finds: the same orders, the same trace, nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from service.journal.protocol import JournalLocked
from tests.support.exchanges import LyingExchange
from tests.support.service import running
from tests.support.waiting import until

BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}


async def _status(client, order_id: str, status: str):
    async def reached():
        order = await client.order(order_id)
        return order if order["status"] == status else None

    return await until(reached)


async def test_an_order_that_waited_is_continued_in_its_own_trace(tmp_path: Path) -> None:
    async with running(tmp_path, make_exchange=LyingExchange, server={"shutdown_timeout": 0}) as client:
        client.service.exchanges[0].gate.clear()
        first = (await client.send(BUY)).json()
        await _status(client, first["order_id"], "SUBMITTED")
        waiting = (await client.send(BUY)).json()

    async with running(tmp_path, make_exchange=LyingExchange) as client:
        order = await _status(client, waiting["order_id"], "FILLED")
        resumed = await _status(client, first["order_id"], "FILLED")
        spans = await client.spans(first["order_id"])

    assert order["trace_id"] == waiting["trace_id"]
    steps = [step["to"] for step in resumed["transitions"]]
    assert steps == ["RECEIVED", "SUBMITTED", "IN_DOUBT", "ABSENT", "SUBMITTED", "FILLED"]
    assert {span["traceId"] for span in spans} == {first["trace_id"]}
    names = {span["name"] for span in spans}
    assert {"POST /webhook/{source}", "order.resume", "order.reconcile", "order.execute"} <= names
    rebuilt = [s for s in spans if any(a["key"] == "fillpath.rebuilt" for a in s["attributes"])]
    assert "POST /webhook/{source}" in {span["name"] for span in rebuilt}
    (resume,) = [span for span in spans if span["name"] == "order.resume"]
    assert resume["links"], "order.resume is linked to the last journaled span"


async def test_what_is_no_longer_fresh_at_the_restart_ends_expired(tmp_path: Path) -> None:
    sources = {"default": {"max_age_market": 1.0}}
    async with running(
        tmp_path, make_exchange=LyingExchange, server={"shutdown_timeout": 0}, sources=sources
    ) as client:
        client.service.exchanges[0].gate.clear()
        first = (await client.send(BUY)).json()["order_id"]
        await _status(client, first, "SUBMITTED")
        waiting = (await client.send(BUY)).json()["order_id"]
    await asyncio.sleep(1.0)  # the outage itself: longer than max_age_market

    async with running(tmp_path, sources=sources) as client:
        order = await _status(client, waiting, "EXPIRED")
        await _status(client, first, "ABSENT")

        async def judged() -> dict | None:
            # Absent first; whether it may be sent again is found out after that.
            found = await client.order(first)
            return found if found["detail"] else None

        absent = await until(judged, within=15.0)

    assert order["reason"] == "max_age"
    assert absent["attempts"] == 1
    assert absent["detail"].startswith("not sent again: max_age")


async def test_a_replay_after_a_restart_gets_the_first_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        first = await client.send(BUY, webhook_id="msg_kept")
    async with running(tmp_path) as client:
        again = await client.send(BUY, webhook_id="msg_kept")

    assert again.content == first.content


async def test_a_second_service_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path):
        with pytest.raises(JournalLocked, match="held by process"):
            async with running(tmp_path):
                pass


async def test_a_stop_finishes_what_is_on_the_wire_and_leaves_the_rest_for_the_next_start(tmp_path: Path) -> None:
    async with running(tmp_path, make_exchange=LyingExchange) as client:
        client.service.exchanges[0].gate.clear()
        on_the_wire = (await client.send(BUY)).json()["order_id"]
        await _status(client, on_the_wire, "SUBMITTED")
        waiting = (await client.send(BUY)).json()["order_id"]
        asyncio.get_running_loop().call_later(0.3, client.service.exchanges[0].gate.set)
        await client.service.stop()
        assert len(client.service.exchanges[0].placed) == 1

    async with running(tmp_path) as client:
        finished = await client.order(on_the_wire)
        continued = await _status(client, waiting, "FILLED")

    assert [step["to"] for step in finished["transitions"]] == ["RECEIVED", "SUBMITTED", "FILLED"]
    assert continued["attempts"] == 1
