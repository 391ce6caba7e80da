"""The process that sends: a plan on standard input, "ready", a start time in, what became of it on standard output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

import msgspec

from scripts.lib.bench.sending import Plan, Sender, requests


def main() -> int:
    """Ends by itself: a plan is bounded in count and time."""
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)
    prepared = requests(plan)
    print("ready", flush=True)
    start_at = float(sys.stdin.readline())
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        sent = runner.run(Sender(plan, prepared).run(start_at))
    # A stream of its own: under PYTHONUNBUFFERED standard output's takes no more than a pipe holds.
    with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(msgspec.json.encode(sent))
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main())
