"""Alerts that cancel, with the paper exchange."""

from __future__ import annotations

import pytest

from tests.support.service import running
from tests.support.waiting import until

RESTING = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.001", "order_type": "limit", "price": "30000"}


async def rested(client, **alert):
    order_id = (await client.send(RESTING | alert)).json()["order_id"]

    async def accepted():
        return (await client.order(order_id))["status"] == "ACCEPTED"

    await until(accepted)
    return order_id


async def ended(client, order_id):
    async def canceled():
        order = await client.order(order_id)
        return order if order["status"] == "CANCELED" else None

    return await until(canceled)


@pytest.mark.parametrize("level", [None, "reducing", "stop"])
async def test_a_cancel_goes_through_whatever_the_kill_switch_says(tmp_path, level):
    async with running(tmp_path) as client:
        resting = await rested(client)
        if level is not None:
            await client.operator.post("/halt", json={"level": level})

        response = await client.send({"symbol": "BTC/USDT", "action": "cancel"})

        assert response.status_code == 202
        assert (await ended(client, response.json()["order_id"]))["reason"] == "cancel_alert"
        await ended(client, resting)


async def test_a_cancel_means_its_own_source_symbol_and_account_only(tmp_path):
    async with running(tmp_path) as client:
        meant = await rested(client)
        others = [
            await rested(client, account="paper-2"),
            await rested(client, symbol="ETH/USDT", price="1500", quantity="0.1"),
        ]

        order = (await client.send({"symbol": "BTC/USDT", "action": "cancel"}, wait=5)).json()

        assert order["status"] == "CANCELED"
        await ended(client, meant)
        assert {(await client.order(other))["status"] for other in others} == {"ACCEPTED"}


async def test_a_cancel_of_nothing_says_so(tmp_path):
    async with running(tmp_path) as client:
        order = (await client.send({"symbol": "BTC/USDT", "action": "cancel"}, wait=5)).json()
        assert (order["status"], order["reason"], order["detail"]) == ("CANCELED", "cancel_alert", "nothing was open")
