"""The service under attack: a process of its own with its own data, and what can be seen of it from outside."""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.lib.fuzz.alerts import Secrets

SENDER = "steady"
_START_WITHIN_S = 60.0
_STOP_WITHIN_S = 60.0
_FAILED = re.compile(rb'"level":"(?:error|critical)"|Traceback|"stack":')
_CONFIG = """data_dir = {data}
[server]
max_connections = {connections}
trusted_proxies = ["127.0.0.1"]
[telemetry]
otlp_endpoint = "{receiver}"
[paper]
volatility = 0.0
starting_balances = {{ USDT = 1000000000, BTC = 100000, ETH = 1000000, SOL = 10000000 }}
[sources.tradingview]
auth = "token"
accounts = ["paper-1"]
addresses = ["127.0.0.0/9"]
rate = 1000000
burst = 1000000
[sources.limited]
auth = "token"
accounts = ["paper-1"]
[sources.signed]
auth = "standard"
accounts = ["paper-2", "paper-3"]
rate = 1000000
burst = 1000000
[sources.hmac]
auth = "hmac"
accounts = ["paper-3"]
rate = 1000000
burst = 1000000
[sources.{sender}]
auth = "standard"
accounts = ["paper-4"]
rate = 1000000
burst = 1000000
"""


class Receiver:
    """Takes what the service exports, and looks into it for secrets."""

    def __init__(self, secret: tuple[bytes, ...]) -> None:
        self.leaks: list[str] = []
        self.received = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.received += len(body)
                outer.leaks += [f"a secret was exported to {self.path}" for text in secret if text in body]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()


class Service:
    """Started at once; `stop` ends it."""

    def __init__(self, folder: Path, connections: int) -> None:
        self.folder = folder
        self.connections = connections
        self.secrets = Secrets(
            secrets.token_urlsafe(24),
            secrets.token_bytes(32),
            secrets.token_hex(24).encode(),
            secrets.token_urlsafe(24),
        )
        standard = base64.b64encode(self.secrets.standard).decode()
        self.secret_texts = self.secrets.texts(standard)
        self.receiver = Receiver(self.secret_texts)
        self.port, self.operator_port = _free_ports()
        config = folder / "fillpath.toml"
        data = json.dumps(str(folder / "data"))
        config.write_text(
            _CONFIG.format(data=data, receiver=self.receiver.address, connections=connections, sender=SENDER), "utf-8"
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("FILLPATH_", "OTEL_"))}
        environment |= {
            "FILLPATH_CONFIG": str(config),
            "FILLPATH_PORT": str(self.port),
            "FILLPATH_OPERATOR_PORT": str(self.operator_port),
            "FILLPATH_WEBHOOK_SECRET_TRADINGVIEW": self.secrets.token,
            "FILLPATH_WEBHOOK_SECRET_LIMITED": self.secrets.token,
            "FILLPATH_WEBHOOK_SECRET_SIGNED": f"whsec_{standard}",
            f"FILLPATH_WEBHOOK_SECRET_{SENDER.upper()}": f"whsec_{standard}",
            "FILLPATH_WEBHOOK_SECRET_HMAC": self.secrets.hmac.decode(),
            "FILLPATH_OPERATOR_TOKEN": self.secrets.operator,
        }
        self.log = folder / "serve.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ready at the start of the block, stopped at its end."""
        with self.receiver.serving():
            try:
                self._wait_ready()
                yield
            finally:
                self._stop()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _START_WITHIN_S
        while time.monotonic() < deadline and self.alive:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise SystemExit(
            f"the service did not start within {_START_WITHIN_S:g} s: {self.log.read_text('utf-8')[-2000:]}"
        )

    def _stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def rss_mib(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def metrics(self) -> list[str]:
        """The lines of /metrics that are series."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.operator_port}/metrics", timeout=30) as answer:
            text = answer.read()
        if any(secret in text for secret in self.secret_texts):
            self.receiver.leaks.append("a secret stands in /metrics")
        return [line for line in text.decode().splitlines() if line and not line.startswith("#")]

    def log_faults(self, signatures: set[bytes]) -> list[str]:
        """Errors, tracebacks and secrets in what the service has said; `signatures` are some that were sent."""
        found: list[str] = []
        wanted = re.compile(b"|".join(re.escape(text) for text in (*self.secret_texts, *signatures)))
        with self.log.open("rb") as lines:
            for line in lines:
                if _FAILED.search(line):
                    found.append(f"the log has an error: {line[:1500].decode('utf-8', 'replace')}")
                if wanted.search(line):
                    found.append("the log has a secret")
        return found


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return int(first.getsockname()[1]), int(second.getsockname()[1])
