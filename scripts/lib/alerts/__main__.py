"""`python -m scripts.lib.alerts`: writes the promtool tests, or the rules with shorter windows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.alerts import promtool
from scripts.lib.alerts.shortened import write_shortened


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    if options.command == "shorten":
        write_shortened(options.folder, options.factor, window_at_least=options.window_at_least)
        return 0
    if not options.check:
        promtool.write()
        return 0
    stale = promtool.drifted()
    for name in stale:
        print(f"alerts/tests/{name} is not what its cases say; run python -m scripts.lib.alerts tests", file=sys.stderr)
    return 1 if stale else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.lib.alerts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    tests = commands.add_parser("tests", help="write alerts/tests from scripts/lib/alerts/cases")
    tests.add_argument("--check", action="store_true", help="change nothing; exit 1 naming what drifted")
    shorten = commands.add_parser("shorten", help="write the rules with every duration divided, for live tests")
    shorten.add_argument("--factor", type=float, required=True)
    shorten.add_argument("--window-at-least", type=float, default=2.0, help="seconds: two scrapes have to fit")
    shorten.add_argument("folder", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
