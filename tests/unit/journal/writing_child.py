"""Appends orders to the journal named by its argument and prints each id after the journal called it durable."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from service.journal.sqlite import SqliteJournal
from tests.unit.journal.examples import journaled


async def main(path):
    journal = SqliteJournal.open(path)

    async def write():
        while True:
            order = await journaled(journal)
            sys.stdout.write(f"{order.id}\n")
            sys.stdout.flush()

    await asyncio.gather(*(write() for _ in range(8)))


asyncio.run(main(Path(sys.argv[1])))
