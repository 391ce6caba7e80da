"""What exchange and journal do not agree on is found, named and counted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.exchanges.lab import Lab, trading
from tests.simulator.__main__ import make_venue
from tests.simulator.server import Simulator
from tests.support.waiting import until


async def findings(lab: Lab) -> list[dict[str, Any]]:
    response = await lab.client.operator.post("/findings")
    document = response.json()
    assert not document["not_compared"], document
    return [finding for finding in document["findings"] if not finding["reference"].startswith(("position", "balance"))]


async def resting(lab: Lab) -> dict[str, Any]:
    order_id = await lab.send(lab.alert(order_type="limit", price=lab.place.low_price))
    return await lab.becomes(order_id, "ACCEPTED")


async def test_orders_of_others_are_foreign_and_ours_are_no_finding(tmp_path):
    async with trading(tmp_path, "binance") as lab:
        await resting(lab)
        assert await findings(lab) == []

        instrument = next(iter(lab.simulator.engine.instruments))
        lab.simulator.engine.place(
            instrument, "buy", "limit", Decimal("0.01"), price=Decimal(30000), client_id="by-hand"
        )
        (finding,) = await findings(lab)
        assert (finding["kind"], finding["reference"]) == ("foreign", "by-hand")


async def test_an_order_with_our_mark_that_the_journal_does_not_know_is_a_finding_until_it_is_gone(tmp_path):
    async with Simulator(make_venue("binance")) as simulator:
        async with trading(tmp_path / "lost", "binance", simulator) as lab:
            lost = await resting(lab)
        async with trading(tmp_path / "other", "binance", simulator, engine="sdk") as lab:
            (finding,) = await findings(lab)
            assert (finding["kind"], finding["reference"]) == ("missing_in_journal", lost["client_order_id"])
            series = 'execution_reconciliation_findings{exchange="binance",kind="missing_in_journal"}'
            assert (await lab.client.metrics())[series] == 1

            order = simulator.engine.find_by_client_id(lost["client_order_id"])
            simulator.engine.cancel(order_id=order.id)
            assert await findings(lab) == []


async def test_an_order_that_the_exchange_has_lost_is_a_finding(tmp_path):
    async with trading(tmp_path, "binance") as lab:
        order = await resting(lab)
        simulated = lab.simulator.engine.find_by_client_id(order["client_order_id"])
        simulated.visible_from_ns = 1 << 62

        async def found() -> list[dict[str, Any]]:
            return await findings(lab)

        (finding,) = await until(found, within=40, every=0.5)
        assert (finding["kind"], finding["reference"]) == ("missing_at_exchange", order["client_order_id"])
