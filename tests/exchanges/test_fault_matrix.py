"""Every fault by every exchange: executed once or provably not at all, and the journal says what the ledger does.

The judge is the simulator's ledger. All cells of an exchange run at the same time, each with a service and a
simulator of its own: proving that an order is absent takes as long as its request might still be executed. They start
a few at a time, as services do on a machine of their own: 39 at once would keep each other from answering in time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.exchanges.lab import Lab, statuses, trading
from tests.simulator import faults
from tests.simulator.model import FillPlan
from tests.support.waiting import until

VENUES = ("binance", "okx", "deribit")
STARTING = 3


class Expected(NamedTuple):
    """The end, how many orders the ledger must hold, and whether the order may have been in doubt on the way."""

    status: str
    placed: int
    doubt: bool


EXECUTED = Expected("FILLED", 1, doubt=False)
FOUND = Expected("FILLED", 1, doubt=True)
GONE = Expected("ABSENT", 0, doubt=True)

Scenario = Callable[[Lab], Awaitable[str]]
"""Drives one order; its id."""


def market(*planned: faults.Fault) -> Scenario:
    """A market order whose request meets these faults, one an attempt."""

    async def scenario(lab: Lab) -> str:
        lab.simulator.schedule.queue("place", *planned)
        return await lab.send(lab.alert())

    return scenario


def on_a_kept_alive_connection(fault: faults.Fault) -> Scenario:
    async def scenario(lab: Lab) -> str:
        first = await lab.send(lab.alert())
        assert (await lab.final(first))["status"] == "FILLED"
        lab.simulator.schedule.queue("place", fault)
        return await lab.send(lab.alert())

    return scenario


async def while_nobody_listens(lab: Lab) -> str:
    await lab.simulator.stop()
    order_id = await lab.send(lab.alert())
    await asyncio.sleep(1)
    await lab.simulator.start()
    return order_id


async def idle_connections_are_dropped(lab: Lab) -> str:
    """As exchanges do with connections that were not used for a while."""
    first = await lab.send(lab.alert())
    await lab.final(first)
    lab.simulator.drop_idle()
    await asyncio.sleep(0.2)
    return await lab.send(lab.alert())


async def delivered_twice_while_it_rests(lab: Lab) -> str:
    lab.simulator.schedule.queue("place", faults.duplicate())
    order_id = await lab.send(lab.alert(order_type="limit", price=lab.place.low_price))
    await lab.becomes(order_id, "ACCEPTED")
    await lab.client.operator.delete(f"/orders/{order_id}")
    return order_id


async def canceled_too_late(lab: Lab) -> str:
    lab.simulator.schedule.queue("place", faults.cancel_crosses_fill())
    order_id = await lab.send(lab.alert(order_type="limit", price=lab.place.low_price))
    await lab.becomes(order_id, "ACCEPTED")
    await lab.client.operator.delete(f"/orders/{order_id}")
    return order_id


def canceled_under(fault: faults.Fault) -> Scenario:
    async def scenario(lab: Lab) -> str:
        order_id = await lab.send(lab.alert(order_type="limit", price=lab.place.low_price))
        await lab.becomes(order_id, "ACCEPTED")
        lab.simulator.schedule.queue("cancel", fault)
        await lab.client.operator.delete(f"/orders/{order_id}")
        return order_id

    return scenario


CELLS: dict[str, tuple[Scenario, Expected]] = {
    "no fault": (market(), EXECUTED),
    "delayed": (market(faults.delay(0.5)), EXECUTED),
    "nobody listens": (while_nobody_listens, EXECUTED),
    "idle connection dropped": (idle_connections_are_dropped, EXECUTED),
    "hangs, not executed": (market(faults.hang()), GONE),
    "hangs, executed": (market(faults.hang(after=True)), FOUND),
    "closed before reading": (market(faults.close_before()), GONE),
    "closed after executing": (market(faults.close_after()), FOUND),
    "reset after executing": (market(faults.close_after(reset=True)), FOUND),
    "kept-alive connection closed after executing": (on_a_kept_alive_connection(faults.close_after()), FOUND),
    "503, not executed": (market(faults.status_before(503)), GONE),
    "502, executed": (market(faults.status_after(502)), FOUND),
    "307": (market(faults.redirect(307)), GONE),
    "308": (market(faults.redirect(308)), GONE),
    "HTML with 200, executed": (market(faults.html_200()), FOUND),
    "HTML with 200, not executed": (market(faults.html_200(after=False)), GONE),
    "HTML with 524, executed": (market(faults.html_524()), FOUND),
    "HTML with 524, not executed": (market(faults.html_524(after=False)), GONE),
    "other JSON with 200, executed": (market(faults.other_json()), FOUND),
    "other JSON with 200, not executed": (market(faults.other_json(after=False)), GONE),
    "empty 200, executed": (market(faults.empty_200()), FOUND),
    "truncated JSON, executed": (market(faults.truncated_json()), FOUND),
    "body cut short, executed": (market(faults.cut_body()), FOUND),
    "no order id, executed": (market(faults.missing_id()), FOUND),
    "rejected with 200": (market(faults.rejected_200()), Expected("REJECTED", 0, doubt=False)),
    "status unknown, executed": (market(faults.unknown_status()), FOUND),
    "status unknown, not executed": (market(faults.unknown_status(after=False)), GONE),
    "executed, visible after 3 s": (market(faults.invisible_and_lost(3)), FOUND),
    "acknowledged, visible after 2 s": (market(faults.invisible(2)), EXECUTED),
    "429": (market(faults.rate_limited(0.5)), EXECUTED),
    "418": (market(faults.banned(0.5)), EXECUTED),
    "clock skewed": (market(faults.clock_skew(-120_000)), EXECUTED),
    "filled in parts": (market(faults.filled_as(FillPlan.in_parts(4, every=0.6))), EXECUTED),
    "partly filled, then canceled": (market(faults.partial_then_cancel()), Expected("CANCELED", 1, doubt=False)),
    "delivered twice": (delivered_twice_while_it_rests, Expected("CANCELED", 1, doubt=True)),
    "cancel crosses fill": (canceled_too_late, EXECUTED),
    "cancel lost": (canceled_under(faults.close_before()), Expected("CANCELED", 1, doubt=False)),
    "cancel answered with a closed connection": (
        canceled_under(faults.close_after()),
        Expected("CANCELED", 1, doubt=False),
    ),
    "cancel limited": (canceled_under(faults.rate_limited(0.5)), Expected("CANCELED", 1, doubt=False)),
}

EXCEPTIONS: dict[tuple[str, str], Expected] = {
    # Nothing at this exchange refuses a used label: who delivers a request twice places two orders.
    ("deribit", "delivered twice"): Expected("CANCELED", 2, doubt=False),
    # It calls a stale timestamp an unauthorized request, which is an answer: nothing was executed.
    ("deribit", "clock skewed"): Expected("REJECTED", 0, doubt=False),
}
"""Where an exchange cannot be held to the rule, and what happens there instead."""

LEDGER = {"FILLED": "filled", "CANCELED": "canceled", "EXPIRED": "expired"}


class Result(NamedTuple):
    venue: str
    fault: str
    expected: Expected
    found: Expected
    problems: tuple[str, ...]


@pytest.mark.parametrize("venue", VENUES)
async def test_under_every_fault_the_journal_and_the_exchange_tell_the_same_single_story(venue: str, tmp_path: Path):
    starting = asyncio.Semaphore(STARTING)
    cells = (_run(venue, name, tmp_path / str(i), starting) for i, name in enumerate(CELLS))
    results = await asyncio.gather(*cells)

    print("\n".join(_line(result) for result in results))  # noqa: T201 - the table, with -s
    assert not [_line(result) for result in results if result.problems]


async def _run(venue: str, name: str, folder: Path, starting: asyncio.Semaphore) -> Result:
    scenario, usual = CELLS[name]
    expected = EXCEPTIONS.get((venue, name), usual)
    async with contextlib.AsyncExitStack() as stack:
        async with starting:
            lab = await stack.enter_async_context(trading(folder, venue))
        order_id = await scenario(lab)
        order = await _settled(lab, await lab.final(order_id))
        ledger = lab.simulator.ledger
        client_id = order["client_order_id"]
        doubt = "IN_DOUBT" in statuses(order)
        found = Expected(order["status"], ledger.placed(client_id), doubt)
        return Result(venue, name, expected, found, tuple(_problems(lab, order, expected, found)))


async def _settled(lab: Lab, order: dict[str, Any]) -> dict[str, Any]:
    """The order once its fills are told; they come from the account's own trades."""

    async def told() -> dict[str, Any] | None:
        shown = await lab.client.order(order["order_id"])
        return shown if _filled(shown) >= Decimal(shown["filled_qty"]) else None

    shown = await until(told, within=60, every=0.1)
    assert shown is not None
    return shown


