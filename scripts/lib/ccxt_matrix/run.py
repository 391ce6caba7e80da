"""A run: classes side by side in one process, behind the fence, bounded in time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scripts.lib.ccxt_matrix.cells import Cell, Driven, drive
from scripts.lib.ccxt_matrix.fence import fenced
from telemetry.config import TelemetryConfig
from telemetry.off import OffTelemetry

_SIDE_BY_SIDE = 12
"""They wait more than they compute: for time-outs."""


class Result(NamedTuple):
    """`escapes`: hosts beyond this machine that were tried; `unfinished`: classes that the time was too short for."""

    classes: Sequence[Driven]
    escapes: Sequence[str]
    unfinished: Sequence[str]
    seed: int
    seconds: float

    @property
    def driven(self) -> list[Driven]:
        return [one for one in self.classes if not one.unreached]

    @property
    def problems(self) -> list[str]:
        """Every broken rule, as a line."""
        lines = [
            f"{one.ccxt_id}, {kind} under `{cell.fault}`: {problem} ({cell.said[:80]})"
            for one in self.classes
            for kind, cells in (("an order", one.placing), ("a look-up", one.looking_up))
            for cell in cells
            for problem in cell.problems
        ]
        return lines + [f"{host} was to be reached, which is not on this machine" for host in self.escapes]


def run(classes: Sequence[str], *, seed: int, seconds: float, tell: Callable[[int, Driven], None]) -> Result:
    """`tell` is called after each class with how many are done."""
    # Each fault of a rate limit is worth a warning to a user, and none here.
    logging.getLogger("service").setLevel(logging.ERROR)
    started = time.monotonic()
    with fenced() as escapes:
        done = asyncio.run(_all(classes, seed, seconds, tell))
    order = {name: place for place, name in enumerate(classes)}
    known = sorted(done, key=lambda one: order[one.ccxt_id])
    names = {one.ccxt_id for one in known}
    unfinished = [name for name in classes if name not in names]
    return Result(known, sorted(set(escapes)), unfinished, seed, time.monotonic() - started)


async def _all(
    classes: Sequence[str], seed: int, seconds: float, tell: Callable[[int, Driven], None]
) -> Sequence[Driven]:
    telemetry = OffTelemetry(TelemetryConfig(service_version="0", instance_id="matrix", environment="matrix"))
    done: list[Driven] = []
    room = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(ccxt_id: str) -> None:
        async with room:
            done.append(await drive(ccxt_id, telemetry, seed))
            tell(len(done), done[-1])

    try:
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for ccxt_id in classes:
                group.create_task(one(ccxt_id))
    except TimeoutError:
        pass
    return done


def count(cells: Sequence[Cell], verdict: str) -> int:
    """How many cells ended so."""
    return sum(cell.verdict == verdict for cell in cells)
