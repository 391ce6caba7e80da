"""The power is cut anywhere: what was acknowledged is there, what was reported as failed is not."""

from __future__ import annotations

import random

import pytest

from scripts.lib.power_loss import KINDS, Progress, run
from tests.chaos.power.cuts import Disk
from tests.chaos.power.recording import Change

CUTS = {"journal": 170, "first start": 40}
SEED = 5
WITHIN_S = 240.0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_power_cut_loses_nothing_acknowledged_and_brings_back_nothing_refused(kind, capsys):
    verdict = run(kind, cuts=CUTS[kind.name], seed=SEED, progress=Progress(CUTS[kind.name], WITHIN_S))
    assert verdict.wrong == 0, capsys.readouterr().out
    assert verdict.cuts == CUTS[kind.name]
    assert verdict.acknowledged >= 60
    assert verdict.flushes_failed or kind.name != "journal"


def left(*changes, cuts=200):
    """Every state in which a power cut after these changes may leave the disk."""
    disk, chance = Disk(), random.Random(1)
    for change in changes:
        disk.apply(Change(*change))
    return [disk.cut(chance) for _ in range(cuts)]


MADE = ("C", "f", 0, b"")
NAMED = ("S", "", 0, b"")
WRITTEN = ("W", "f", 0, b"a" * 1024)
FLUSHED = ("S", "f", 0, b"")
REFUSED = ("F", "f", 0, b"")


def test_what_was_flushed_under_a_name_that_was_flushed_is_always_there():
    assert all(disk == {"f": b"a" * 1024} for disk in left(MADE, NAMED, WRITTEN, FLUSHED))


def test_a_flushed_file_may_lose_its_name():
    disks = left(MADE, WRITTEN, FLUSHED)
    assert {} in disks
    assert {"f": b"a" * 1024} in disks


def test_a_file_below_a_folder_that_was_not_flushed_may_be_gone_with_it():
    made, named = ("M", "d", 0, b""), ("S", "d", 0, b"")
    disks = left(made, ("C", "d/f", 0, b""), ("W", "d/f", 0, b"x"), ("S", "d/f", 0, b""), named)
    assert {} in disks
    assert {"d": None, "d/f": b"x"} in disks


def test_a_write_that_was_not_flushed_may_be_torn_at_a_sector():
    contents = {disk["f"] for disk in left(MADE, NAMED, WRITTEN)}
    assert {b"", b"a" * 512, b"a" * 1024, bytes(512) + b"a" * 512} <= contents


def test_later_writes_may_be_kept_without_earlier_ones():
    second = ("W", "f", 0, b"b" * 1024)
    contents = {disk["f"] for disk in left(MADE, NAMED, WRITTEN, FLUSHED, second)}
    assert {b"a" * 1024, b"b" * 1024, b"a" * 512 + b"b" * 512, b"b" * 512 + b"a" * 512} == contents


def test_a_flush_after_one_that_failed_proves_nothing_for_what_was_written_before():
    contents = {disk["f"] for disk in left(MADE, NAMED, WRITTEN, REFUSED, FLUSHED)}
    assert {b"", b"a" * 1024} <= contents
    assert all(disk == {"f": b""} for disk in left(MADE, NAMED, WRITTEN, REFUSED, ("T", "f", 0, b""), FLUSHED))


def test_a_name_that_was_removed_may_come_back_until_its_folder_is_flushed():
    removed = ("U", "f", 0, b"")
    disks = left(MADE, NAMED, WRITTEN, FLUSHED, removed)
    assert {} in disks
    assert {"f": b"a" * 1024} in disks
    assert all(disk == {} for disk in left(MADE, NAMED, WRITTEN, FLUSHED, removed, NAMED))
