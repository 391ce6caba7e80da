"""Generated cases in parts, here and in processes that were spawned for them."""

from __future__ import annotations

import logging
import multiprocessing
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from scripts.lib.judge import facade, programs, spans

PART = 200
_SPAWNED_EVERY = 9
_TURNS = ("tracing API", "tracing API", "facade", "tracing API")
"""Whole engines take three times as long as two providers."""

_PART_WITHIN_S = 1800.0


def judged(kind: str, cases: int, number: int) -> Counter[str]:
    """Play so many cases of one kind, drawn from this seed; what was counted. Raises where engines differ."""
    counts: Counter[str] = Counter()
    drawn, judge = _KINDS[kind]

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(program=drawn)
    def play(program: Any) -> None:
        counts[kind] += 1
        counts["compared"] += judge(program)
        counts[f"{kind}, {program.way}"] += 1
        if getattr(program, "forked", None):
            counts["with a forked child"] += 1

    # Both engines say what they leave out, thousands of times.
    logging.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            play()
    finally:
        logging.disable(logging.NOTSET)
    return counts


_KINDS: dict[str, tuple[Any, Callable[[Any], int]]] = {
    "tracing API": (spans.programs, lambda program: spans.Providers(program).judge()),
    "facade": (programs.programs, facade.judge),
}


def in_a_spawned_process(kind: str, cases: int, number: int) -> Counter[str]:
    """The same in a fresh interpreter: nothing of this one's caches, locks or context is there."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        counts = pool.apply_async(judged, (kind, cases, number)).get(_PART_WITHIN_S)
    counts["in spawned processes"] += counts[kind]
    return counts


def run(cases: int, number: int) -> Counter[str]:
    """So many cases at least, in parts; raises at the first difference, shrunk."""
    total: Counter[str] = Counter()
    part = 0
    began = time.monotonic()
    while (done := total["tracing API"] + total["facade"]) < cases:
        kind = _TURNS[part % len(_TURNS)]
        play = in_a_spawned_process if part % _SPAWNED_EVERY == _SPAWNED_EVERY - 1 else judged
        total += play(kind, min(PART, cases - done), number * 1_000_003 + part)
        part += 1
        done = total["tracing API"] + total["facade"]
        print(f"{done:,} of {cases:,} cases, {time.monotonic() - began:.0f} s", flush=True)
    return total
