"""`service`: the service on one core under a closed loop, with telemetry off, lean and by the SDK."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from scripts.lib.bench import machine
from scripts.lib.bench.closed_loop import Measured, closed_loop
from scripts.lib.bench.collector import Receiver, receiving
from scripts.lib.bench.figures import Bar, medians, ratio
from scripts.lib.bench.lanes import lanes
from scripts.lib.bench.options import Asked
from scripts.lib.bench.processes import Placed, Service
from scripts.lib.bench.results import Result, side_by_side

FILLED_BAR = 0.6
ROWS = {
    "acknowledged/s": "acknowledged_per_s",
    "FILLED/s": "filled_per_s",
    "acknowledged, P50 ms": "ack_p50_ms",
    "acknowledged, P95 ms": "ack_p95_ms",
    "acknowledged, P99 ms": "ack_p99_ms",
    "CPU us an order": "cpu_us_per_order",
    "memory MiB": "memory_mib",
    "refused": "refused",
    "telemetry dropped": "telemetry_dropped",
    "spans exported an order": "spans_per_order",
    "steal %": "steal_percent",
    "other processes %": "others_percent",
}


def run(asked: Asked, folder: Path, result: Result) -> None:
    """Rounds in which the engines take turns, a fresh service each; medians count."""
    cores = machine.look_at_cores()
    rounds: defaultdict[str, list[Measured]] = defaultdict(list)
    with receiving(folder / "receiver", cores.others) as receiver:
        result.notes = [
            (
                f"{asked.connections} connections, {asked.seconds:g} s a round, {len(lanes(asked.lanes))} lanes; "
                "alerts and transitions are on disk before they count"
            ),
            f"exported to: {receiver.about}",
        ]
        for number in range(asked.rounds):
            for engine in asked.engines:
                place = Placed(folder / f"{engine}-{number}", receiver.url, cores.service, asked.lanes)
                rounds[engine].append(_round(Service(engine, place), receiver, asked))
                _tell(result, rounds)


def _round(service: Service, receiver: Receiver, asked: Asked) -> Measured:
    before = receiver.accepted_spans()
    with service.serving():
        measured = closed_loop(service, receiver, asked, asked.seconds)
        orders = service.journaled()
    after = receiver.accepted_spans()  # the service has exported its last ones when it ended
    spans = float("nan") if before is None or after is None else ratio(after - before, orders)
    return measured._replace(figures={**measured.figures, "spans_per_order": spans})


def _tell(result: Result, rounds: Mapping[str, list[Measured]]) -> None:
    found = {engine: medians([one.figures for one in each]) for engine, each in rounds.items()}
    disturbed = {engine for engine, each in rounds.items() if any(one.load.disturbed for one in each)}
    result.tables = [side_by_side(f"Medians of {max(map(len, rounds.values()))}", ROWS, found, disturbed)]
    result.figures = {
        "conditions": result.notes[:2],
        "engines": found,
        "rounds": {engine: [dict(one.figures) for one in each] for engine, each in rounds.items()},
        "ratios": _ratios(found),
    }
    said = [f"{engine}: {note}" for engine, each in rounds.items() for one in each for note in one.notes]
    senders = max(figures["sender_cores"] for figures in found.values())
    generator = f"the sender took {senders:.2f} of a core at most"
    result.notes = [*result.notes[:2], generator, *_spoken(found), *said]
    if {"lean", "off"} <= found.keys():
        share = ratio(found["lean"]["filled_per_s"], found["off"]["filled_per_s"])
        result.bars = [Bar("FILLED/s, lean / off", share, "at least", FILLED_BAR)]


def _ratios(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    pairs = (("lean", "off"), ("lean", "sdk"), ("sdk", "off"))
    return {
        f"{one}_to_{other}": ratio(found[one]["filled_per_s"], found[other]["filled_per_s"])
        for one, other in pairs
        if {one, other} <= found.keys()
    }


def _spoken(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    ratios = _ratios(found)
    lines = []
    if "lean_to_sdk" in ratios and "off" in found:
        lines.append(
            f"FILLED/s, lean / SDK: {ratios['lean_to_sdk']:.2f}, where an order without telemetry takes "
            f"{found['off']['cpu_us_per_order']:.0f} us of CPU"
        )
    if "sdk_to_off" in ratios:
        lines.append(f"FILLED/s, SDK / off: {ratios['sdk_to_off']:.2f}")
    return lines
