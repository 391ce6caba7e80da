"""One run: start everything, kill the service again and again under alerts, let it end what is open, judge."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from scripts.lib.chaos.alerts import Sender, stream
from scripts.lib.chaos.disturbance import Disturbance
from scripts.lib.chaos.evidence import Evidence
from scripts.lib.chaos.history import write_history
from scripts.lib.chaos.judge import executed_by, judge
from scripts.lib.chaos.operator import Operator
from scripts.lib.chaos.places import PLACES, SOURCE, currencies, keys, write_configuration
from scripts.lib.chaos.processes import Service, simulator
from scripts.lib.chaos.receiver import Receiver, receiving
from scripts.lib.chaos.report import Result
from scripts.lib.chaos.spans import judge_traces

_READY_WITHIN_S = 120.0
_FILLS_WITHIN_S = 60.0
_LONGEST_LIFE = 5.0
"""Times the mean: exponential pauses have no end, a run has one."""
_WHILE_STARTING = 0.25
"""Share of kills whose moment counts from the start; that of the others counts from when the service is ready."""
_PROGRESS_EVERY_S = 10.0
_START_S = 1.0
_SENDING_SHARE = 0.9
"""Of the expected time of all kills: the last ones may meet no new alerts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to do.

    `pause`: mean seconds from readiness, or from the start, to the kill; `fault_rate`: share of order requests that
    fail; `other_faults`: faults a second on other requests; `finished`: orders in the journal before the first start;
    `settle`: seconds that open orders get to end after the last kill.
    """

    venue: str
    kills: int
    alerts: int
    fault_rate: float = 0.1
    seed: int = 0
    pause: float = 2.0
    other_faults: float = 0.3
    finished: int = 0
    settle: float = 900.0


async def run(asked: Asked, folder: Path) -> Result:
    """Raises ChaosError where the run itself cannot go on; the processes it started have ended when it returns."""
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        receiver, ledgers, exchanges = Receiver(), _ledgers(asked.venue, folder), []
        for number, ledger in enumerate(ledgers):
            seed = asked.seed * len(ledgers) + number
            running = simulator(asked.venue, fault_rate=asked.fault_rate, seed=seed, ledger=ledger)
            exchanges.append(stack.enter_context(running))
        configuration = folder / "fillpath.toml"
        write_configuration(configuration, asked.venue, exchanges)
        service = Service(folder, configuration, keys(asked.venue), stack.enter_context(receiving(receiver)))
        if asked.finished:
            write_history(service.data, asked.venue, asked.finished)
        stack.callback(service.stop)
        operator = await stack.enter_async_context(Operator(service))
        disturbance = Disturbance([await _admin(stack, exchange) for exchange in exchanges], asked.seed)
        await disturbance.fund(currencies(asked.venue))
        sender = Sender(service.public, service.token, asked.seed, operator.cancel)
        await _trouble(asked, service, sender, disturbance)
        await operator.all_tried(asked.settle / 2)  # what still waits meets faults as all did before
        await disturbance.end()
        unfinished = await operator.settle(asked.settle)
        orders = await operator.orders(SOURCE, _FILLS_WITHIN_S)
        hits = await disturbance.hits()
        service.stop()  # exports the last spans
        executed, refused = executed_by(ledgers, asked.venue)
        evidence = Evidence(
            venue=asked.venue,
            sent=sender.sent,
            executed=executed,
            refused=refused,
            hits=hits,
            orders=orders,
            unfinished=unfinished,
            spans=receiver.spans,
            lives=service.lives,
        )
    return Result(asked.venue, asked.seed, time.monotonic() - begun, evidence, judge(evidence), judge_traces(evidence))


def _ledgers(venue: str, folder: Path) -> Sequence[Path]:
    return [folder / f"ledger-{number}.jsonl" for number in range(PLACES[venue].exchanges)]


async def _admin(stack: AsyncExitStack, exchange: str) -> httpx.AsyncClient:
    return await stack.enter_async_context(httpx.AsyncClient(base_url=exchange, timeout=60, trust_env=False))


async def _trouble(asked: Asked, service: Service, sender: Sender, disturbance: Disturbance) -> None:
    """Kills and alerts side by side, until both are through; the service runs afterwards."""
    service.start()
    await service.ready(_READY_WITHIN_S)
    rate = asked.alerts / max(1.0, asked.kills * (asked.pause + _START_S) * _SENDING_SHARE)
    alerts = list(stream(asked.venue, asked.seed, asked.alerts))
    sending = asyncio.create_task(
        sender.send_all(alerts, rate, lambda: _kills(service) / asked.kills if asked.kills else 1.0)
    )
    disturbing = asyncio.create_task(_disturb(disturbance, asked.other_faults))
    try:
        async with _progress(asked, service, sender):
            await _kill_again_and_again(asked, service)
            await sending
    finally:
        for task in (sending, disturbing):
            task.cancel()
        await asyncio.gather(sending, disturbing, return_exceptions=True)
    await service.ready(_READY_WITHIN_S)


def _kills(service: Service) -> int:
    return sum(life.killed for life in service.lives)


async def _disturb(disturbance: Disturbance, a_second: float) -> None:
    if a_second > 0:
        await disturbance.disturb(a_second)


async def _kill_again_and_again(asked: Asked, service: Service) -> None:
    """Most at a random moment of their work, the others at one of their start."""
    chance = random.Random(f"{asked.seed}:kills")  # noqa: S311 - replayed by its seed
    for _ in range(asked.kills):
        if chance.random() >= _WHILE_STARTING:
            await service.ready(_READY_WITHIN_S)
        await service.live_for(min(chance.expovariate(1 / asked.pause), _LONGEST_LIFE * asked.pause))
        service.kill()
        service.start()


@contextlib.asynccontextmanager
async def _progress(asked: Asked, service: Service, sender: Sender) -> AsyncIterator[None]:
    async def say() -> None:
        while True:
            await asyncio.sleep(_PROGRESS_EVERY_S)
            sent = sender.sent
            print(
                f"{asked.venue}: {_kills(service)}/{asked.kills} kills, {sent.alerts}/{asked.alerts} alerts, "
                f"{len(sent.acknowledgements)} acknowledged",
                file=sys.stderr,
                flush=True,
            )

    task = asyncio.create_task(say())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
