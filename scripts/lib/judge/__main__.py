"""`python -m scripts.lib.judge`: generated cases, each through both engines; the exit status is the verdict.

Two kinds take turns: programs of OpenTelemetry's tracing API, and programs of the facade with whole engines (spans,
metrics, log lines, exemplars, forked children). One part in nine runs in a process of its own that was spawned for it.
What differs is shrunk to the least program that still differs, and printed.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from scripts.lib.judge import facade, spans

PART = 200
_SPAWNED_EVERY = 9
_TURNS = ("tracing API", "tracing API", "facade", "tracing API")
"""Whole engines take three times as long as two providers."""

_PART_WITHIN_S = 1800.0


def judged(kind: str, cases: int, number: int) -> Counter[str]:
    """Play so many cases of one kind, drawn from this seed; what was counted. Raises where engines differ."""
    counts: Counter[str] = Counter()
    programs, judge = _KINDS[kind]

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(program=programs)
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
    "facade": (facade.programs, facade.judge),
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


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.lib.judge", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="generated cases (10,000)")
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn from (1)")
    asked = parser.parse_args(arguments)
    try:
        total = run(asked.cases, asked.seed)
    except AssertionError as difference:
        print(f"the engines differ: {difference}", file=sys.stderr)
        for note in getattr(difference, "__notes__", ()):
            print(note, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for what, count in sorted(total.items()):
        print(f"{count:>12,}  {what}")
    print(f"{total['tracing API'] + total['facade']:,} cases, 0 differences")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
