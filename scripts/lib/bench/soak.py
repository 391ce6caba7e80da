"""`soak`: moderate load for minutes; whether memory, file handles or the journal's log grow without end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.bench import machine
from scripts.lib.bench.collector import receiving
from scripts.lib.bench.figures import slope
from scripts.lib.bench.lanes import lanes
from scripts.lib.bench.open_loop import schedule
from scripts.lib.bench.options import Asked
from scripts.lib.bench.processes import Placed, Service, send
from scripts.lib.bench.results import Cell, Result, Table

SLOPE_LIMIT_MIB_PER_HOUR = 30.0
HANDLES_LIMIT = 8
_TURN_S = 10.0
"""One sample a turn; each turn's alerts are signed before it, so that none is ever too old."""
_LEAST_SAMPLES = 6
_SHOWN = 12
_SETTLING = 0.5
"""Share of the time that counts for nothing: caches that are bounded fill up in it."""


class Sample(NamedTuple):
    """At `seconds` from the start."""

    seconds: float
    memory_mib: float
    handles: int
    journal_mib: float
    log_mib: float
    acknowledged: int


class Verdict(NamedTuple):
    """`slope` is MiB an hour, of the samples that count; `handles` how many more there were at the end of them."""

    slope: float
    handles: int
    enough: bool

    @property
    def text(self) -> str:
        if not self.enough:
            return "too short for a verdict"
        if self.slope > SLOPE_LIMIT_MIB_PER_HOUR:
            return "memory grows"
        return "file handles grow" if self.handles > HANDLES_LIMIT else "flat"


def run(asked: Asked, folder: Path, result: Result) -> None:
    """So many minutes; one sample every ten seconds."""
    cores = machine.look_at_cores()
    samples: list[Sample] = []
    with receiving(folder / "receiver", cores.others) as receiver:
        service = Service(
            asked.soak_engine, Placed(folder / asked.soak_engine, receiver.url, cores.service, asked.lanes)
        )
        result.notes = [
            f"telemetry {asked.soak_engine}, {asked.soak_rate:g} alerts/s over {len(lanes(asked.lanes))} lanes",
            f"exported to: {receiver.about}",
        ]
        with service.serving(), machine.watched([service.pid, receiver.pid]) as load:
            begun, acknowledged, refused = time.monotonic(), 0, 0
            while (left := asked.minutes * 60 - (time.monotonic() - begun)) > 0:
                plan = service.plan(f"turn{len(samples)}", connections=asked.connections, seconds=0, count=0)
                sent = send(schedule(plan, asked.soak_rate, min(_TURN_S, left), 1), cores.others)
                acknowledged += sum(len(one.latencies) for one in sent)
                refused += sum(one.refused + one.unanswered for one in sent)
                samples.append(_sample(service, time.monotonic() - begun, acknowledged))
                _tell(result, samples, refused)
        result.notes.append(str(load))
        result.figures |= load.figures()


def judge(samples: Sequence[Sample]) -> Verdict:
    """By the samples of the second half."""
    until = samples[-1].seconds if samples else 0.0
    counted = [sample for sample in samples if sample.seconds >= until * _SETTLING]
    hours = [sample.seconds / 3600 for sample in counted]
    growth = slope(hours, [sample.memory_mib for sample in counted])
    handles = counted[-1].handles - counted[0].handles if counted else 0
    return Verdict(growth, handles, len(samples) >= _LEAST_SAMPLES)


def _sample(service: Service, seconds: float, acknowledged: int) -> Sample:
    def size(name: str) -> float:
        file = service.data / name
        return file.stat().st_size / 2**20 if file.exists() else 0.0

    return Sample(
        seconds=seconds,
        memory_mib=machine.memory_mib(service.pid),
        handles=machine.open_files(service.pid),
        journal_mib=size("journal.sqlite"),
        log_mib=size("journal.sqlite-wal"),
        acknowledged=acknowledged,
    )


def _tell(result: Result, samples: Sequence[Sample], refused: int) -> None:
    verdict = judge(samples)
    step = max(1, len(samples) // _SHOWN)
    shown = [*samples[:-1:step], samples[-1]]
    rows: list[Sequence[Cell]] = [(f"{sample.seconds / 60:.1f}", *sample[1:]) for sample in shown]
    columns = ("minute", "MiB", "file handles", "journal MiB", "its log MiB", "acknowledged")
    result.tables = [Table("The service's process and files", columns, rows)]
    result.notes = [
        *result.notes[:2],
        (
            f"memory over the second half: {verdict.slope:+.1f} MiB an hour (limit {SLOPE_LIMIT_MIB_PER_HOUR:g}), "
            f"file handles {verdict.handles:+d} (limit {HANDLES_LIMIT}); refused {refused}; verdict: {verdict.text}"
        ),
    ]
    result.figures = {
        "conditions": result.notes[:2],
        "samples": [sample._asdict() for sample in samples],
        "slope_mib_per_hour": verdict.slope,
        "handles": verdict.handles,
        "refused": refused,
        "verdict": verdict.text,
    }
