"""The process that sends: apart from the display, so that drawing delays no request."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

from scripts.lib.traffic.mix import Mix
from scripts.lib.traffic.records import Batch
from scripts.lib.traffic.schedule import Schedule
from scripts.lib.traffic.sending import Sending, send
from scripts.lib.traffic.target import Target

TELL_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class Job:
    """What one worker sends; without a `schedule` as fast as answers come."""

    target: Target
    connections: int
    count: int
    schedule: Schedule | None
    seed: int
    run: str


class Finished(NamedTuple):
    """`seconds` from the first request to the last answer, `cpu_seconds` of this process meanwhile.

    `error` says why nothing was sent.
    """

    seconds: float
    cpu_seconds: float = 0.0
    error: str = ""


Message = Batch | Finished


def work(job: Job, pipe: Connection) -> None:
    """Run the job, telling through `pipe`; anything that comes in through it ends the sending."""
    # Ctrl-C goes to every process of the terminal: what it means is decided by the one that shows the summary.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        pipe.send(runner.run(_work(job, pipe)))


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _work(job: Job, pipe: Connection) -> Finished:
    rate = job.schedule.rate if job.schedule else None
    mix = Mix(job.target.senders, job.seed, job.run, rate)
    sending = Sending(mix, job.target.address, job.connections, job.count, job.schedule)
    asyncio.get_running_loop().add_reader(pipe.fileno(), _stop, sending, pipe)
    try:
        before = time.process_time()
        seconds = await send(sending, pipe.send, TELL_EVERY_S)
        return Finished(seconds, time.process_time() - before)
    except OSError as error:
        return Finished(0.0, error=str(error) or type(error).__name__)
    finally:
        asyncio.get_running_loop().remove_reader(pipe.fileno())


def _stop(sending: Sending, pipe: Connection) -> None:
    asyncio.get_running_loop().remove_reader(pipe.fileno())
    # The parent's end is closed when it has died: then nobody waits for the rest either.
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    sending.stop()
