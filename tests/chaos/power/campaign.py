"""Records one run of a workload, cuts the power at many points of it, and judges what is left each time."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.chaos.power.cuts import Disk
from tests.chaos.power.recording import Change
from tests.chaos.power.said import NAME, Said, parse

Judge = Callable[[Path, int], list[str]]
"""What is wrong with the disk in this folder, cut when so much had been said."""

_EVEN = 0.5
_CLOSE = 20
"""So many changes behind a rare one a cut may still be close to it."""


def said_in(changes: Sequence[Change]) -> list[Said]:
    return [parse(change.data) for change in changes if change.path == NAME and change.kind == "W"]


def cut(
    changes: Sequence[Change], *, cuts: int, seed: int, folder: Path, judge: Judge
) -> Iterator[tuple[int, list[str]]]:
    """For each of `cuts` points of `changes`: its index there, and what is wrong after it.

    Half of them lie anywhere, half close behind what is rarer than a write, each kind as often as any other.
    The same `seed` over the same record makes the same cuts. Several may fall on one point: what is left differs.
    """
    chance = random.Random(seed)
    rare: dict[str, list[int]] = {}
    for index, change in enumerate(changes, 1):
        if change.kind != "W":
            rare.setdefault(change.kind, []).append(index)
    points = sorted(_point(chance, list(rare.values()), len(changes)) for _ in range(cuts))
    disk, heard, at = Disk(), 0, 0
    for point in points:
        for change in changes[at:point]:
            if change.path == NAME:
                heard += change.kind == "W"
            else:
                disk.apply(change)
        at = point
        _write(folder, disk.cut(chance), chance)
        yield point, judge(folder, heard)


def _point(chance: random.Random, rare: Sequence[Sequence[int]], last: int) -> int:
    if chance.random() < _EVEN:
        return chance.randrange(last + 1)
    return min(chance.choice(chance.choice(rare)) + chance.randrange(_CLOSE), last)


def _write(folder: Path, left: dict[str, bytes | None], chance: random.Random) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path, content in left.items():
        if content is None:
            (folder / path).mkdir()
        elif not path.endswith("-shm"):
            (folder / path).write_bytes(content)
        elif chance.random() < _EVEN:
            # Written through a memory map, which is not recorded: anything may be in it, or it may be gone.
            (folder / path).write_bytes(chance.randbytes(len(content)))
