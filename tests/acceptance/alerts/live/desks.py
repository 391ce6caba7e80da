"""The services that the rules watch: each has a `job` of its own, so that what one suffers does not show in another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx

from scripts.lib.stack import Ports, Stack
from tests.acceptance.alerts.live.venues import Venues
from tests.acceptance.stack.fillpath import Fillpath, Kind
from tests.acceptance.stack.waiting import eventually
from tests.simulator.venue import API_KEY, API_SECRET

EXPORT_MS = "1000"
SMALL_QUEUE = "64"

SMALLEST = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.001"}
_TRADES_WITHIN_S = 60.0

STRANGER = {"X-Forwarded-For": "203.0.113.9"}
"""This machine is a proxy and a configured sender to `front`: with this header it is somebody else."""

_SENDERS = ("default", "forged", "wrong", "unsure", "late", "slow", "missing")
FRONT = """
[server]
trusted_proxies = ["127.0.0.1"]
body_timeout = 10

[sources.default]
auth = "standard"
accounts = ["paper-1", "paper-2"]
addresses = ["127.0.0.1"]

[sources.forged]
auth = "hmac"
accounts = ["paper-1"]

[sources.wrong]
auth = "standard"
accounts = ["paper-1"]

[sources.unsure]
auth = "standard"
accounts = ["paper-1"]

[sources.late]
auth = "standard"
accounts = ["paper-1"]

[sources.missing]
auth = "standard"
accounts = ["paper-1"]

[sources.slow]
auth = "standard"
accounts = ["paper-3", "paper-4"]
rate = 1000
burst = 1000

[sources.elsewhere]
auth = "standard"
accounts = ["paper-1"]
addresses = ["10.1.2.0/24"]
"""
PLAIN = """
[sources.default]
auth = "standard"
accounts = ["paper-1"]
"""


class Desk(NamedTuple):
    """A service that trades at simulated exchanges; how many accounts at each."""

    accounts: Mapping[str, int]
    paper: bool = False

    @property
    def all_accounts(self) -> Sequence[str]:
        return [account for name in self.accounts for account in accounts(name, self)]


TRADING = {
    "fast": Desk({"shaky": 1, "limiting": 1, "refusing": 1, "forgetful": 1, "skewed": 1, "shared": 1}),
    "deep": Desk({"sluggish": 2, "doubtful": 2, "stalled": 1}),
    "alone": Desk({"only": 1}, paper=True),
}
JOBS = ("front", *TRADING, "victim")
"""`victim` is the one that Prometheus asks itself, and that is killed."""


class Desks:
    """The stack with all services and exchanges; what the faults act on."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.venues = Venues(name for desk in TRADING.values() for name in desk.accounts)
        self._folder = folder
        self._ports = ports
        self._services: dict[str, Fillpath] = {}
        self.stack: Stack
        # One for all: making one costs more than a hundred requests.
        self.http = httpx.Client(timeout=30, trust_env=False)

    def __getitem__(self, job: str) -> Fillpath:
        return self._services[job]

    def prepare(self, log_file: Path) -> None:
        """Exchanges listen and services are configured; nothing else runs."""
        self.venues.start()
        front: Mapping[str, Kind] = {**dict.fromkeys((*_SENDERS, "elsewhere"), "standard"), "forged": "hmac"}
        self._services["front"] = self._make("front", log_file, FRONT, front)
        for job, desk in TRADING.items():
            keys = dict(_keys(desk))
            self._services[job] = self._make(job, log_file, self._trading(desk), {"default": "standard"}, **keys)
        self._services["victim"] = self._make(
            "victim", log_file, PLAIN, {"default": "standard"}, OTEL_BSP_MAX_QUEUE_SIZE=SMALL_QUEUE
        )

    def start(self) -> None:
        with ThreadPoolExecutor(len(self._services)) as pool:
            list(pool.map(Fillpath.start, self._services.values()))
        for job, desk in TRADING.items():
            for account in () if desk.paper else desk.all_accounts:
                self._trades(job, account)

    def _trades(self, job: str, account: str) -> None:
        """Return once an order there is filled: what does not trade healthily shows nothing when it fails."""

        def taken() -> bool:
            answer = self[job].send(SMALLEST | {"account": account})
            assert answer.status_code in {200, 202, 503}, answer.text
            return answer.status_code == 200 and answer.json()["status"] == "FILLED"

        eventually(taken, within=_TRADES_WITHIN_S, every=0.5)

    def close(self) -> None:
        with ThreadPoolExecutor(max(1, len(self._services))) as pool:
            list(pool.map(Fillpath.close, self._services.values()))
        self.venues.close()
        self.http.close()

    def metric(self, job: str, name: str) -> float:
        """The sum of a metric's series as the service itself shows them now."""
        text = self.http.get(self[job].metrics_url).text
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(f"{name}{{"))

    def _make(
        self, job: str, log_file: Path, configuration: str, sources: Mapping[str, Kind], **environ: str
    ) -> Fillpath:
        common = {"OTEL_SERVICE_NAME": job, "OTEL_METRIC_EXPORT_INTERVAL": EXPORT_MS}
        return Fillpath(
            self._folder / job, self._ports, log_file, configuration, sources=sources, **{**common, **environ}
        )

    def _trading(self, desk: Desk) -> str:
        return "\n".join(_lines(desk, self.venues)) + "\n"


def accounts(name: str, desk: Desk) -> Sequence[str]:
    """Those at one exchange."""
    return [f"{name}{number}" for number in range(1, desk.accounts[name] + 1)]


def _lines(desk: Desk, venues: Venues) -> Iterator[str]:
    names = desk.all_accounts
    yield "[execution]\nreconcile_max_delay = 1\nbreaker_open = 10"
    if not desk.paper:
        yield "[paper]\naccounts = []"
    allowed = [*names, "paper-1"] if desk.paper else names
    yield f'[sources.default]\nauth = "standard"\naccounts = {json.dumps(allowed)}'
    for name in desk.accounts:
        yield f'[exchanges.{name}]\nid = "binance"\napi_url = "{venues.url(name)}"\nrate = 100'
        yield 'symbols = ["BTC/USDT", "ETH/USDT"]'
        for account in accounts(name, desk):
            yield f'[exchanges.{name}.accounts.{account}]\nmarket_type = "spot"'


def _keys(desk: Desk) -> Iterator[tuple[str, str]]:
    for account in desk.all_accounts:
        yield f"FILLPATH_EXCHANGE_{account.upper()}_API_KEY", API_KEY
        yield f"FILLPATH_EXCHANGE_{account.upper()}_SECRET", API_SECRET
