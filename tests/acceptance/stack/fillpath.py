"""A service of a test's own, as a process, that exports to the stack's collector; and its senders."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import httpx

from scripts.lib.bench.lanes import SOURCE as BENCH
from scripts.lib.bench.machine import memory_mib
from scripts.lib.stack import Ports, Stack
from service.cli.signing import SignedRequest, sign
from service.identity import instance_id
from service.secrets import Secret
from tests.acceptance.conftest import environment, free_ports
from tests.acceptance.stack.waiting import eventually

PROGRAM = Path(sys.executable).with_name("fillpath")
FINAL = {"FILLED", "DENIED", "REJECTED", "CANCELED", "EXPIRED", "ABSENT"}
BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}
RESTING = BUY | {"order_type": "limit", "price": "20000"}

PAPER = """
[server]
trusted_proxies = ["127.0.0.1"]

[telemetry]
log_level = "debug"

[paper]
tick_interval = 0.05

[sources.default]
auth = "standard"
accounts = ["paper-1", "paper-2", "paper-3", "paper-4"]
rate = 2000
burst = 4000

[sources.tradingview]
auth = "token"
accounts = ["paper-1"]
addresses = ["127.0.0.1"]

[sources.hex]
auth = "hmac"
accounts = ["paper-2"]

[sources.elsewhere]
auth = "standard"
accounts = ["paper-3"]
addresses = ["10.1.2.0/24"]
"""
"""Sources of every kind, one of which takes nothing from here, and prices that move fast.

