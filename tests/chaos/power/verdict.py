"""What must be true of a journal after a power cut, judged by what was said before it and by the whole record.

The journal is opened by the service's own code; its content is then read by plain SQL.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from service.journal.sqlite import SqliteJournal
from tests.chaos.power.said import CUT, Said

STATUSES = ("RECEIVED", "SUBMITTED", "PARTIALLY_FILLED", "FILLED")
"""The life of every order of the workload: the status at versions 0 to 3; each of the last two brings one fill."""
_FIRST_WITH_FILL = 2

Write = tuple[str, int]
"""An order and its version after the write."""


class History:
    """What was said before the cut, heard in order.

    A write that failed is gone. Only where the disk refused to have it cut out of the log too, it may come back until
    the next one is acknowledged (docs/decisions/0008).
    """

    def __init__(self) -> None:
        self.acknowledged: dict[str, int] = {}
        self.begun: set[Write] = set()
        self.gone: set[Write] = set()
        self._failed: set[Write] = set()

    def hear(self, said: Said) -> None:
        write = said.order, said.version
        if said.what == "begun":
            self.begun.add(write)
        elif said.what == "failed":
            (self.gone if said.detail == CUT else self._failed).add(write)
        elif said.what == "acknowledged":
            self.acknowledged[said.order] = said.version
            self.gone |= self._failed
            self._failed.clear()


Groups = Mapping[tuple[int, int], set[Write]]
"""The writes of each group commit (session, commit), as far as they were ever acknowledged."""


def groups_of(everything: Iterable[Said]) -> Groups:
    groups: dict[tuple[int, int], set[Write]] = defaultdict(set)
    for said in everything:
        if said.what == "acknowledged":
            groups[said.group].add((said.order, said.version))
    return groups


def judge(path: Path, history: History, groups: Groups) -> list[str]:
    """What is wrong with the journal at `path`; empty: nothing. A missing file is right where nothing was promised."""
    if not path.exists() and not history.acknowledged:
        return []
    if not path.exists():
        return [f"the journal is gone, {len(history.acknowledged)} orders were acknowledged"]
    try:
        asyncio.run(_open_and_close(path))
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return _contents(connection, history, groups)
    except Exception as error:  # noqa: BLE001 - whatever the journal cannot bear after a cut is a finding of this cut
        return [f"{type(error).__name__}: {error}"]


def judge_first_start(data: Path, heard: Iterable[Said]) -> list[str]:
    """What is wrong with the data of a service that was told of a power cut after it had said `heard`."""
    wrong, promised = [], {}
    for said in heard:
        if said.what == "ready" and _text(data / "secrets" / said.order) != said.detail:
            wrong.append(f"secret {said.order} was made and is {'gone' if not data.exists() else 'another one'}")
        elif said.what == "acknowledged":
            promised[said.order] = said.detail
    path = data / "journal.sqlite"
    if not path.exists():
        return [*wrong, f"the journal is gone, {len(promised)} orders were acknowledged"] if promised else wrong
    try:
        asyncio.run(_open_and_close(path))
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found = dict(connection.execute("SELECT order_id, key FROM answers JOIN orders ON orders.id = order_id"))
    except Exception as error:  # noqa: BLE001 - whatever the journal cannot bear after a cut is a finding of this cut
        return [*wrong, f"{type(error).__name__}: {error}"]
    return wrong + [f"{order} is gone" for order, key in promised.items() if found.get(order) != key]


def _text(file: Path) -> str | None:
    return file.read_text("utf-8") if file.exists() else None


async def _open_and_close(path: Path) -> None:
    journal = SqliteJournal.open(path)
    await journal.probe()
    await journal.close()


def _contents(connection: sqlite3.Connection, history: History, groups: Groups) -> list[str]:
    (check,) = connection.execute("PRAGMA integrity_check").fetchone()
    wrong = [] if check == "ok" else [f"integrity_check: {check}"]
    orders = {
        order: (version, status)
        for order, version, status in connection.execute("SELECT id, version, status FROM orders")
    }
    wrong += _lost(connection, history, orders) + _broken(connection, orders)
    present = {(order, each) for order, (version, _) in orders.items() for each in range(version + 1)}
    wrong += [f"{order} version {version} was never begun" for order, version in present - history.begun]
    wrong += [f"{order} version {version} failed and is there" for order, version in present & history.gone]
    return wrong + _out_of_order(present, groups)


def _lost(connection: sqlite3.Connection, history: History, orders: Mapping[str, tuple[int, str]]) -> list[str]:
    keys = {key for (key,) in connection.execute("SELECT key FROM answers")}
    wrong = [
        f"{order}: version {version} was acknowledged, there is {orders.get(order, (-1,))[0]}"
        for order, version in history.acknowledged.items()
        if orders.get(order, (-1,))[0] < version
    ]
    return wrong + [f"{order}: its key is gone" for order in history.acknowledged if order not in keys]


def _broken(connection: sqlite3.Connection, orders: Mapping[str, tuple[int, str]]) -> list[str]:
    """Orders that are not whole: a gap in the versions, another status, fills or a key missing or too many."""
    steps: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for order, version, status in connection.execute(
        "SELECT order_id, version, to_status FROM transitions ORDER BY order_id, version"
    ):
        steps[order].append((version, status))
    fills = dict(connection.execute("SELECT order_id, count(*) FROM fills GROUP BY order_id"))
    keys = {key for (key,) in connection.execute("SELECT key FROM answers")}
    wrong = [f"{order}: steps without an order" for order in steps.keys() - orders.keys()]
    for order, (version, status) in orders.items():
        expected = list(enumerate(STATUSES[: version + 1]))
        if steps[order] != expected or status != expected[-1][1]:
            wrong.append(f"{order} is {status} at version {version}, its steps are {steps[order]}")
        if fills.get(order, 0) != max(version - _FIRST_WITH_FILL + 1, 0):
            wrong.append(f"{order} at version {version} has {fills.get(order, 0)} fills")
        if order not in keys:
            wrong.append(f"{order} has no key")
    held = connection.execute("SELECT quantity FROM holdings").fetchone()
    if float(held[0] if held else 0) != sum(fills.values()) / 2:
        wrong.append(f"held is {held}, there are {sum(fills.values())} fills of 0.5")
    return wrong


def _out_of_order(present: set[Write], groups: Groups) -> list[str]:
    """Each group is there whole or not at all, and none after one that is not."""
    wrong, ended = [], None
    for group in sorted(groups):
        found = len(groups[group] & present)
        if 0 < found < len(groups[group]):
            wrong.append(f"of commit {group} {found} of {len(groups[group])} writes are there")
        if found and ended is not None:
            wrong.append(f"commit {group} is there, {ended} before it is not")
        if not found:
            ended = ended or group
    return wrong
