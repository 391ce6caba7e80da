"""Cuts the power, on paper, at many points of a recorded run of the journal and of a first start of the service.

Every change that a run makes on its disk is recorded in order; a cut keeps what was flushed and any part of the rest
(`tests/chaos/power/cuts.py` says what that may be). Then the service's own code opens what is left: it must open,
hold everything that was acknowledged, and nothing that was reported as failed. The same seed over the same record
makes the same cuts; the record itself differs a little from run to run, as threads do. Needs Linux and `cc`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.chaos.power.campaign import Judge, cut, said_in
from tests.chaos.power.recording import Change, record
from tests.chaos.power.said import Said
from tests.chaos.power.verdict import History, groups_of, judge, judge_first_start

_ORDERS = 600
_ALERTS = 60
_CUTS_A_RECORD = 1_000
_SHOWN = 5
_PROGRESS_EVERY_S = 5.0
_FIRST_START_SHARE = 10
"""Of so many cuts one is of a first start: it has few points that differ."""


class Verdict(NamedTuple):
    """Cuts of one kind of run that were made, and those after which something was wrong."""

    kind: str
    records: int
    cuts: int
    wrong: int
    acknowledged: int
    flushes_failed: int


def of_a_journal(said: Sequence[Said]) -> Judge:
    """Judges a journal that many tasks wrote to, through failing flushes."""
    history, groups, heard_before = History(), groups_of(said), 0

    def judged(folder: Path, heard: int) -> list[str]:
        nonlocal heard_before
        for each in said[heard_before:heard]:
            history.hear(each)
        heard_before = heard
        return judge(folder / "home" / "data" / "journal.sqlite", history, groups)

    return judged


def of_a_first_start(said: Sequence[Said]) -> Judge:
    """Judges the data of a service that was started for the first time."""
    return lambda folder, heard: judge_first_start(folder / "home" / "fillpath" / "var", said[:heard])


class Kind(NamedTuple):
    """What is run and recorded, and how what a cut leaves of it is judged; `arguments` for a seed."""

    name: str
    module: str
    arguments: Callable[[int], list[str]]
    judge: Callable[[Sequence[Said]], Judge]


KINDS = (
    Kind("journal", "tests.chaos.power.journal_workload", lambda seed: [str(seed), str(_ORDERS)], of_a_journal),
    Kind("first start", "tests.chaos.power.service_workload", lambda _: [str(_ALERTS)], of_a_first_start),
)


class Progress:
    """A line now and then on standard error, and the deadline."""

    def __init__(self, cuts: int, seconds: float) -> None:
        self._begun = self._told = time.monotonic()
        self._deadline = self._begun + seconds
        self._cuts, self._made = cuts, 0

    def is_over(self) -> bool:
        return time.monotonic() > self._deadline

    def step(self) -> None:
        self._made += 1
        now = time.monotonic()
        if now - self._told >= _PROGRESS_EVERY_S:
            self._told = now
            print(f"power: {self._made} of {self._cuts} cuts, {now - self._begun:.0f} s", file=sys.stderr, flush=True)


def run(kind: Kind, *, cuts: int, seed: int, progress: Progress) -> Verdict:
    """So many cuts, over as many fresh records as that takes; prints what is wrong."""
    made = wrong = records = acknowledged = refused = 0
    while made < cuts and not progress.is_over():
        with tempfile.TemporaryDirectory(prefix="fillpath-power-") as name:
            folder = Path(name)
            changes = record(folder, kind.module, kind.arguments(seed + records))
            said = said_in(changes)
            acknowledged += sum(each.what == "acknowledged" for each in said)
            refused += _refused(changes)
            wanted = min(_CUTS_A_RECORD, cuts - made)
            found = cut(changes, cuts=wanted, seed=seed + records, folder=folder / "left", judge=kind.judge(said))
            for point, findings in found:
                made += 1
                if findings:
                    wrong += 1
                    _tell(kind, seed + records, point, findings)
                progress.step()
                if progress.is_over():
                    break
        records += 1
    return Verdict(kind.name, records, made, wrong, acknowledged, refused)


def _refused(changes: Sequence[Change]) -> int:
    return sum(change.kind == "F" for change in changes)


def _tell(kind: Kind, seed: int, point: int, findings: Sequence[str]) -> None:
    print(f"{kind.name}, seed {seed}, cut after change {point}: {len(findings)} wrong", flush=True)
    for finding in findings[:_SHOWN]:
        print(f"  {finding}", flush=True)


def table(verdicts: Sequence[Verdict]) -> str:
    """What was cut and what came of it, as text."""
    lines = ["run           records    cuts   wrong  acknowledged writes  failed flushes"]
    lines += [
        f"{v.kind:<12}  {v.records:>7}  {v.cuts:>6}  {v.wrong:>6}  {v.acknowledged:>19}  {v.flushes_failed:>14}"
        for v in verdicts
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """0 where nothing was lost, 1 where something was, 2 where it could not be found out, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="power_loss", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cuts", type=int, default=5_000, help="power cuts in all (5,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the runs and of the cuts (1)")
    parser.add_argument("--seconds", type=float, default=900.0, help="the time after which no more are made (900)")
    given = parser.parse_args(arguments)
    progress = Progress(given.cuts, given.seconds)
    of_starts = given.cuts // _FIRST_START_SHARE
    try:
        verdicts = [
            run(kind, cuts=cuts, seed=given.seed, progress=progress)
            for kind, cuts in zip(KINDS, (given.cuts - of_starts, of_starts), strict=True)
        ]
    except KeyboardInterrupt:
        print("\nended; nothing is said about what was not cut", file=sys.stderr)
        return 130
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 2
    print(table(verdicts))
    made, wrong = sum(v.cuts for v in verdicts), sum(v.wrong for v in verdicts)
    print(f"\n{made} power cuts, seed {given.seed}: {wrong} with something lost or wrong")
    if made < given.cuts:
        print(f"the time was over after {made} of {given.cuts} cuts; ask for fewer or give --seconds", file=sys.stderr)
        return 2
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
