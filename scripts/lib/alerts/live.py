"""Sees every alert rule fire and resolve, prints the table, and with --json writes it down."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from scripts.lib.alerts.seen import RECORD
from scripts.lib.stack import StackError
from tests.acceptance.alerts.live import report, session


def main() -> int:
    """0; 1 where an alert did not fire or did not resolve, or nothing could be started."""
    parser = argparse.ArgumentParser(prog="python -m scripts.lib.alerts.live", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"also write it down, like {RECORD.name}")
    options = parser.parse_args()
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        try:
            outcomes = session.run(Path(folder), tell)
        except StackError as error:
            print(f"live: {error}", file=sys.stderr)
            return 1
    print(report.table(outcomes))
    print(f"\n{len(outcomes)} alerts in {time.monotonic() - began:.0f} s")
    if options.json is not None:
        report.write(options.json, outcomes)
    return 1 if any(report.wrong(outcome) for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
