"""Where an exchange cannot be asked by our id, an order that only looks like ours is not taken for it."""

from __future__ import annotations

import msgspec

from service.core.outcomes import Found, InDoubt
from tests.support.exchanges import LyingExchange
from tests.support.service import running
from tests.support.waiting import until

BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}


class Searching(LyingExchange):
    """Finds orders by what they look like: the first one that it ever placed, whatever was asked for."""

    @property
    def rules(self):
        return msgspec.structs.replace(super().rules, looks_up_by_client_id=False)

    async def look_up(self, ref):
        first = msgspec.structs.replace(ref, client_order_id=self.placed[0].client_order_id)
        found = await super().look_up(first)
        assert isinstance(found, Found)
        return Found(msgspec.structs.replace(found.report, client_order_id=ref.client_order_id))


async def never_arrived(request, place):
    return InDoubt(cause="connection closed")


async def test_another_order_of_ours_is_not_taken_for_the_one_in_doubt(tmp_path) -> None:
    async with running(tmp_path, make_exchange=Searching) as client:
        first = (await client.send(BUY, wait=5)).json()
        assert first["status"] == "FILLED"
        client.service.exchanges[0].script.append(never_arrived)

        second = (await client.send(BUY)).json()["order_id"]

        async def looked_up() -> bool:
            metrics = await client.metrics()
            return metrics['execution_order_reconciliations_total{exchange="paper",outcome="not_found"}'] >= 3

        await until(looked_up)
        assert (await client.order(second))["status"] == "IN_DOUBT"


async def test_an_order_that_is_nobody_elses_is_found(tmp_path) -> None:
    async with running(tmp_path, make_exchange=Searching) as client:

        async def executed_but_no_answer(request, place):
            await place(request)
            return InDoubt(cause="connection closed")

        client.service.exchanges[0].script.append(executed_but_no_answer)
        order = (await client.send(BUY, wait=10)).json()
        assert order["status"] == "FILLED"
