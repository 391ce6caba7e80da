"""Two orders of one account trade with each other, and the exchange gives both executions one id."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.exchanges.lab import ACCOUNT, PLACES, Lab, trading
from tests.simulator.model import FillPlan
from tests.support.waiting import until

PRICE = "49900"
"""So near the simulators' price that neither side is refused."""


async def resting(lab: Lab, side: str) -> dict[str, Any]:
    lab.simulator.engine.next_fill(FillPlan.resting())
    return await lab.becomes(await lab.send(lab.alert(side, order_type="limit", price=PRICE)), "ACCEPTED")


async def with_fills(lab: Lab, order_id: str) -> dict[str, Any]:
    """The order once the fills that are journaled tell all that was filled."""

    async def whole() -> dict[str, Any] | None:
        order = await lab.client.order(order_id)
        told = sum(Decimal(fill["quantity"]) for fill in order["fills"])
        return order if order["status"] == "FILLED" and told == Decimal(order["filled_qty"]) else None

    order = await until(whole, within=60, every=0.05)
    assert order is not None
    return order


def held_there(lab: Lab) -> Decimal:
    """Base units of what is traded, at the exchange."""
    engine = lab.simulator.engine
    instrument = next(iter(engine.instruments.values()))
    if instrument.kind == "spot":
        return engine.balances()[instrument.base].total
    position = engine.positions().get(instrument.symbol)
    return position.quantity * instrument.contract_size if position is not None else Decimal(0)


@pytest.mark.parametrize("venue", PLACES)
async def test_each_order_has_its_fill_and_what_is_held_is_what_the_exchange_says(venue: str, tmp_path) -> None:
    async with trading(tmp_path, venue) as lab:
        engine, held_before = lab.simulator.engine, held_there(lab)
        bought_before = await lab.final(await lab.send(lab.alert()))
        orders = [await resting(lab, side) for side in ("buy", "sell")]
        maker, taker = (engine.find_by_client_id(order["client_order_id"]) for order in orders)
        engine.match(taker, maker)

        await with_fills(lab, bought_before["order_id"])
        (bought,), (sold,) = [(await with_fills(lab, order["order_id"]))["fills"] for order in orders]
        assert maker.trades[0].id == taker.trades[0].id
        assert Decimal(bought["fee"]) == maker.trades[0].fee > 0
        assert Decimal(sold["fee"]) == taker.trades[0].fee > 0
        held = await lab.client.service.journal.holdings(venue, ACCOUNT)
        assert held == {lab.place.symbol: held_there(lab) - held_before}
