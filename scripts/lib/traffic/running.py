"""Runs a job in its worker, shows how it goes, and ends it in order on Ctrl-C."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import NamedTuple

from scripts.lib.traffic.records import Batch
from scripts.lib.traffic.target import TrafficError
from scripts.lib.traffic.worker import TELL_EVERY_S, Finished, Job, Message, work

STOP_WITHIN_S = 35.0
_LOOK_S = 0.25

Show = Callable[[Batch, float], None]
"""Told of all that happened so far, and the seconds since the start."""


class Ran(NamedTuple):
    """`cpu_seconds` are the sender's own; `interrupted`: Ctrl-C ended it before its time."""

    batch: Batch
    seconds: float
    cpu_seconds: float
    interrupted: bool


def run(job: Job, show: Show) -> Ran:
    """Everything the worker told; raises TrafficError where the service cannot be reached."""
    ours, theirs = multiprocessing.Pipe()
    # Spawned, not forked: nothing of this process' threads and signal handlers comes along.
    process = multiprocessing.get_context("spawn").Process(target=work, args=(job, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        return _follow(ours, show)
    except EOFError:
        process.join(1)
        raise TrafficError(f"the sending process ended with status {process.exitcode}; its words stand above") from None
    finally:
        ours.close()
        process.join(STOP_WITHIN_S)
        if process.is_alive():
            process.kill()


def _follow(pipe: Connection, show: Show) -> Ran:
    total, interrupted = Batch(), False
    started: float | None = None
    while True:
        try:
            message = _received(pipe)
            if isinstance(message, Batch):
                # The first one is told that long after the first request; the worker's own start is no part of a rate.
                started = started or time.monotonic() - TELL_EVERY_S
                total.add(message)
                show(total, time.monotonic() - started)
            elif message is not None:
                return _ended(total, message, interrupted=interrupted)
        except KeyboardInterrupt:
            if interrupted:
                raise
            # Once more ends it without a summary.
            interrupted = True
            with contextlib.suppress(OSError):
                pipe.send("stop")


def _received(pipe: Connection) -> Message | None:
    if not pipe.poll(_LOOK_S):
        return None
    message: Message = pipe.recv()
    return message


def _ended(total: Batch, finished: Finished, *, interrupted: bool) -> Ran:
    if finished.error:
        raise TrafficError(f"nothing answers there ({finished.error}); start it with ./scripts/run, or give --url")
    return Ran(total, finished.seconds, finished.cpu_seconds, interrupted)
