"""How often Python's garbage collector runs while the service does."""

from __future__ import annotations

import gc

THRESHOLDS = 50_000, 20, 50
"""Hardly anything of an order is garbage that only the collector finds: it runs a seventieth as often as by default."""


def collect_calmly() -> None:
    """What a start made stays to the end: it need not be looked through again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
