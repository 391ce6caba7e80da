"""The processes of a measurement: the service on a core of its own, senders on the others; none outlives its block."""

from __future__ import annotations

import base64
import http.client
import json
import math
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from scripts.lib.bench import machine
from scripts.lib.bench.lanes import SOURCE, lanes, toml
from scripts.lib.bench.sending import Plan, Sent
from service.core.ids import new_order_id

ROOT = Path(__file__).resolve().parents[3]
_READY_WITHIN_S = 120.0
_STOP_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.01
_DRAIN_EVERY_S = 0.2
_ASK_WITHIN_S = 30.0
_SOON_S = 0.1


class BenchError(Exception):
    """The measurement cannot go on; the message says why and where to look."""


class Placed(NamedTuple):
    """Where a service is measured: its data, the receiver's URL, its core and how many lanes it has."""

    folder: Path
    receiver: str
    cores: Sequence[int]
    lanes: int


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; bound together, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def clean_environment(**over: str) -> dict[str, str]:
    """This process's, without what would change what is measured."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FILLPATH_", "OTEL_"))}
    return kept | over


@contextmanager
def running(
    command: Sequence[str | Path], environ: Mapping[str, str], cores: Sequence[int], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Ended with the block, as an operator does, or else killed."""
    # A session of its own: Ctrl-C is for this process, which then ends the others in order.
    process = subprocess.Popen(command, env=environ, cwd=ROOT, start_new_session=True, **options)
    try:
        machine.pin(process.pid, cores)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Returns when it has ended."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Service:
    """`fillpath serve` over the data of one place, one process after another."""

    def __init__(self, engine: str, placed: Placed) -> None:
        self.engine = engine
        self.secret = secrets.token_bytes(32)
        self.port, self.operator_port = free_ports(2)
        self._placed = placed
        self._token = secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None
        placed.folder.mkdir(parents=True, exist_ok=True)
        (placed.folder / "fillpath.toml").write_text(toml(placed.lanes), encoding="utf-8")

    @property
    def pid(self) -> int:
        assert self._process is not None, "asked after a start"
        return self._process.pid

    @property
    def data(self) -> Path:
        return self._placed.folder / "data"

    @property
    def log(self) -> Path:
        """What all its processes said."""
        return self._placed.folder / "service.log"

    @contextmanager
    def serving(self) -> Iterator[float]:
        """Seconds from its start until it was ready; stopped after the block."""
        try:
            yield self.start()
        finally:
            self.stop()

    def start(self) -> float:
        """Seconds until it was ready."""
        begun = time.perf_counter()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                env=self._environment(),
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        machine.pin(self._process.pid, self._placed.cores)
        while not self._is_ready():
            if self._process.poll() is not None or time.perf_counter() - begun > _READY_WITHIN_S:
                raise BenchError(f"the service with telemetry {self.engine} did not start:\n{self._last_words()}")
            time.sleep(_LOOK_EVERY_S)
        return time.perf_counter() - begun

    def stop(self) -> None:
        """As an operator does; nothing happens where none runs."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None, "killed after a start"
        self._process.kill()
        self._process.wait()
        self._process = None

    def drain(self, within: float) -> bool:
        """Wait until no order is unfinished; whether that came `within` so many seconds."""
        deadline = time.monotonic() + within
        while sum(json.loads(self.ask("/status"))["orders"].values()):
            if time.monotonic() > deadline:
                return False
            time.sleep(_DRAIN_EVERY_S)
        return True

    def dropped(self) -> float:
        """Items of telemetry that it counted as dropped."""
        lines = self.ask("/metrics").decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("execution_telemetry_dropped_"))

    def journaled(self) -> int:
        """How many orders of ours its journal holds."""
        return sum(orders_since(self.data, 0).statuses.values())

    def ask(self, path: str) -> bytes:
        """One GET of its operator interface."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.operator_port, timeout=_ASK_WITHIN_S)) as connection:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
            return connection.getresponse().read()

    def plan(self, name: str, *, connections: int, seconds: float, count: int) -> Plan:
        """For one process, all lanes in turn."""
        return Plan(
            port=self.port,
            secret=self.secret,
            lanes=list(lanes(self._placed.lanes)),
            connections=connections,
            seconds=seconds,
            count=count,
            name=name,
        )

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        with suppress(OSError, http.client.HTTPException), closing(connection):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        return False

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text("utf-8", errors="replace").splitlines()[-10:])

    def _environment(self) -> dict[str, str]:
        return clean_environment(
            FILLPATH_CONFIG=str(self._placed.folder / "fillpath.toml"),
            FILLPATH_DATA_DIR=str(self.data),
            FILLPATH_PORT=str(self.port),
            FILLPATH_OPERATOR_PORT=str(self.operator_port),
            FILLPATH_OTLP_ENDPOINT=self._placed.receiver,
            FILLPATH_TELEMETRY_ENGINE=self.engine,
            FILLPATH_WEBHOOK_SECRET="whsec_" + base64.b64encode(self.secret).decode(),
            FILLPATH_OPERATOR_TOKEN=self._token,
        )


