"""One stack in one folder: starts its servers, waits until they are well, finds them again, stops them."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import msgspec

from scripts.lib.stack import configuration, programs, servers
from scripts.lib.stack.configuration import Layout
from scripts.lib.stack.errors import StackError, Tell, silent, tail
from scripts.lib.stack.health import is_healthy
from scripts.lib.stack.ports import Addresses, Ports
from scripts.lib.stack.processes import ServerProcess
from scripts.lib.stack.programs import Found
from scripts.lib.stack.servers import ALL, SERVERS, START_ORDER, Server
from scripts.lib.stack.versions import OTELCOL, Program

_LOOK_EVERY_S = 0.1
_VALIDATE_WITHIN_S = 60.0


class ServerStatus(NamedTuple):
    """`up`: its process runs and its health check answers; `pid` and `version` are those of the running process."""

    name: str
    up: bool
    address: str
    version: str | None
    pid: int | None


class Stack:
    """The servers in `only`, with their data, logs and configurations below `folder`.

    `overlays` are further files for the collector; `environ` is what the servers inherit; `tell` is told of each step;
    `install` allows Debian packages for what is missing; `adapt` may change Prometheus' configuration, in the folder
    it is called with, before Prometheus reads it. Every call raises StackError with what to do.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        *,
        only: frozenset[str] = ALL,
        overlays: Sequence[Path] = (),
        environ: Mapping[str, str] = os.environ,
        install: bool = False,
        tell: Tell = silent,
        adapt: Callable[[Path], None] | None = None,
    ) -> None:
        self.layout = Layout(folder.absolute())
        self.ports = ports
        self.addresses = Addresses.of(ports)
        self._only = only
        self._overlays = [overlay.absolute() for overlay in overlays]
        self._environ = dict(environ)
        self._install = install
        self._tell = tell
        self._adapt = adapt
        self._processes = {name: ServerProcess(self.layout.folder, name) for name in ALL}
        self._found: dict[str, Found] = {}

    def up(self) -> None:
        """Start what is asked and does not run yet, and wait until each is well."""
        self.layout.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            asked = [name for name in START_ORDER if name in self._only and self._processes[name].running() is None]
            self._check_running()
            self._get_programs(asked)
            self._check_ports(asked)
            self._write_ports()
            # The service last: its first export then finds a collector.
            for group in ([name for name in asked if name != "service"], [name for name in asked if name == "service"]):
                for name in group:
                    self._launch(name)
                for name in group:
                    self._wait(SERVERS[name])

    def down(self) -> None:
        """Stop all servers of this folder, also those that `only` does not name; nothing happens where none runs."""
        if not self.layout.folder.is_dir():
            return
        with self._locked():
            for name in reversed(START_ORDER):
                if self._processes[name].running() is not None:
                    self._tell(f"stopping {name}")
                self._processes[name].stop()

    def start(self, name: str) -> None:
        """Start one server and wait until it is well."""
        if self._processes[name].running() is None:
            self._get_programs([name])
            self._check_ports([name])
            self._write_ports()
            self._launch(name)
            self._wait(SERVERS[name])

    def stop(self, name: str) -> None:
        """End one server in order."""
        self._processes[name].stop()

    def kill(self, name: str) -> None:
        """`kill -9` one server."""
        self._processes[name].kill()

    def status(self) -> Sequence[ServerStatus]:
        """All servers, in the order of their start."""
        return [self._status(SERVERS[name]) for name in START_ORDER]

    def log(self, name: str) -> Path:
        """What a server wrote itself; it may not be there yet."""
        return self._processes[name].log

    def running(self) -> list[str]:
        """The servers whose process is there, well or not."""
        return [name for name in START_ORDER if self._processes[name].running() is not None]

    def _status(self, server: Server) -> ServerStatus:
        record = self._processes[server.name].running()
        return ServerStatus(
            name=server.name,
            up=record is not None and is_healthy(server.health_url(self.ports)),
            address=server.address(self.ports),
            version=record.version if record else None,
            pid=record.pid if record else None,
        )

    def _get_programs(self, names: Iterable[str]) -> None:
        needed = [program for name in names if (program := SERVERS[name].program) and program.name not in self._found]
        self._found |= programs.get(
            needed, self._environ, install=self._install, check=self._check_program, tell=self._tell
        )
        if (
            OTELCOL in needed
            and self._overlays
            and (words := self._refusal(self._found["otelcol"].path, self._overlays))
        ):
            names_of = ", ".join(overlay.stem for overlay in self._overlays)
            raise StackError(f"the collector refuses its configuration with {names_of}; mend it:\n{words}")

    def _check_program(self, program: Program, path: Path) -> str | None:
        """A collector has to hold what the base configuration uses: it is asked to read that."""
        return self._refusal(path, ()) if program is OTELCOL else None

    def _refusal(self, program: Path, overlays: Sequence[Path]) -> str | None:
        arguments = servers.collector_configuration(self.layout, overlays)
        try:
            done = subprocess.run(
                [program, "validate", *arguments],
                env=servers.environment("collector", self.layout, self.ports, self._environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_VALIDATE_WITHIN_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"it does not check a configuration ({error})"
        return None if done.returncode == 0 else done.stdout.strip() or f"ended with status {done.returncode}"

    def _check_running(self) -> None:
        """A server that runs keeps what it was started with: it can neither be moved nor told of overlays."""
        running = self.running()
        if self._overlays and "collector" in running:
            raise StackError(
                "the collector runs already, without being told of overlays; end it first: ./scripts/stack down"
            )
        before = stored_ports(self.layout.folder)
        if running and before is not None and before != self.ports:
            moved = [name for name, port in asdict(before).items() if port != getattr(self.ports, name)]
            raise StackError(
                f"{', '.join(running)} run in {self.layout.folder} on other ports ({', '.join(moved)} differ); end them"
                " first: ./scripts/stack down, with the same --dir"
            )

    def _check_ports(self, names: Iterable[str]) -> None:
        taken = self.ports.taken(port for name in names for port in SERVERS[name].ports)
        if taken:
            raise StackError("\n".join(["nothing was started:", *taken]))

    def _write_ports(self) -> None:
        self.layout.run.mkdir(parents=True, exist_ok=True)
        (self.layout.run / "ports.json").write_bytes(msgspec.json.encode(self.ports))

    def _launch(self, name: str) -> None:
        self._tell(f"starting {name}")
        self.layout.data(name).mkdir(parents=True, exist_ok=True, mode=0o700)
        if (needed := SERVERS[name].program) is None:
            program, version = servers.service_program(), importlib.metadata.version("fillpath")
        else:
            program, version = self._found[needed.name].path.absolute(), self._found[needed.name].version
        match name:
            case "service":
                configuration.write_service(self.layout, self.ports)
            case "prometheus":
                configuration.write_prometheus(self.layout, self.ports)
                if self._adapt is not None:
                    self._adapt(self.layout.prometheus.parent)
            case "alertmanager":
                configuration.write_alertmanager(self.layout, self._environ)
            case _:
                pass
        self._processes[name].start(
            servers.command(name, program, self.layout, self.ports, self._overlays),
            servers.environment(name, self.layout, self.ports, self._environ),
            self.layout.folder,
            version,
        )

    def _wait(self, server: Server) -> None:
        """Return when it is well; raise StackError with the end of its log when it ended or took too long."""
        process = self._processes[server.name]
        self._tell(f"waiting for {server.name}")
        until = time.monotonic() + server.start_within
        while not is_healthy(server.health_url(self.ports)):
            if process.running() is None:
                self._fail(server, "ended by itself")
            if time.monotonic() > until:
                process.stop()
                self._fail(server, f"did not answer {server.health_url(self.ports)} within {server.start_within:g} s")
            time.sleep(_LOOK_EVERY_S)

    def _fail(self, server: Server, what: str) -> None:
        log = self.log(server.name)
        raise StackError(f"{server.name} {what}; the end of its log, {log}:\n{tail(log)}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` of a folder at a time."""
        descriptor = os.open(self.layout.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def stored_ports(folder: Path) -> Ports | None:
    """The ports of the last start in a folder; None where there was none."""
    try:
        return msgspec.json.decode((folder / "run" / "ports.json").read_bytes(), type=Ports)
    except (OSError, msgspec.DecodeError):
        return None
