"""What an alert says about a position, carried out at simulated exchanges."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.exchanges.lab import Lab, trading
from tests.simulator import faults
from tests.support.waiting import until

SWAPS = ("okx", "deribit")


def position(lab: Lab) -> Decimal:
    """Base units at the exchange, negative when short."""
    engine = lab.simulator.engine
    held = engine.positions().get(next(iter(engine.instruments)))
    return Decimal(0) if held is None else held.quantity * held.instrument.contract_size


async def done(lab: Lab, **alert: Any) -> dict[str, Any]:
    return await lab.final(await lab.send({"symbol": lab.place.symbol} | alert))


@pytest.mark.parametrize("venue", SWAPS)
async def test_targets_are_reached_from_wherever_the_position_is(venue, tmp_path):
    async with trading(tmp_path, venue) as lab:
        opened = await done(lab, target_position="long", target_quantity="0.05")
        assert (opened["status"], opened["side"], position(lab)) == ("FILLED", "buy", Decimal("0.05"))

        reduced = await done(lab, target_position="long", target_quantity="0.02")
        assert (reduced["side"], reduced["reduce_only"], position(lab)) == ("sell", True, Decimal("0.02"))

        reversed_ = await done(lab, target_position="short", target_quantity="0.03")
        assert (reversed_["side"], reversed_["reduce_only"], position(lab)) == ("sell", False, Decimal("-0.03"))
        assert Decimal(reversed_["quantity"]) == Decimal("0.05")

        flat = await done(lab, target_position="flat")
        assert (flat["side"], flat["reduce_only"], position(lab)) == ("buy", True, Decimal(0))


@pytest.mark.parametrize("venue", SWAPS)
async def test_two_alerts_for_the_same_target_open_one_position(venue, tmp_path):
    async with trading(tmp_path, venue) as lab:
        alerts = [{"target_position": "long", "target_quantity": "0.05", "tag": str(i)} for i in range(2)]
        orders = await asyncio.gather(*(done(lab, **alert) for alert in alerts))

        assert sorted(order["status"] for order in orders) == ["CANCELED", "FILLED"]
        assert [order["reason"] for order in orders if order["status"] == "CANCELED"] == ["at_target"]
        assert position(lab) == Decimal("0.05")


@pytest.mark.parametrize("venue", SWAPS)
async def test_a_reversal_is_one_order_through_zero(venue, tmp_path):
    async with trading(tmp_path, venue) as lab:
        await done(lab, side="buy", quantity="0.02")
        order = await done(lab, side="sell", quantity="0.05")

        assert (order["status"], position(lab)) == ("FILLED", Decimal("-0.03"))


@pytest.mark.parametrize("venue", SWAPS)
async def test_a_close_that_got_lost_is_sent_again_and_closes_once(venue, tmp_path):
    async with trading(tmp_path, venue) as lab:
        await done(lab, side="buy", quantity="0.05")
        lab.simulator.schedule.queue("place", faults.close_before())
        order = await done(lab, action="close")

        assert (order["status"], order["attempts"], position(lab)) == ("FILLED", 2, Decimal(0))


@pytest.mark.parametrize("venue", SWAPS)
async def test_a_close_whose_answer_got_lost_is_not_sent_again(venue, tmp_path):
    async with trading(tmp_path, venue) as lab:
        await done(lab, side="sell", quantity="0.05")
        lab.simulator.schedule.queue("place", faults.close_after())
        order = await done(lab, action="close")

        assert (order["status"], order["attempts"], position(lab)) == ("FILLED", 1, Decimal(0))


async def test_quantities_are_sent_in_contracts_and_both_are_kept(tmp_path):
    async with trading(tmp_path, "okx") as lab:
        order = await done(lab, side="buy", quantity="0.05")
        size = next(iter(lab.simulator.engine.instruments.values())).contract_size

        assert Decimal(order["quantity"]) == Decimal("0.05")
        assert Decimal(order["contracts"]) == Decimal("0.05") / size
        assert lab.simulator.ledger.filled(order["client_order_id"]) == Decimal(order["contracts"])


async def test_a_spot_close_sells_what_this_source_bought_less_fees_and_tells_the_dust(tmp_path):
    async with trading(tmp_path, "binance") as lab:
        bought = await done(lab, side="buy", quantity="0.00999")
        fee = Decimal(bought["fees"]["BTC"])
        sold = await done(lab, action="close")

        assert (sold["status"], sold["side"]) == ("FILLED", "sell")
        assert Decimal("0.00999") - fee - Decimal(sold["filled_qty"]) < Decimal("0.00001")
        (submitted,) = [step for step in sold["transitions"] if step["to"] == "SUBMITTED"]
        assert "too few to be traded" in submitted["detail"]
        assert (await done(lab, action="close"))["reason"] == "at_target"


async def test_a_spot_close_leaves_coins_that_did_not_come_through_us(tmp_path):
    async with trading(tmp_path, "binance") as lab:
        lab.simulator.engine.account.set_funds("BTC", Decimal(3))
        order = await done(lab, action="close")

        assert (order["status"], order["reason"]) == ("CANCELED", "at_target")
        assert lab.simulator.ledger.placed(order["client_order_id"]) == 0


@pytest.mark.parametrize("venue", ["binance", "okx"])
async def test_an_alert_that_cancels_ends_the_open_orders_of_its_tag(venue, tmp_path):
    async with trading(tmp_path, venue) as lab:
        resting = lab.alert(order_type="limit", price=lab.place.low_price)
        tagged, other = await lab.send(resting | {"tag": "a"}), await lab.send(resting | {"tag": "b"})
        await lab.becomes(tagged, "ACCEPTED")
        await lab.becomes(other, "ACCEPTED")

        order = await done(lab, action="cancel", tag="a")

        assert (order["status"], order["reason"]) == ("CANCELED", "cancel_alert")
        assert (await lab.final(tagged))["status"] == "CANCELED"
        assert (await lab.client.order(other))["status"] == "ACCEPTED"


async def test_fills_and_fees_that_come_late_are_added_after_the_order_is_filled(tmp_path):
    async with trading(tmp_path, "okx") as lab:
        lab.simulator.schedule.queue("place", faults.late_trades(2))
        order_id = await lab.send(lab.alert())
        await lab.becomes(order_id, "FILLED")

        async def told() -> bool:
            order = await lab.client.order(order_id)
            return sum(Decimal(fill["quantity"]) for fill in order["fills"]) == Decimal(order["filled_qty"])

        await until(told, within=30)
        assert (await lab.client.order(order_id))["fees"]
