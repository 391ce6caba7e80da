"""`growth`: the service with none and with many finished orders in its journal, and how it comes back after a kill."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from scripts.lib import history
from scripts.lib.bench import machine
from scripts.lib.bench.closed_loop import DRAINED_WITHIN_S, Measured, closed_loop, plan_for
from scripts.lib.bench.collector import Receiver, receiving
from scripts.lib.bench.figures import Bar, medians, ratio
from scripts.lib.bench.lanes import EXCHANGE, SOURCE, lanes
from scripts.lib.bench.options import Asked
from scripts.lib.bench.processes import Placed, Service, collect, first_id, sending
from scripts.lib.bench.results import Result, side_by_side

THROUGHPUT_BAR = 0.9
ROWS = {
    "acknowledged/s": "acknowledged_per_s",
    "FILLED/s": "filled_per_s",
    "acknowledged, P95 ms": "ack_p95_ms",
    "CPU us an order": "cpu_us_per_order",
    "memory at the start MiB": "memory_at_start_mib",
    "memory MiB": "memory_mib",
    "ready, s": "ready_s",
    "ready after a kill, s": "ready_after_kill_s",
    "continued after a kill, s": "continued_s",
    "unfinished at the kill": "unfinished_at_kill",
    "steal %": "steal_percent",
    "other processes %": "others_percent",
}
_KILL_AFTER = 0.5
"""Share of the load's time after which the service is killed."""
_MOST_BEFORE_KILL_S = 4.0


class Killed(NamedTuple):
    """Unix nanoseconds: when the load began, when the service was killed, when it was started again."""

    begun_ns: int
    killed_ns: int
    started_ns: int


def run(asked: Asked, folder: Path, result: Result) -> None:
    """Rounds in which the sizes take turns, each on a fresh copy of its journal; medians count."""
    cores = machine.look_at_cores()
    sizes = (0, *asked.orders)
    rounds: defaultdict[int, list[Measured]] = defaultdict(list)
    with receiving(folder / "receiver", cores.others) as receiver:
        result.notes = [
            f"telemetry {asked.growth_engine}, {asked.connections} connections, {asked.growth_seconds:g} s a round",
            (
                "ready: from the start of the process; continued: from the start to the first change of an order that "
                "a kill -9 under load had left unfinished"
            ),
        ]
        for size in asked.orders:
            _prepare(folder / f"history-{size}", size, asked.lanes, result)
        for number in range(asked.growth_rounds):
            for size in sizes:
                place = Placed(folder / f"{size}-{number}", receiver.url, cores.service, asked.lanes)
                _copy(folder / f"history-{size}", place.folder / "data")
                rounds[size].append(_round(Service(asked.growth_engine, place), receiver, asked))
                shutil.rmtree(place.folder)
                _tell(result, rounds)


def _prepare(folder: Path, size: int, least: int, result: Result) -> None:
    begun = time.perf_counter()
    traded = [
        history.Lane(EXCHANGE, lane.account, lane.symbol, Decimal(lane.quantity), Decimal(lane.price))
        for lane in lanes(least)
    ]
    history.write_history(folder, traded, size)
    bytes_written = (folder / "journal.sqlite").stat().st_size
    result.notes.append(
        f"{size:,} orders written in {time.perf_counter() - begun:.1f} s: a journal of {bytes_written / 2**20:,.0f} MiB"
    )


def _copy(source: Path, to: Path) -> None:
    to.mkdir(parents=True, mode=0o700)
    if (source / "journal.sqlite").exists():
        shutil.copy(source / "journal.sqlite", to)
        # Else the first commits of the start would wait behind a gigabyte that the disk still has to write.
        with (to / "journal.sqlite").open("rb") as copy:
            os.fsync(copy.fileno())


def _round(service: Service, receiver: Receiver, asked: Asked) -> Measured:
    with service.serving() as ready:
        memory = machine.memory_mib(service.pid)
        measured = closed_loop(service, receiver, asked, asked.growth_seconds)
        killed, ready_after = _kill_under_load(service, asked)
        service.drain(DRAINED_WITHIN_S)
    return measured._replace(
        figures={
            **measured.figures,
            **continued(service.data / "journal.sqlite", killed),
            "ready_s": ready,
            "ready_after_kill_s": ready_after,
            "memory_at_start_mib": memory,
        }
    )


def _kill_under_load(service: Service, asked: Asked) -> tuple[Killed, float]:
    """Start it again at once; seconds until it was ready."""
    seconds = min(asked.growth_seconds, _MOST_BEFORE_KILL_S)
    plans = [plan_for(service, asked, "kill", seconds)]
    with sending(plans, machine.look_at_cores().others) as senders:
        begun_ns = time.time_ns()
        time.sleep(seconds * _KILL_AFTER)
        service.kill()
        killed_ns = time.time_ns()
        collect(senders, plans)  # they end with their connections
    started_ns = time.time_ns()
    return Killed(begun_ns, killed_ns, started_ns), service.start()


def continued(journal: Path, killed: Killed) -> dict[str, float]:
    """Seconds from the new start to the first change of an order of before, and how many such orders there were."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        (first_ns, count) = connection.execute(
            "SELECT min(ts_ns), count(DISTINCT order_id) FROM transitions JOIN orders ON orders.id = order_id "
            "WHERE order_id >= ? AND source = ? AND received_ns <= ? AND ts_ns >= ?",
            (first_id(killed.begun_ns), SOURCE, killed.killed_ns, killed.started_ns),
        ).fetchone()
    seconds = float("nan") if first_ns is None else (first_ns - killed.started_ns) / 1e9
    return {"continued_s": seconds, "unfinished_at_kill": count}


def _tell(result: Result, rounds: Mapping[int, Sequence[Measured]]) -> None:
    found = {size: medians([one.figures for one in each]) for size, each in rounds.items()}
    columns = {f"{size:,} orders": figures for size, figures in found.items()}
    disturbed = [f"{size:,} orders" for size, each in rounds.items() if any(one.load.disturbed for one in each)]
    title = f"By finished orders in the journal, medians of {max(map(len, rounds.values()))}"
    result.tables = [side_by_side(title, ROWS, columns, disturbed)]
    conditions = [note for note in result.notes if not note.startswith("with ")]
    said = [f"with {size:,} orders: {note}" for size, each in rounds.items() for one in each for note in one.notes]
    result.notes = [*conditions, *said]
    result.figures = {
        "conditions": conditions,
        "sizes": {str(size): figures for size, figures in found.items()},
    }
    result.bars = [
        Bar(f"{what} with {size:,} orders / none", ratio(figures[name], found[0][name]), "at least", THROUGHPUT_BAR)
        for size, figures in found.items()
        if size
        for what, name in (("acknowledged/s", "acknowledged_per_s"), ("FILLED/s", "filled_per_s"))
    ]
