"""`open-loop`: latency of acknowledgements when alerts come by a fixed schedule, whatever the service does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from scripts.lib.bench import machine
from scripts.lib.bench.closed_loop import DRAINED_WITHIN_S, plan_for
from scripts.lib.bench.collector import Receiver, receiving
from scripts.lib.bench.figures import percentile, ratio
from scripts.lib.bench.machine import Load
from scripts.lib.bench.options import Asked
from scripts.lib.bench.processes import Placed, Service, orders_since, send
from scripts.lib.bench.results import Result, side_by_side
from scripts.lib.bench.sending import Plan, Sent

ROWS = {
    "acknowledged, P50 ms": "ack_p50_ms",
    "acknowledged, P95 ms": "ack_p95_ms",
    "acknowledged, P99 ms": "ack_p99_ms",
    "late": "late",
    "refused": "refused",
    "unanswered": "unanswered",
    "FILLED/s": "filled_per_s",
    "senders' lag, P99 ms": "sender_lag_p99_ms",
    "CPU us an alert, service": "service_cpu_us",
    "CPU us an alert, receiver": "receiver_cpu_us",
    "CPU us an alert, senders": "sender_cpu_us",
    "steal %": "steal_percent",
    "other processes %": "others_percent",
}
_FELL_BEHIND_MS = 5.0
_IN_FLIGHT_S = 0.1
"""Connections for so long an answer; with none free an alert waits, and its latency counts from when it was due."""


class Measured(NamedTuple):
    engine: str
    figures: dict[str, float]
    load: Load

    @property
    def fell_behind(self) -> bool:
        """Whether the senders could not keep to the schedule."""
        return self.figures["sender_lag_p99_ms"] > _FELL_BEHIND_MS


def run(asked: Asked, folder: Path, result: Result) -> None:
    """A fresh service for every engine and rate."""
    cores = machine.look_at_cores()
    found: dict[str, Measured] = {}
    with receiving(folder / "receiver", cores.others) as receiver:
        result.notes = [
            (
                f"{asked.open_seconds:g} s a rate by {asked.senders} processes, signed beforehand; latency counts from "
                f"the moment an alert was due; late: after {asked.late:g} s"
            ),
            f"exported to: {receiver.about}",
        ]
        for engine in asked.open_engines:
            for rate in asked.rates:
                place = Placed(folder / f"{engine}-{rate:g}", receiver.url, cores.service, asked.lanes)
                found[f"{engine} {rate:,.0f}/s"] = _measure(Service(engine, place), receiver, asked, rate)
                _tell(result, found)


def schedule(plan: Plan, rate: float, seconds: float, senders: int) -> list[Plan]:
    """The plans of so many processes that take turns: together one alert every `1 / rate` seconds, for `seconds`."""
    total = max(1, round(rate * seconds))
    shares = [len(range(first, total, senders)) for first in range(senders)]
    return [
        Plan(
            port=plan.port,
            secret=plan.secret,
            # Each begins where its first alert would be, and so do their lanes differ.
            lanes=[*plan.lanes[first:], *plan.lanes[:first]],
            connections=max(1, math.ceil(plan.connections / senders)),
            seconds=seconds,
            count=share,
            name=plan.name,
            rate=rate,
            first=first,
            step=senders,
        )
        for first, share in enumerate(shares)
        if share
    ]


def _measure(service: Service, receiver: Receiver, asked: Asked, rate: float) -> Measured:
    cores = machine.look_at_cores()
    with service.serving():
        if asked.warm:
            send([plan_for(service, asked, "warm", asked.warm)], cores.others)
            service.drain(DRAINED_WITHIN_S)
        connections = max(asked.connections, math.ceil(rate * _IN_FLIGHT_S))
        plan = service.plan("load", connections=connections, seconds=asked.open_seconds, count=0)
        plans = schedule(plan, rate, asked.open_seconds, asked.senders)
        ours = [service.pid, receiver.pid]
        with machine.watched(ours) as load:
            before = [machine.cpu_seconds(pid) for pid in ours]
            sent = send(plans, cores.others)
            service.drain(DRAINED_WITHIN_S)
            spent = [machine.cpu_seconds(pid) - seconds for pid, seconds in zip(ours, before, strict=True)]
        orders = orders_since(service.data, min(one.begun_ns for one in sent))
        first_ns = min(one.begun_ns for one in sent)
        filled = ratio(orders.filled, (orders.last_ns - first_ns) / 1e9)
    alerts = sum(plan.count for plan in plans)
    costs = _costs(alerts, service=spent[0], receiver=spent[1], sender=sum(one.cpu_seconds for one in sent))
    figures = _figures(sent, rate, filled, asked.late) | costs | load.figures()
    return Measured(service.engine, figures, load)


def _figures(sent: list[Sent], rate: float, filled: float, late: float) -> dict[str, float]:
    latencies = [latency for one in sent for latency in one.latencies]
    return {
        "rate": rate,
        "ack_p50_ms": percentile(latencies, 0.5),
        "ack_p95_ms": percentile(latencies, 0.95),
        "ack_p99_ms": percentile(latencies, 0.99),
        "late": sum(latency > late * 1000 for latency in latencies),
        "refused": sum(one.refused for one in sent),
        "unanswered": sum(one.unanswered for one in sent),
        "filled_per_s": filled,
        "sender_lag_p99_ms": max(one.lag_p99_ms for one in sent),
    }


def _costs(alerts: int, **seconds: float) -> dict[str, float]:
    """What an alert costs each of them, to its fill: together with the rate, the cores that the load needs."""
    return {f"{name}_cpu_us": ratio(spent * 1e6, alerts) for name, spent in seconds.items()}


def _tell(result: Result, found: dict[str, Measured]) -> None:
    columns = {name: one.figures for name, one in found.items()}
    disturbed = [name for name, one in found.items() if one.load.disturbed]
    result.tables = [side_by_side("Alerts by schedule", ROWS, columns, disturbed)]
    behind = [
        f"{name}: the senders fell behind their schedule (lag P99 {one.figures['sender_lag_p99_ms']:.1f} ms); "
        "part of the latency is theirs"
        for name, one in found.items()
        if one.fell_behind
    ]
    result.notes = [*result.notes[:2], *behind]
    result.figures = {
        "conditions": result.notes[:2],
        "loads": [{"engine": one.engine, **one.figures} for one in found.values()],
    }
