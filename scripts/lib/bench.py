"""Durable acknowledgements a second, with telemetry by the SDK and off, in one run.

The service is a process of its own. Closed loop: each connection sends its next alert when the last one is answered.
The service runs on one core and the senders on another where there are two. Everything stays on 127.0.0.1; the load is
bounded in count and in time.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import http.server
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from service.core.signatures import sign_standard
from service.exchanges.paper import PaperSettings

ENGINES = ("off", "sdk")
_STEAL = 7  # what the host gave to others: a figure measured under it says little
_START_TIMEOUT_S = 20.0
_REQUEST_TIMEOUT_S = 30.0
_ACCEPTED = b"HTTP/1.1 202"
_ORDER_VALUE = Decimal(20)  # quote units: above every market's minimum


class Measured(NamedTuple):
    """One engine under load; latencies in milliseconds, CPU in microseconds an acknowledged alert."""

    engine: str
    acknowledged: int
    refused: int
    per_second: float
    p50: float
    p95: float
    p99: float
    cpu_us: float
    done_per_second: float
    rss_mib: float


class Limits(NamedTuple):
    connections: int
    seconds: float
    most: int


class Service:
    """A running `fillpath serve` with data of its own; stopped at the end of the block."""

    def __init__(self, engine: str, folder: Path, receiver: str) -> None:
        self.secret = secrets.token_bytes(32)
        self.operator_token = secrets.token_urlsafe(16)
        self.port, self.operator_port = _free_port(), _free_port()
        config = folder / "fillpath.toml"
        accounts = json.dumps(PaperSettings().accounts)
        config.write_text(
            f'data_dir = "{folder / "data"}"\n[telemetry]\notlp_endpoint = "{receiver}"\n'
            f"[paper]\nstarting_balances = {{ USDT = 1000000000 }}\n"
            f'[sources.bench]\nauth = "standard"\naccounts = {accounts}\nrate = 1000000\nburst = 1000000\n',
            encoding="utf-8",
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("FILLPATH_", "OTEL_"))}
        environment |= {
            "FILLPATH_CONFIG": str(config),
            "FILLPATH_PORT": str(self.port),
            "FILLPATH_OPERATOR_PORT": str(self.operator_port),
            "FILLPATH_TELEMETRY_ENGINE": engine,
            "FILLPATH_LOG_LEVEL": "warning",
            "FILLPATH_WEBHOOK_SECRET": "whsec_" + base64.b64encode(self.secret).decode(),
            "FILLPATH_OPERATOR_TOKEN": self.operator_token,
        }
        self._log = (folder / "serve.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"], env=environment, stdout=self._log, stderr=self._log
        )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise SystemExit(f"the service did not start; its words are in {self._log.name}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class _Receiver(http.server.BaseHTTPRequestHandler):
    """Takes OTLP/HTTP and says yes, so that exports cost the service what they cost with a collector."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Says nothing: the table is the output."""


