"""An operator's word on an order is taken only where it can be true: of numbers, those that a trade can have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.core.outcomes import InDoubt
from tests.support.exchanges import LyingExchange
from tests.support.service import Client, running
from tests.support.waiting import until

ALERT = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}


async def _never_arrived(request, place):
    return InDoubt(cause="connection closed")


@pytest.fixture
async def in_doubt(tmp_path: Path) -> AsyncIterator[tuple[Client, str]]:
    """A service with one order in doubt."""
    async with running(tmp_path, make_exchange=LyingExchange) as client:
        yield client, await _doubted(client)


async def _doubted(client: Client) -> str:
    """The id of an order that has come in doubt."""
    exchange = client.service.exchanges[0]
    exchange.look_ups_fail = True
    exchange.script.append(_never_arrived)
    order_id = (await client.send(ALERT)).json()["order_id"]

    async def reached() -> bool:
        return (await client.order(order_id))["status"] == "IN_DOUBT"

    await until(reached)
    return str(order_id)


@pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity", "-1", "0", "1e999999", "1e-999999", "9" * 100])
async def test_a_price_that_no_trade_has_is_refused(in_doubt: tuple[Client, str], price: str) -> None:
    client, order_id = in_doubt
    word = {"status": "FILLED", "evidence": "seen", "average_price": price}
    answer = await client.operator.post(f"/orders/{order_id}/resolve", json=word)
    assert (answer.status_code, answer.json()["reason"]) == (422, "impossible_price")
    assert (await client.order(order_id))["status"] == "IN_DOUBT"


@pytest.mark.parametrize(
    "quantity", ["NaN", "sNaN", "Infinity", "-1", "0.02", "1e999999", "1e-999999", "0.0" + "1" * 100]
)
async def test_a_quantity_that_no_trade_has_is_refused(in_doubt: tuple[Client, str], quantity: str) -> None:
    client, order_id = in_doubt
    word = {"status": "CANCELED", "evidence": "seen", "filled_qty": quantity}
    answer = await client.operator.post(f"/orders/{order_id}/resolve", json=word)
    assert (answer.status_code, answer.json()["reason"]) == (422, "impossible_quantity")
    assert (await client.order(order_id))["status"] == "IN_DOUBT"


async def test_an_order_at_the_exchange_that_is_anothers_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path, make_exchange=LyingExchange) as client:
        filled = (await client.send(ALERT, wait=5)).json()
        other = await client.order(filled["order_id"])
        order_id = await _doubted(client)
        word = {"status": "FILLED", "evidence": "seen", "exchange_order_id": other["exchange_order_id"]}
        answer = await client.operator.post(f"/orders/{order_id}/resolve", json=word)
        assert (answer.status_code, answer.json()["reason"]) == (409, "anothers_order")
        assert (await client.order(order_id))["status"] == "IN_DOUBT"
        answer = await client.operator.post(f"/orders/{order_id}/resolve", json=word | {"exchange_order_id": "X-1"})
        assert answer.status_code == 200


@pytest.mark.parametrize("field", ["evidence", "exchange_order_id"])
async def test_text_of_any_kind_is_kept_or_refused(in_doubt: tuple[Client, str], field: str) -> None:
    client, order_id = in_doubt
    word = {"status": "FILLED", "evidence": "seen"} | {field: "\x00\u202e\U0001f600" + "a" * 10_000}
    answer = await client.operator.post(f"/orders/{order_id}/resolve", json=word)
    assert answer.status_code in {200, 422}
    assert (await client.operator.get(f"/orders/{order_id}")).status_code == 200


async def test_text_that_is_no_unicode_is_refused(in_doubt: tuple[Client, str]) -> None:
    client, order_id = in_doubt
    body = b'{"status": "FILLED", "evidence": "\\ud800"}'
    answer = await client.operator.post(f"/orders/{order_id}/resolve", content=body)
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid_body")
