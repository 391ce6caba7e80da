"""Writes to a journal from many tasks, over several starts and through failing flushes, and says what it knows.

`python -m tests.chaos.power.journal_workload <watched folder> <faults file> <seed> <orders>`
"""

from __future__ import annotations

import asyncio
import errno
import random
import sys
from decimal import Decimal
from pathlib import Path

from service.core.orders import OrderStatus
from service.journal.protocol import Commit, JournalUnavailable
from service.journal.sqlite import SqliteJournal
from tests.chaos.power.recording import Faults
from tests.chaos.power.said import CUT, Said, Speaker
from tests.unit.journal.examples import a_fill, an_order, its_answer, moved

WRITERS = 16
SESSIONS = 4
TROUBLED = (1, 3)
"""Sessions whose disk refuses now and then, to write or to flush."""

S = OrderStatus


class Session:
    def __init__(self, number, journal, speaker, chance, numbers):
        self._number = number
        self._journal = journal
        self._say = speaker.say
        self._chance = chance
        self._numbers = numbers

    async def write(self):
        """One order after another, each through its life, until the session's orders are used up."""
        for _ in self._numbers:
            order = an_order(comment="x" * self._chance.choice((0, 100, 3_000)))
            try:
                await self._take(order, self._journal.append(order, its_answer(order)))
                for status, fill in ((S.SUBMITTED, None), (S.PARTIALLY_FILLED, "a"), (S.FILLED, "b")):
                    order, step = moved(order, status)
                    fills = [] if fill is None else [a_fill(order, f"{order.id}{fill}", quantity=Decimal("0.5"))]
                    await self._take(order, self._journal.record(order, step, fills))
            except JournalUnavailable:
                await asyncio.sleep(0.002)

    async def _take(self, order, write):
        self._say(Said("begun", order.id, order.version))
        try:
            result = await write
        except JournalUnavailable:
            is_cut = self._journal._writer._suspicion is None
            self._say(Said("failed", order.id, order.version, detail=CUT if is_cut else ""))
            raise
        commit = result if isinstance(result, Commit) else result.commit
        self._say(Said("acknowledged", order.id, order.version, (self._number, commit.id)))


async def trouble(faults, chance):
    """One flush fails, or all for a while, or the disk is full for a while."""
    while True:
        # From the first flush on: that of the log's own name is among the first.
        kind = chance.choice(("once", "once", "flushes", "full"))
        if kind == "once":
            faults.set(sync_errno=-errno.EIO, spared_syncs=chance.randrange(4))
            await asyncio.sleep(chance.uniform(0.001, 0.02))
            continue
        faults.set(**({"sync_errno": errno.EIO} if kind == "flushes" else {"write_errno": errno.ENOSPC}))
        await asyncio.sleep(chance.uniform(0.0, 0.005))
        faults.set()
        await asyncio.sleep(chance.uniform(0.001, 0.02))


async def run(folder, faults, seed, orders):
    chance = random.Random(seed)
    speaker = Speaker(folder)
    for number in range(SESSIONS):
        journal = SqliteJournal.open(folder / "home" / "data" / "journal.sqlite")
        session = Session(number, journal, speaker, chance, iter(range(orders // SESSIONS)))
        troubling = asyncio.ensure_future(trouble(faults, chance)) if number in TROUBLED else None
        await asyncio.gather(*(session.write() for _ in range(WRITERS)))
        if troubling is not None:
            troubling.cancel()
            await asyncio.gather(troubling, return_exceptions=True)
            faults.set()
        await journal.close()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Faults(Path(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])))
