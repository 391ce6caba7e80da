"""Exchange and service as processes of their own: the exchange lives through the run, the service is killed."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scripts.lib.chaos.evidence import Life

ROOT = Path(__file__).resolve().parents[3]
_READY = "Fillpath is ready."
_LOOK_EVERY_S = 0.05
_STOP_WITHIN_S = 60.0
_SPAN_DELAY_MS = "200"
_SPAN_QUEUE = "65536"


class ChaosError(Exception):
    """The run itself cannot go on; the message says why and where to look."""


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; bound together, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextmanager
def simulator(venue: str, *, fault_rate: float, seed: int, ledger: Path) -> Iterator[str]:
    """A simulated exchange whose order requests fail at `fault_rate`; its address."""
    command = [sys.executable, "-m", "tests.simulator", "--venue", venue, "--seed", str(seed), "--ledger", str(ledger)]
    command += ["--fault-rate", str(fault_rate), "--fault-endpoints", "place"]
    # A session of its own: Ctrl-C is for this process, which then ends the others in order.
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise ChaosError("the simulated exchange did not start; what it said is above")
            yield address
        finally:
            process.terminate()


class Service:
    """`fillpath serve`, one process after another over the same data; `lives` tells of each."""

    def __init__(self, folder: Path, configuration: Path, keys: Mapping[str, str], receiver: str) -> None:
        self.token, self._operator_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        port, operator_port = free_ports(2)
        self.public, self.operator = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{operator_port}"
        self.data = folder / "data"
        self.lives: list[Life] = []
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FILLPATH_", "OTEL_"))}
        self._environment = {
            **kept,
            **keys,
            "FILLPATH_CONFIG": str(configuration),
            "FILLPATH_DATA_DIR": str(self.data),
            "FILLPATH_PORT": str(port),
            "FILLPATH_OPERATOR_PORT": str(operator_port),
            "FILLPATH_OPERATOR_TOKEN": self._operator_token,
            "FILLPATH_WEBHOOK_SECRET_CHAOS": self.token,
            "FILLPATH_LOG_LEVEL": "warning",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver}/v1/traces",
            "OTEL_BSP_SCHEDULE_DELAY": _SPAN_DELAY_MS,
            "OTEL_BSP_MAX_QUEUE_SIZE": _SPAN_QUEUE,
        }

    @property
    def authorization(self) -> dict[str, str]:
        """The operator's header."""
        return {"Authorization": f"Bearer {self._operator_token}"}

    @property
    def log(self) -> Path:
        """What all its processes logged."""
        return self._folder / "service.log"

    def start(self) -> None:
        with self.log.open("ab") as log, self._output.open("wb") as output:
            self.lives.append(Life(started_ns=time.time_ns()))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=log,
                start_new_session=True,
            )

    async def live_for(self, seconds: float) -> None:
        """Return after so long, noting when the service said that it is ready; raises if it ends by itself."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.look()
            await asyncio.sleep(min(_LOOK_EVERY_S, left))

    async def ready(self, within: float) -> None:
        """Return once the service said that it is ready."""
        until = time.monotonic() + within
        while not self.look():
            if time.monotonic() > until:
                raise ChaosError(f"the service was not ready within {within:g} s; see {self.log}")
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self) -> bool:
        """Whether it is ready; raises if it ended by itself."""
        assert self._process is not None, "looked at after a start"
        status = self._process.poll()
        if status is not None:
            raise ChaosError(f"the service ended by itself with status {status}; see {self.log}")
        life = self.lives[-1]
        if life.ready_ns is None and _READY in self._output.read_text("utf-8"):
            life.ready_ns = time.time_ns()
        return life.ready_ns is not None

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None, "killed after a start"
        self.lives[-1].killed = True
        self._process.kill()
        self._process.wait()
        self._ended()

    def stop(self) -> None:
        """As an operator does; it exports its last spans. Does nothing when it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._ended()

    def _ended(self) -> None:
        self.lives[-1].ended_ns = time.time_ns()
        self._process = None

    @property
    def _output(self) -> Path:
        return self._folder / "service.out"
