"""Healthy traffic at a live stack of its own: no rule may fire but Watchdog, which must.

The alerts are those of scripts/generate_test_traffic.py, the few bad ones among them, at a moderate rate.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from scripts.lib.alerts.rules import alerts
from scripts.lib.alerts.shortened import shorten_prometheus
from scripts.lib.stack import Ports, Stack, StackError
from scripts.lib.traffic.running import run as send
from scripts.lib.traffic.schedule import Schedule
from scripts.lib.traffic.summary import Summary, summarize
from scripts.lib.traffic.target import find
from scripts.lib.traffic.worker import Job
from service.cli.context import Context
from service.errors import FillpathError

ALWAYS = "Watchdog"
_CONNECTIONS = 32
_SETTLE_S = 15.0
"""After the last alert: an export, a scrape and an evaluation."""
_KNOWN_WITHIN_S = 60.0


class Verdict(NamedTuple):
    """`fired` and `pending` by Prometheus' own record of the whole run; `held` by Alertmanager at its end."""

    traffic: Summary
    counted: int
    fired: frozenset[str]
    pending: frozenset[str]
    held: frozenset[str]

    @property
    def complaints(self) -> list[str]:
        """What was not as it should be; nothing where the run was healthy."""
        found = [f"{name} fired" for name in sorted(self.fired - {ALWAYS})]
        found += [f"Alertmanager holds {name}" for name in sorted(self.held - {ALWAYS})]
        found += [f"{ALWAYS} {where}" for where, names in self._sides if ALWAYS not in names]
        if not self.traffic.passed:
            found.append("the traffic missed its own targets: this run was not healthy")
        if self.counted < self.traffic.sent:
            found.append(f"Prometheus knows of {self.counted} requests, {self.traffic.sent} were sent")
        return found

    @property
    def _sides(self) -> Sequence[tuple[str, frozenset[str]]]:
        return ("did not fire", self.fired), ("did not reach Alertmanager", self.held)


def main(arguments: Sequence[str]) -> int:
    """0 where the run was healthy and silent, 1 where something fired, 2 where nothing could be run."""
    options = _options(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder, _running(Path(folder), options.factor) as stack:
            verdict = _judge(stack, options)
    except (StackError, FillpathError) as error:
        print(f"healthy: {error}", file=sys.stderr)
        return 2
    print(_report(verdict, options))
    return 1 if verdict.complaints else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.lib.alerts.healthy", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long alerts are sent (5)")
    parser.add_argument("--rate", type=float, default=20.0, help="alerts a second (20)")
    parser.add_argument(
        "--factor", type=float, default=1.0, help="divide the rules' durations by this (1: as they are)"
    )
    return parser.parse_args(arguments)


@contextmanager
def _running(folder: Path, factor: float) -> Iterator[Stack]:
    """A whole stack on ports of its own, its rules as the command line wants them."""
    shorten = partial(shorten_prometheus, factor=factor) if factor != 1 else None
    stack = Stack(folder, Ports.free(), adapt=shorten, tell=_tell)
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def _judge(stack: Stack, options: argparse.Namespace) -> Verdict:
    _until_known(stack)
    began = time.time()
    target = find(Context(config=stack.layout.service))
    schedule = Schedule.lasting(options.minutes * 60, options.rate)
    job = Job(target, _CONNECTIONS, schedule.count, schedule, seed=1, run=f"healthy-{int(began)}")
    _tell(f"sending {schedule.count} alerts, {options.rate:g}/s for {options.minutes:g} min")
    ran = send(job, lambda _batch, _seconds: None)
    time.sleep(_SETTLE_S)
    traffic = summarize("healthy", ran.batch, ran.seconds, asked_rate=options.rate, interrupted=ran.interrupted)
    with httpx.Client(timeout=30, trust_env=False) as client:
        since = f"{time.time() - began:.0f}s"
        states = _ask(client, stack, f"count by (alertname, alertstate) (count_over_time(ALERTS[{since}]))")
        counted = _ask(client, stack, "sum(execution_webhook_requests_total)")
        held = client.get(f"{stack.addresses.alertmanager}/api/v2/alerts").raise_for_status().json()
    return Verdict(
        traffic,
        int(float(counted[0]["value"][1])) if counted else 0,
        frozenset(one["metric"]["alertname"] for one in states if one["metric"]["alertstate"] == "firing"),
        frozenset(one["metric"]["alertname"] for one in states if one["metric"]["alertstate"] == "pending"),
        frozenset(alert["labels"]["alertname"] for alert in held),
    )


def _until_known(stack: Stack) -> None:
    """Return once Prometheus has all rules and the service's metrics: from here on silence says something.

    A Prometheus that started before the service may have missed it: with short durations that fires, and passes.
    """
    wanted = {entry.name for entry in alerts()}
    until = time.monotonic() + _KNOWN_WITHIN_S
    with httpx.Client(timeout=10, trust_env=False) as client:
        while True:
            answer = client.get(f"{stack.addresses.prometheus}/api/v1/rules", params={"type": "alert"}).json()
            loaded = {rule["name"] for group in answer["data"]["groups"] for rule in group["rules"]}
            metrics = _ask(client, stack, "execution_heartbeat_timestamp_seconds")
            fired = {one["metric"]["alertname"] for one in _ask(client, stack, 'ALERTS{alertstate="firing"}')}
            if loaded >= wanted and metrics and fired == {ALWAYS}:
                return
            if time.monotonic() > until:
                raise StackError(
                    f"after {_KNOWN_WITHIN_S:g} s Prometheus lacks the rules {sorted(wanted - loaded)}, knows "
                    f"{len(metrics)} services and has {sorted(fired)} firing; expected 1 service and {ALWAYS}"
                )
            time.sleep(0.5)


def _ask(client: httpx.Client, stack: Stack, query: str) -> list[dict[str, Any]]:
    answer = client.get(f"{stack.addresses.prometheus}/api/v1/query", params={"query": query}).raise_for_status()
    return list(answer.json()["data"]["result"])


def _report(verdict: Verdict, options: argparse.Namespace) -> str:
    traffic, rules = verdict.traffic, len({entry.name for entry in alerts()})
    answered = f"{traffic.success:.2%} answered as they should be, P95 {traffic.latencies['p95']:.1f} ms"
    lines = [
        f"{traffic.sent} alerts in {traffic.seconds:.0f} s, {answered}; Prometheus counted {verdict.counted} requests",
        f"{rules} rules, durations divided by {options.factor:g}",
        f"fired: {', '.join(sorted(verdict.fired)) or 'none'}",
        f"pending at some time: {', '.join(sorted(verdict.pending)) or 'none'}",
        f"held by Alertmanager at the end: {', '.join(sorted(verdict.held)) or 'none'}",
    ]
    return "\n".join([*lines, *(f"WRONG: {complaint}" for complaint in verdict.complaints)])


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
