"""A closed loop against a running service: how many alerts it acknowledges and fills, and what that takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scripts.lib.bench import machine
from scripts.lib.bench.collector import Receiver
from scripts.lib.bench.figures import percentile, ratio
from scripts.lib.bench.machine import Load
from scripts.lib.bench.options import Asked
from scripts.lib.bench.processes import Service, cpu_of, orders_since, send
from scripts.lib.bench.sending import Plan, Sent

DRAINED_WITHIN_S = 180.0
_MOST_A_SECOND = 10_000
"""Alerts prepared for a second of load; a service that takes more is told of."""


class Measured(NamedTuple):
    """`figures` by name, `notes` what they do not say, `load` how disturbed the machine was."""

    figures: Mapping[str, float]
    notes: tuple[str, ...]
    load: Load


def closed_loop(service: Service, receiver: Receiver, asked: Asked, seconds: float) -> Measured:
    """Warm it up, load it for so long, wait until everything is filled."""
    cores = machine.look_at_cores()
    warm = plan_for(service, asked, "warm", asked.warm)
    if asked.warm:
        send([warm], cores.others)
        service.drain(DRAINED_WITHIN_S)
    with machine.watched([service.pid, receiver.pid]) as load:
        cpu = machine.cpu_seconds(service.pid)
        sent = send([plan_for(service, asked, "load", seconds)], cores.others)
        drained = service.drain(DRAINED_WITHIN_S)
        cpu = machine.cpu_seconds(service.pid) - cpu
    (one,) = sent
    figures = _figures(service, one, cpu) | load.figures()
    return Measured(figures, tuple(_notes(one, figures, drained=drained)), load)


def plan_for(service: Service, asked: Asked, name: str, seconds: float) -> Plan:
    """For one sender, as fast as the service answers."""
    count = int(seconds * _MOST_A_SECOND) + asked.connections
    return service.plan(name, connections=asked.connections, seconds=seconds, count=count)


def _figures(service: Service, sent: Sent, cpu: float) -> dict[str, float]:
    orders = orders_since(service.data, sent.begun_ns)
    return {
        "acknowledged_per_s": ratio(len(sent.latencies), sent.seconds),
        "filled_per_s": ratio(orders.filled, (orders.last_ns - sent.begun_ns) / 1e9),
        "ack_p50_ms": percentile(sent.latencies, 0.5),
        "ack_p95_ms": percentile(sent.latencies, 0.95),
        "ack_p99_ms": percentile(sent.latencies, 0.99),
        "cpu_us_per_order": ratio(cpu * 1e6, orders.filled),
        "memory_mib": machine.memory_mib(service.pid),
        "acknowledged": len(sent.latencies),
        "filled": orders.filled,
        "refused": sent.refused + sent.unanswered,
        "sender_cores": cpu_of([sent]),
        "telemetry_dropped": service.dropped(),
    }


def _notes(sent: Sent, figures: Mapping[str, float], *, drained: bool) -> list[str]:
    notes = []
    if not drained:
        notes.append(f"orders were still unfinished {DRAINED_WITHIN_S:g} s after the load")
    if figures["filled"] < figures["acknowledged"]:
        notes.append(f"{figures['acknowledged'] - figures['filled']:.0f} acknowledged orders did not end FILLED")
    if sent.ran_out:
        notes.append(f"the sender ran out of its {_MOST_A_SECOND} alerts a second before the time was over")
    return notes
