"""`python -m scripts.lib.judge`: generated cases, each through both engines; the exit status is the verdict.

Two kinds take turns: programs of OpenTelemetry's tracing API, and programs of the facade with whole engines (spans,
metrics, log lines, exemplars, forked children). One part in nine runs in a process of its own that was spawned for it.
What differs is shrunk to the least program that still differs, and printed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from scripts.lib.judge.playing import run


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