def _filled(order: dict[str, Any]) -> Decimal:
    return sum((Decimal(fill["quantity"]) for fill in order["fills"]), Decimal(0))


def _problems(lab: Lab, order: dict[str, Any], expected: Expected, found: Expected) -> list[str]:
    problems = [] if found == expected else [f"expected {expected}"]
    ledger, client_id = lab.simulator.ledger, order["client_order_id"]
    if order["status"] in LEDGER and ledger.status(client_id) != LEDGER[order["status"]]:
        problems.append(f"the ledger says {ledger.status(client_id)}")
    instrument = next(iter(lab.simulator.engine.instruments.values()))
    executed = ledger.filled(client_id) * instrument.contract_size
    if Decimal(order["filled_qty"]) != executed:
        problems.append(f"filled {order['filled_qty']}, the ledger says {executed}")
    if _filled(order) != executed:
        problems.append(f"fills of {_filled(order)}, the ledger says {executed}")
    if order["anomalies"] and found.placed == 1:
        problems.append(f"anomalies: {order['anomalies']}")
    return problems


def _line(result: Result) -> str:
    found = result.found
    doubt = "in doubt, then " if found.doubt else ""
    problems = f"  !! {'; '.join(result.problems)}" if result.problems else ""
    return f"{result.venue:8} {result.fault:46} {doubt}{found.status}, executed {found.placed}{problems}"
