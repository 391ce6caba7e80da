"""`unit`: what single calls of telemetry cost, and all those of one order, lean against the SDK."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.lib.bench.api_costs import api_costs
from scripts.lib.bench.calls import bind, replay
from scripts.lib.bench.collector import receiving
from scripts.lib.bench.engines import CLOSE_WITHIN_S, Measurable, empty, engine
from scripts.lib.bench.figures import Bar, ratio
from scripts.lib.bench.machine import look_at_cores, watched
from scripts.lib.bench.options import Asked
from scripts.lib.bench.order_cost import calls_cost, order_costs, undisturbed
from scripts.lib.bench.recording import Recording, record
from scripts.lib.bench.results import Result, Table
from telemetry import conventions as c
from telemetry.facade import LogEntry, Telemetry

ORDER_BAR = 0.1
ENGINES: Sequence[Measurable] = ("lean", "sdk")
_CALLS = 2_000
_ORDER_ROUNDS = 3
"""Times as many rounds for the row that is judged: the best of five differs by a tenth from run to run."""
_ORDER_ROW = "whole order: encoded and sent"
_LABELS = {
    c.ORDERS: {"exchange": "paper", "symbol": "BTC/USDT", "side": "buy", "order_type": "market", "status": "FILLED"},
    c.ORDER_SIZE_USD: {"exchange": "paper", "symbol": "BTC/USDT", "side": "buy"},
}

Work = Callable[[Telemetry, Sequence[str]], None]
"""Does something as often as there are ids, with each in turn."""


class Row(NamedTuple):
    name: str
    work: Work
    exported: Collection[str] = ()


def run(asked: Asked, result: Result) -> None:
    """A minute and a half, all in this process."""
    result.notes = [
        "CPU microseconds, all threads of the process, the best of the rounds",
        "exports go to memory, a whole order's by HTTP to a receiver as well",
    ]
    costs: dict[str, dict[str, float]] = {}
    with watched([]) as load:
        recording = record()
        for name, cost in _costs(recording, asked):
            costs[name] = cost
            _tell(result, costs)
        with tempfile.TemporaryDirectory(prefix="fillpath-bench-") as folder:
            orders = _order_costs(recording, asked, Path(folder), result)
        costs[_ORDER_ROW] = {name: orders[name] for name in ENGINES}
        _tell(result, costs)
    calls = calls_cost(recording, orders=asked.unit_orders, rounds=asked.unit_rounds)
    counts = recording.orders.calls
    made = ", ".join(f"{number:g} {what}" for what, number in counts.items())
    result.notes.append(f"an order's calls, recorded of the service: {made}")
    result.notes.append("garbage is collected as seldom as in the service, for both engines")
    result.notes.append(f"their bare calls, {calls:.0f} us, are the service's and not counted in the order's row")
    result.notes.append(str(load))
    result.figures |= {"calls": counts, "bare_calls_us": calls, **load.figures()}
    _tell(result, costs, disturbed=load.disturbed)


def _order_costs(recording: Recording, asked: Asked, folder: Path, result: Result) -> dict[Measurable, float]:
    with receiving(folder, look_at_cores().others) as receiver:
        result.notes.append(f"the receiver: {receiver.about}")
        orders, rounds = asked.unit_orders, asked.unit_rounds * _ORDER_ROUNDS
        return order_costs(ENGINES, recording, orders=orders, rounds=rounds, receiver=receiver.url)


def _tell(result: Result, costs: dict[str, dict[str, float]], *, disturbed: bool = False) -> None:
    rows = [(name, cost["lean"], cost["sdk"], ratio(cost["lean"], cost["sdk"])) for name, cost in costs.items()]
    mark = " *" if disturbed else ""
    result.tables = [Table("CPU us a call", ("", f"lean{mark}", f"SDK{mark}", "lean / SDK"), rows, marked=disturbed)]
    result.figures["cpu_us"] = costs
    if _ORDER_ROW in costs:
        order = costs[_ORDER_ROW]
        share = ratio(order["lean"], order["sdk"])
        result.bars = [Bar("telemetry CPU an order, lean / SDK", share, "at most", ORDER_BAR)]


def _costs(recording: Recording, asked: Asked) -> Iterator[tuple[str, dict[str, float]]]:
    rows = (
        Row("span with 7 attributes: start, set, end", _spans),
        Row("span with 7 attributes: encoded and exported too", _spans, ("traces",)),
        Row("counter, 5 labels, our facade", _adds),
        Row("counter, 5 labels, bound", _bound_adds),
        Row("histogram, 3 labels, in a span, our facade", _records),
        Row("histogram, 3 labels, in a span, bound", _bound_records),
        Row("log line in a span: encoded and exported", _logs_like(recording.orders.log), ("traces", "logs")),
    )
    for row in rows:
        found: dict[str, list[float]] = {name: [] for name in ENGINES}
        for _ in range(asked.unit_rounds):
            for name in ENGINES:
                found[name].append(_cost(name, recording, row))
        yield row.name, {name: min(costs) for name, costs in found.items()}
    yield from api_costs(recording.config, rounds=asked.unit_rounds)
    yield "all metrics: one collection and export", {name: _collection(name, recording) for name in ENGINES}


def _cost(name: Measurable, recording: Recording, row: Row) -> float:
    ids = [secrets.token_hex(16) for _ in range(_CALLS)]
    with engine(name, recording.config, recording.presets, exported=row.exported) as (telemetry, _):
        row.work(telemetry, ids[: _CALLS // 10])
        empty(telemetry)
        with undisturbed():
            begun = time.process_time()
            row.work(telemetry, ids)
            telemetry.close(CLOSE_WITHIN_S)
            return (time.process_time() - begun) / _CALLS * 1e6


def _collection(name: Measurable, recording: Recording) -> float:
    with engine(name, recording.config, recording.presets, exported=("metrics",)) as (telemetry, _):
        bound = bind(telemetry, recording.bindings)
        for order in recording.orders.fresh(64):
            replay(telemetry, order, bound)
        begun = time.process_time()
        telemetry.close(CLOSE_WITHIN_S)
        return (time.process_time() - begun) * 1e6


def _spans(telemetry: Telemetry, ids: Sequence[str]) -> None:
    for order_id in ids:
        with telemetry.span(c.SPAN_ORDER_EXECUTE) as span:
            span.set(
                {
                    c.ATTR_ORDER_ID: order_id,
                    c.ATTR_EXCHANGE_ID: "paper",
                    c.ATTR_ACCOUNT_ID: "paper-1",
                    c.ATTR_ORDER_SYMBOL: "BTC/USDT",
                    c.ATTR_ORDER_SIDE: "buy",
                    c.ATTR_ORDER_TYPE: "market",
                    c.ATTR_EXCHANGE_ATTEMPT: 1,
                }
            )


def _adds(telemetry: Telemetry, ids: Sequence[str]) -> None:
    labels = _LABELS[c.ORDERS]
    for _ in ids:
        telemetry.add(c.ORDERS, 1, **labels)


def _records(telemetry: Telemetry, ids: Sequence[str]) -> None:
    labels = _LABELS[c.ORDER_SIZE_USD]
    with telemetry.span(c.SPAN_ORDER_EXECUTE):
        for number, _ in enumerate(ids):
            telemetry.record(c.ORDER_SIZE_USD, number * 10.0, **labels)


def _bound_adds(telemetry: Telemetry, ids: Sequence[str]) -> None:
    counters = telemetry.counters(c.ORDERS, *_LABELS[c.ORDERS])
    exchange, symbol, side, order_type, status = _LABELS[c.ORDERS].values()
    for _ in ids:
        counters[exchange, symbol, side, order_type, status].add()


def _bound_records(telemetry: Telemetry, ids: Sequence[str]) -> None:
    histograms = telemetry.histograms(c.ORDER_SIZE_USD, *_LABELS[c.ORDER_SIZE_USD])
    exchange, symbol, side = _LABELS[c.ORDER_SIZE_USD].values()
    with telemetry.span(c.SPAN_ORDER_EXECUTE):
        for number, _ in enumerate(ids):
            histograms[exchange, symbol, side].record(number * 10.0)


def _logs_like(entry: LogEntry | None) -> Work:
    assert entry is not None, "the service logs every order's end"

    def log(telemetry: Telemetry, ids: Sequence[str]) -> None:
        with telemetry.span(c.SPAN_ORDER_EXECUTE):
            for order_id in ids:
                telemetry.log(entry._replace(attributes={**entry.attributes, "order_id": order_id}))

    return log