@contextmanager
def _receiver() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class _Load:
    """Senders over `limits.connections` connections until time or count is over; `name` keeps its keys apart."""

    def __init__(self, name: str, service: Service, limits: Limits) -> None:
        self._name = name
        self._service = service
        self._limits = limits
        settings = PaperSettings()
        self._lanes = [(account, symbol) for account in settings.accounts for symbol in settings.symbols]
        self._sent = 0
        self.latencies: list[float] = []
        self.refused = 0

    def _request(self) -> bytes:
        self._sent += 1
        account, market = self._lanes[self._sent % len(self._lanes)]
        quantity = market.market().round_quantity(_ORDER_VALUE / market.price)
        alert = {"symbol": market.symbol, "side": "buy", "quantity": str(quantity), "account": account}
        body = json.dumps(alert).encode()
        msg_id, now = f"{self._name}_{self._sent}", int(time.time())
        signature = sign_standard(self._service.secret, msg_id=msg_id, timestamp=now, body=body)
        head = (
            f"POST /webhook/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"webhook-id: {msg_id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def run(self) -> float:
        """Seconds from the first request to the last answer."""
        started = time.perf_counter()
        deadline = started + self._limits.seconds
        await asyncio.gather(*(self._sender(deadline) for _ in range(self._limits.connections)))
        return time.perf_counter() - started

    async def _sender(self, deadline: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._service.port)
        while time.perf_counter() < deadline and self._sent < self._limits.most:
            request = self._request()
            begun = time.perf_counter()
            writer.write(request)
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
            if head.startswith(_ACCEPTED):
                self.latencies.append((time.perf_counter() - begun) * 1000)
            else:
                self.refused += 1
        writer.close()


def _unfinished(service: Service) -> int:
    """How many orders the service has not finished."""
    request = (
        f"GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {service.operator_token}\r\n"
        "Connection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.operator_port), timeout=10) as connection:
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    document: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return sum(document["orders"].values())


def _drained(service: Service, started: float, within: float = 60.0) -> float:
    """Seconds from `started` until no order is unfinished."""
    deadline = time.perf_counter() + within
    while _unfinished(service) and time.perf_counter() < deadline:
        time.sleep(0.05)
    return time.perf_counter() - started


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def measure(engine: str, limits: Limits, receiver: str) -> Measured:
    """Start a fresh service, warm it up, load it, and say what it did."""
    with tempfile.TemporaryDirectory(prefix="fillpath-bench-") as folder:
        service = Service(engine, Path(folder), receiver)
        try:
            service.wait_ready()
            _pin(service)
            asyncio.run(_Load("warm", service, Limits(limits.connections, 2.0, 2_000)).run())
            _drained(service, time.perf_counter())
            load = _Load("load", service, limits)
            cpu, begun = service.cpu_seconds(), time.perf_counter()
            seconds = asyncio.run(load.run())
            until_done = _drained(service, begun)
            count = len(load.latencies)
            return Measured(
                engine=engine,
                acknowledged=count,
                refused=load.refused,
                per_second=count / seconds,
                p50=_percentile(load.latencies, 0.5),
                p95=_percentile(load.latencies, 0.95),
                p99=_percentile(load.latencies, 0.99),
                cpu_us=(service.cpu_seconds() - cpu) / max(count, 1) * 1e6,
                done_per_second=count / until_done,
                rss_mib=service.rss_mib(),
            )
        finally:
            service.stop()


def _pin(service: Service) -> None:
    """The service on the first core, this process on the others, where there are others."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        return
    for thread in Path(f"/proc/{service.process.pid}/task").iterdir():
        with suppress(OSError):
            os.sched_setaffinity(int(thread.name), cores[:1])
    os.sched_setaffinity(0, cores[1:])


def _cpu_times() -> list[int]:
    """Clock ticks of all cores by kind (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal."""
    first = Path("/proc/stat").read_text("ascii").partition("\n")[0]
    return [int(ticks) for ticks in first.split()[1:9]]


def table(results: Sequence[Measured], limits: Limits, steal: float) -> str:
    """What was measured, as text."""
    lines = [
        f"{limits.connections} connections, {limits.seconds:g} s each, at most {limits.most} alerts, over 64 lanes",
        "source limit 1,000,000/s; traces, metrics and logs go to a receiver on 127.0.0.1 that discards them",
        f"steal time while measuring: {steal:.0%} of both cores",
        "",
        "engine  acknowledged/s  done/s   P50 ms   P95 ms   P99 ms  CPU us/order  RSS MiB  refused",
    ]
    lines += [
        f"{r.engine:<6}  {r.per_second:>14.0f}  {r.done_per_second:>6.0f}  {r.p50:>7.1f}  {r.p95:>7.1f}  {r.p99:>7.1f}"
        f"  {r.cpu_us:>12.0f}  {r.rss_mib:>7.0f}  {r.refused:>7}"
        for r in results
    ]
    by_engine = {r.engine: r for r in results}
    if {"off", "sdk"} <= by_engine.keys():
        ratio = by_engine["sdk"].per_second / by_engine["off"].per_second
        lines += ["", f"acknowledged/s with the SDK / with telemetry off: {ratio:.2f}"]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--connections", type=int, default=50, help="connections at once (50)")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each engine (10)")
    parser.add_argument("--most", type=int, default=200_000, help="alerts for each engine (200,000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args(arguments)
    limits = Limits(given.connections, given.seconds, given.most)
    before = _cpu_times()
    with _receiver() as receiver:
        results = [measure(engine, limits, receiver) for engine in ENGINES]
    spent = [after - earlier for after, earlier in zip(_cpu_times(), before, strict=True)]
    print(table(results, limits, steal=spent[_STEAL] / max(1, sum(spent))))
    if given.json:
        given.json.write_text(json.dumps([result._asdict() for result in results], indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