This machine is a configured sender, which is never limited for failures, and a proxy: with `X-Forwarded-For` it is any.
"""

Kind = Literal["standard", "hmac", "token"]
SOURCES: Mapping[str, Kind] = {
    "default": "standard",
    "tradingview": "token",
    "hex": "hmac",
    "elsewhere": "standard",
    BENCH: "standard",
}


class Fillpath:
    """`fillpath serve` in `folder`, known to the stack's servers by `instance`.

    Its secrets are made for it, so that tests can look for them. Started again it is the same service with the same
    data. `configuration` is TOML without addresses and folders, `sources` says how those in it prove themselves.
    `answers` are all that it gave to `http`, the sender's own record.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports,
        log_file: Path,
        configuration: str = PAPER,
        *,
        sources: Mapping[str, Kind] = SOURCES,
        **environ: str,
    ) -> None:
        public, operator = free_ports(2)
        self._kinds = sources
        self.secrets = {source: self._secret(kind) for source, kind in sources.items()}
        self._operator_token = secrets.token_urlsafe(24)
        names = {f"FILLPATH_WEBHOOK_SECRET_{source.upper()}": secret for source, secret in self.secrets.items()}
        self._environ = environment(**names, **environ, FILLPATH_OPERATOR_TOKEN=self._operator_token)
        self.ports = replace(ports, service=public, operator=operator)
        self._process = Stack(folder, self.ports, only=frozenset({"service"}), environ=self._environ)
        folder.mkdir(parents=True)
        self._configuration = self._process.layout.service
        self._configuration.write_text(configuration, "utf-8")
        self._log_file = log_file
        self.instance = instance_id(self.data)
        self.public = self._process.addresses.service_public
        self.operator = self._process.addresses.service_operator
        self.answers: list[httpx.Response] = []
        hooks = {"response": [self.answers.append]}
        self.http = httpx.Client(timeout=40, trust_env=False, event_hooks=hooks)

    def start(self) -> None:
        self._process.up()

    def stop(self) -> None:
        """In order: what it has not exported yet, it exports now."""
        self._process.stop("service")

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill("service")

    def close(self) -> None:
        self._process.down()
        self.http.close()

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        (found,) = [status.pid for status in self._process.status() if status.name == "service"]
        assert found is not None, "it does not run"
        return found

    @property
    def all_secrets(self) -> list[str]:
        """What may be seen nowhere."""
        plain = [secret.removeprefix("whsec_") for secret in self.secrets.values()]
        return [*plain, self._operator_token]

    @property
    def data(self) -> Path:
        """Its journal and the paper exchange's books."""
        return self._process.layout.data("service")

    @property
    def memory_mib(self) -> float:
        """What its process holds now."""
        return memory_mib(self.pid)

    @property
    def metrics_url(self) -> str:
        return f"{self.operator}/metrics"

    @property
    def stderr(self) -> str:
        """The log on its standard error."""
        return self._process.log("service").read_text("utf-8")

    def send(
        self,
        alert: Mapping[str, Any],
        *,
        source: str = "default",
        wait: float | None = 20,
        alert_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
        secret: str | None = None,
    ) -> httpx.Response:
        """One alert, signed as `fillpath send` does; another one at each call unless `alert_id` says otherwise."""
        request = self.signed(alert, source=source, alert_id=alert_id, secret=secret)
        prefer = {} if wait is None else {"Prefer": f"wait={wait:g}"}
        return self.http.post(
            f"{self.public}/webhook/{source}{query}",
            content=request.body,
            headers=request.headers | prefer | dict(headers or {}),
        )

    def signed(
        self,
        alert: Mapping[str, Any],
        *,
        source: str = "default",
        alert_id: str | None = None,
        secret: str | None = None,
    ) -> SignedRequest:
        """What `send` sends."""
        alert_id = alert_id or f"msg_{secrets.token_hex(12)}"
        return sign(
            self._kinds[source],
            Secret(secret or self.secrets[source]),
            {**alert, "id": alert_id},
            msg_id=alert_id,
            now_s=int(time.time()),
        )

    def order(self, order_id: str) -> dict[str, Any]:
        return dict(self._operate("GET", f"/orders/{order_id}").json())

    def orders(self) -> list[dict[str, Any]]:
        """All of them with their history, the oldest first."""
        found: list[str] = []
        after = ""
        while True:
            page = self._operate("GET", f"/orders?limit=200{after}").json()
            found += [order["order_id"] for order in page["orders"]]
            if not page["next"]:
                return sorted(map(self.order, found), key=lambda order: str(order["received_at"]))
            after = f"&after={page['next']}"

    def status(self) -> dict[str, Any]:
        return dict(self._operate("GET", "/status").json())

    def compare(self) -> list[dict[str, Any]]:
        """What exchanges and journal do not agree on, looked at now."""
        compared = self._operate("POST", "/findings").json()
        assert not compared["not_compared"], compared
        return list(compared["findings"])

    def spans_of(self, order_id: str) -> list[str]:
        """The names of the spans that it knows of an order's trace."""
        response = self.http.get(f"{self.operator}/orders/{order_id}/trace", headers=self._authorization)
        response.raise_for_status()
        scopes = (scope for resource in response.json()["resourceSpans"] for scope in resource["scopeSpans"])
        return [span["name"] for scope in scopes for span in scope["spans"]]

    def cancel(self, order_id: str) -> None:
        """Ask for it; the order may be done already."""
        response = self.http.delete(f"{self.operator}/orders/{order_id}", headers=self._authorization)
        assert response.status_code in {200, 202, 409}, response.text

    def becomes(self, order_id: str, *statuses: str, within: float = 60.0) -> dict[str, Any]:
        """The order once it has one of these statuses."""

        def look() -> dict[str, Any] | None:
            order = self.order(order_id)
            return order if order["status"] in statuses else None

        order = eventually(look, within=within)
        assert order is not None
        return order

    def filled(self, alert: Mapping[str, Any] = BUY, **options: Any) -> dict[str, Any]:
        """A sent alert's order once it is filled."""
        answer = self.send(alert, **options)
        assert answer.status_code in {200, 202}, answer.text
        return self.becomes(answer.json()["order_id"], "FILLED")

    def fillpath(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line, as this service's operator uses it."""
        return subprocess.run(
            [PROGRAM, *arguments],
            env=self._environ
            | {"FILLPATH_CONFIG": str(self._configuration), "FILLPATH_LOG_FILE": str(self._log_file), "COLUMNS": "400"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def log_lines(self, reference: str) -> list[dict[str, Any]]:
        """What `fillpath logs --json` finds."""
        return list(json.loads(self.fillpath("logs", reference, "--json").stdout))

    def _operate(self, method: str, path: str) -> httpx.Response:
        response = self.http.request(method, self.operator + path, headers=self._authorization)
        response.raise_for_status()
        return response

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._operator_token}"}

    @staticmethod
    def _secret(kind: Kind) -> str:
        if kind != "standard":
            return secrets.token_urlsafe(32)
        return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