class Orders(NamedTuple):
    """What became of the orders of a load: how many by status, and when the last of them changed, Unix ns."""

    statuses: Mapping[str, int]
    last_ns: int

    @property
    def filled(self) -> int:
        return self.statuses.get("FILLED", 0)


def orders_since(data: Path, begun_ns: int) -> Orders:
    """Of our source, received from `begun_ns` (Unix nanoseconds) on, read from the journal beside a running service."""
    with closing(
        sqlite3.connect(f"file:{data / 'journal.sqlite'}?mode=ro", uri=True, timeout=_ASK_WITHIN_S)
    ) as journal:
        rows = journal.execute(
            "SELECT status, count(*), max(updated_ns) FROM orders WHERE id >= ? AND source = ? GROUP BY status",
            (first_id(begun_ns), SOURCE),
        ).fetchall()
    return Orders({status: count for status, count, _ in rows}, max((last for *_, last in rows), default=begun_ns))


def first_id(begun_ns: int) -> str:
    """No order received later has a smaller one."""
    return new_order_id(begun_ns, bytes(10))


def send(plans: Sequence[Plan], cores: Sequence[int]) -> list[Sent]:
    """Each by a process of its own, all at the same moment, prepared before it."""
    with sending(plans, cores) as processes:
        return collect(processes, plans)


@contextmanager
def sending(plans: Sequence[Plan], cores: Sequence[int]) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """The senders at work, begun at the same moment; killed at the end of the block where they have not ended."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "scripts.lib.bench.sender"]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(command, clean_environment(), cores, stdin=pipe, stdout=pipe)) for _ in plans
        ]
        for process, plan in zip(processes, plans, strict=True):
            assert process.stdin is not None, "made with a pipe"
            process.stdin.write(msgspec.json.encode(plan) + b"\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None, "made with a pipe"
            if process.stdout.readline() != b"ready\n":
                raise BenchError("a sender did not start; its words are above")
        start = f"{time.monotonic() + _SOON_S}\n".encode()
        for process in processes:
            assert process.stdin is not None, "made with a pipe"
            process.stdin.write(start)
            process.stdin.flush()
        yield processes


def collect(processes: Sequence[subprocess.Popen[bytes]], plans: Sequence[Plan]) -> list[Sent]:
    """What they say at their end."""
    found = []
    for process, plan in zip(processes, plans, strict=True):
        output, _ = process.communicate(timeout=plan.seconds + _ASK_WITHIN_S)
        if process.returncode != 0:
            raise BenchError(f"a sender ended with status {process.returncode}; its words are above")
        found.append(msgspec.json.decode(output, type=Sent))
    return found


def cpu_of(sent: Sequence[Sent]) -> float:
    """Cores that the senders took together, as a number; NaN where nothing was sent."""
    seconds = max((one.seconds for one in sent), default=0.0)
    return sum(one.cpu_seconds for one in sent) / seconds if seconds else math.nan
