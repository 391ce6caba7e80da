"""What a power cut may leave of a disk: everything that was flushed, and any part of the rest.

After the last flush of a file each write and each change of size is kept or lost by itself, and so is each 512-byte
sector of a write (the unit that disks promise to write whole); a file may have grown without its data. Names (of new,
removed, linked and renamed files) are kept or lost likewise until their directory was flushed: fsync(2) says that a
file's own flush does not cover them. A flush that failed settles nothing, and neither does a later one for the
writes before it: Linux may have thrown them away (fsync errors are reported once).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from posixpath import dirname

from tests.chaos.power.recording import Change

SECTOR = 512
_EVEN = 0.5
_GROWN = 0.25


class _Pending:
    """A write or a change of size that no flush has covered."""

    __slots__ = ("change", "is_sure", "was_refused")

    def __init__(self, change: Change) -> None:
        self.change = change
        self.was_refused = False
        self.is_sure = False


def _sectors(change: Change, chance: random.Random) -> Iterator[Change]:
    if change.kind == "T":
        if chance.random() < _EVEN:
            yield change
        return
    edges = [0, *range(SECTOR - change.number % SECTOR, len(change.data), SECTOR), len(change.data)]
    for begin, end in pairwise(edges):
        if chance.random() < _EVEN:
            yield change._replace(number=change.number + begin, data=change.data[begin:end])


_Keep = Callable[[Change, random.Random, bool], Iterable[Change]]
"""What is kept of a change that was not flushed; the flag says whether it came before some point of time."""

_KEEPING: tuple[_Keep, ...] = (
    lambda _change, _chance, _early: (),
    lambda change, _chance, _early: (change,),
    lambda change, _chance, early: (change,) if early else (),
    lambda change, _chance, _early: (change,) if change.kind == "W" else (),
    lambda change, chance, _early: (change,) if chance.random() < _EVEN else (),
    lambda change, chance, _early: _sectors(change, chance),
)
"""Nothing, everything, what came first, the data without the sizes, any changes, any sectors."""


class _File:
    def __init__(self) -> None:
        self.settled = bytearray()
        self.pending: list[_Pending] = []

    def flush(self) -> None:
        for each in self.pending:
            each.is_sure = not each.was_refused
        # A sure truncation to nothing ends every doubt before it.
        for index in range(len(self.pending) - 1, -1, -1):
            each = self.pending[index]
            if each.is_sure and each.change.kind == "T" and each.change.number == 0:
                self.settled.clear()
                del self.pending[: index + 1]
                break
        if all(each.is_sure for each in self.pending):
            for each in self.pending:
                _apply(self.settled, each.change)
            self.pending.clear()

    def refuse(self) -> None:
        for each in self.pending:
            each.was_refused = not each.is_sure

    def after_a_cut(self, chance: random.Random) -> bytes:
        content = bytearray(self.settled)
        keep, longest = chance.choice(_KEEPING), len(content)
        reached = chance.randrange(len(self.pending) + 1)
        for index, each in enumerate(self.pending):
            for part in (each.change,) if each.is_sure else keep(each.change, chance, index < reached):
                _apply(content, part)
            longest = max(longest, each.change.number + len(each.change.data))
        if len(content) < longest and chance.random() < _GROWN:
            lacking = longest - len(content)
            content += bytes(lacking) if chance.random() < _EVEN else chance.randbytes(lacking)
        return bytes(content)


_Node = _File | None
"""None is a directory."""
_Step = tuple[tuple[str, _Node, bool], ...]
"""Names that change together: path, what it names, whether it does so afterwards."""


class Disk:
    """`apply` every recorded change in order; `cut` at any point, as often as wanted."""

    def __init__(self) -> None:
        self._settled: dict[str, _Node] = {"": None}
        self._now: dict[str, _Node] = {"": None}
        self._pending: dict[str, list[_Step]] = {}

    def apply(self, change: Change) -> None:
        kind, path = change.kind, change.path
        if kind in "WT":
            self._file(path).pending.append(_Pending(change))
        elif kind == "F":
            if (file := self._now[path]) is not None:
                file.refuse()
        elif kind == "S":
            self._flush(path)
        else:
            self._rename(dirname(change.data.decode() if kind in "LR" else path), self._step(change))

    def cut(self, chance: random.Random) -> dict[str, bytes | None]:
        """What is there afterwards by path; None is a directory."""
        names = dict(self._settled)
        mode = chance.choice(("none", "all", "each"))
        for steps in self._pending.values():
            for step in steps:
                if mode == "all" or (mode == "each" and chance.random() < _EVEN):
                    _adopt(names, step)
        contents: dict[int, bytes] = {}
        left: dict[str, bytes | None] = {}
        for path, node in sorted(names.items()):
            if path and dirname(path) not in left and dirname(path):
                continue  # its directory is gone
            if node is None:
                left[path] = None
            else:
                left[path] = contents.setdefault(id(node), node.after_a_cut(chance))
        del left[""]
        return left

    def _step(self, change: Change) -> _Step:
        path, target = change.path, change.data.decode() if change.kind in "LR" else ""
        if change.kind == "C":
            return ((path, _File(), True),)
        if change.kind == "M":
            return ((path, None, True),)
        if change.kind == "U":
            return ((path, None, False),)
        node = self._now[path]
        return ((target, node, True),) if change.kind == "L" else ((path, None, False), (target, node, True))

    def _rename(self, directory: str, step: _Step) -> None:
        _adopt(self._now, step)
        self._pending.setdefault(directory, []).append(step)

    def _flush(self, path: str) -> None:
        node = self._now[path]
        if node is not None:
            node.flush()
            return
        for step in self._pending.pop(path, ()):
            _adopt(self._settled, step)

    def _file(self, path: str) -> _File:
        node = self._now[path]
        assert node is not None, f"{path} is a directory"
        return node


def _adopt(names: dict[str, _Node], step: _Step) -> None:
    for path, node, stays in step:
        if stays:
            names[path] = node
        else:
            names.pop(path, None)


def _apply(content: bytearray, change: Change) -> None:
    size = change.number
    if change.kind == "T":
        del content[size:]
    if len(content) < size:
        content += bytes(size - len(content))
    if change.kind == "W":
        content[size : size + len(change.data)] = change.data
