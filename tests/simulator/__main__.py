"""The simulator as a process of its own: prints its address, serves until it is told to stop.

python -m tests.simulator --venue binance --port 0 --fault-rate 0.1 --seed 7 --ledger FILE
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import signal
from pathlib import Path
from typing import get_args

from tests.simulator.faults import Endpoint, Schedule
from tests.simulator.ledger import Ledger
from tests.simulator.server import Simulator
from tests.simulator.venue import Venue

VENUES = {
    "binance": "tests.simulator.binance:BinanceSpot",
    "okx": "tests.simulator.okx:OkxSwap",
    "deribit": "tests.simulator.deribit:DeribitLinear",
    "bybit": "tests.simulator.bybit:BybitLinear",
}


def make_venue(name: str) -> Venue:
    """A venue with its usual instruments, prices and funds."""
    module, _, attribute = VENUES[name].partition(":")
    venue = getattr(importlib.import_module(module), attribute)()
    assert isinstance(venue, Venue)
    return venue


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--venue", choices=sorted(VENUES), default="binance")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault-rate", type=float, default=0.0, help="share of all requests that a fault hits")
    parser.add_argument("--fault-endpoints", nargs="*", help="only these, of: " + ", ".join(get_args(Endpoint)))
    parser.add_argument("--fill-rate", type=float, default=0.0, help="share of orders with partial or late fills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ledger", type=Path, help="append what is executed to this file, one JSON object a line")
    return parser.parse_args()


async def serve(args: argparse.Namespace) -> None:
    venue = make_venue(args.venue)
    venue.engine.seed, venue.engine.random_rate = args.seed, args.fill_rate
    venue.engine.ledger = Ledger(args.ledger)
    schedule = Schedule(seed=args.seed)
    schedule.random(args.fault_rate, endpoints=args.fault_endpoints)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Simulator(venue, schedule, host=args.host, port=args.port) as simulator:
        print(simulator.base_url, flush=True)  # noqa: T201 - whoever started it reads the address here
        await stop.wait()
    venue.engine.ledger.close()


if __name__ == "__main__":
    asyncio.run(serve(arguments()))
