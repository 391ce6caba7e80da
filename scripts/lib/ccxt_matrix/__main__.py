"""`python -m scripts.lib.ccxt_matrix`: the run as a command; its status is 0 where no rule was broken."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.ccxt_matrix.cells import Driven
from scripts.lib.ccxt_matrix.report import as_json, document, summary
from scripts.lib.ccxt_matrix.run import Result, run
from scripts.lib.ccxt_matrix.subject import all_classes

_LEAST = 100
"""Of all classes so many must be driven: else the run shows less than it says."""
_INTERRUPTED = 130
_EACH = 20
"""Where the output is no terminal, a line for so many classes."""


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    known = all_classes()
    classes = options.classes.split(",") if options.classes else known
    strangers = sorted(set(classes) - set(known))
    if strangers:
        print(f"ccxt has no class that places orders called {', '.join(strangers)}; they are {', '.join(known)}")
        return 2
    try:
        result = run(classes, seed=options.seed, seconds=options.seconds, tell=_Progress(len(classes)))
    except KeyboardInterrupt:
        print("\nstopped; nothing was written")
        return _INTERRUPTED
    print(f"\n{summary(result)}")
    if options.json:
        options.json.write_text(as_json(result), "utf-8")
    if options.write:
        (options.write / "ccxt-matrix.md").write_text(document(result), "utf-8")
    return status_of(result, everything=not options.classes)


def status_of(result: Result, *, everything: bool) -> int:
    """1 for a broken rule, for classes that were not finished, and for too few of `everything`."""
    few = len(result.driven) < (_LEAST if everything else len(result.classes))
    return int(bool(result.problems) or bool(result.unfinished) or few)


class _Progress:
    def __init__(self, total: int) -> None:
        self._total = total

    def __call__(self, done: int, one: Driven) -> None:
        broken = sum(bool(cell.problems) for cell in (*one.placing, *one.looking_up))
        note = "not driven" if one.unreached else f"{broken} broken"
        line = f"{done:>4}/{self._total}  {one.ccxt_id:24}{note:12}"
        if sys.stdout.isatty():
            print(f"\r{line}", end="", flush=True)
        elif broken or done % _EACH == 0 or done == self._total:
            print(line, flush=True)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.lib.ccxt_matrix", description=__doc__)
    parser.add_argument("--classes", default="", help="ccxt ids with commas between them; default: all")
    parser.add_argument("--seed", type=int, default=1, help="gives the order of the faults (1)")
    parser.add_argument("--seconds", type=float, default=900.0, help="the run ends after so many, unfinished (900)")
    parser.add_argument("--json", type=Path, help="write every cell to this file")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write ccxt-matrix.md there: docs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
