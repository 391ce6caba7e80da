"""Kills the service again and again while it trades at a failing exchange, and judges by the exchange's ledger.

A run that fails is repeated with the same arguments and its --seed. Everything stays on 127.0.0.1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.lib.chaos.places import PLACES
from scripts.lib.chaos.processes import ChaosError
from scripts.lib.chaos.report import figures, table
from scripts.lib.chaos.run import Asked, run

_INTERRUPTED = 130
_NOT_RUN = 2


def main(arguments: Sequence[str]) -> int:
    """0: nothing lost, doubled or wrong; 1: something was; 2: the run could not go on; 130: Ctrl-C."""
    given = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background processes ignore it
        signal.signal(number, signal.default_int_handler)
    asked = Asked(
        venue=given.venue,
        kills=given.kills,
        alerts=given.alerts,
        fault_rate=given.fault_rate,
        seed=given.seed,
        pause=given.pause,
        other_faults=given.other_faults,
        finished=given.finished,
        settle=given.settle,
    )
    with tempfile.TemporaryDirectory(prefix="fillpath-chaos-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            print(f"{folder} is not empty: name one that is, or none", file=sys.stderr)
            return _NOT_RUN
        try:
            result = asyncio.run(run(asked, folder.resolve()))
        except KeyboardInterrupt:
            print("interrupted; all processes have ended", file=sys.stderr)
            return _INTERRUPTED
        except ChaosError as error:
            print(f"the run ended early: {error}; --keep DIR keeps the files", file=sys.stderr)
            return _NOT_RUN
    found = figures(result)
    print(table(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    return 0 if result.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--venue", choices=sorted(PLACES), default="bybit", help="the simulated exchange (bybit)")
    parser.add_argument("--kills", type=int, default=20, help="how often the service is killed (20)")
    parser.add_argument("--alerts", type=int, default=800, help="how many alerts are sent meanwhile (800)")
    parser.add_argument("--fault-rate", type=float, default=0.1, help="share of order requests that fail (0.1)")
    parser.add_argument("--other-faults", type=float, default=0.3, help="faults a second on other requests (0.3)")
    parser.add_argument("--pause", type=float, default=2.0, help="mean seconds until a kill (2)")
    parser.add_argument("--seed", type=int, default=0, help="decides alerts, faults and moments of kills (0)")
    parser.add_argument("--finished", type=int, default=0, help="finished orders in the journal beforehand (0)")
    parser.add_argument("--settle", type=float, default=900.0, help="seconds for open orders to end after it (900)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep configuration, journal, ledger and log there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
