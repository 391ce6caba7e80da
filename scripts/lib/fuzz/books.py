"""What was executed, by the journal and by the exchange's own books, after the service has stopped."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import NamedTuple


class Executed(NamedTuple):
    """`orders` in the journal, `placed` at the exchange, and what does not fit."""

    orders: int
    placed: int
    findings: list[str]


def executed(data: Path, acknowledged: Collection[str]) -> Executed:
    """Hold both books to the acknowledgements: each is one order, and each order was placed once at most."""
    with closing(_open(data / "journal.sqlite")) as journal:
        ours = dict(journal.execute("SELECT id, client_order_id FROM orders").fetchall())
    with closing(_open(data / "paper.sqlite")) as books:
        placed = books.execute("SELECT client_order_id, COUNT(*) FROM orders GROUP BY client_order_id").fetchall()
    findings = [
        f"acknowledged, but not in the journal: {name}" for name in sorted(set(acknowledged) - ours.keys())[:10]
    ]
    findings += [f"placed {count} times: {name}" for name, count in placed if count > 1][:10]
    foreign = {name for name, _ in placed} - set(ours.values())
    findings += [f"placed, but not in the journal: {name}" for name in sorted(foreign)[:10]]
    return Executed(len(ours), len(placed), findings)


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True)
