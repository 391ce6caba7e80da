"""What telemetry of one whole order costs: recorded calls played to an engine, encoding and export included."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from scripts.lib.bench.calls import Order, bind, replay
from scripts.lib.bench.engines import CLOSE_WITHIN_S, Measurable, Nothing, empty, engine
from scripts.lib.bench.processes import BenchError
from scripts.lib.bench.recording import Recording
from service.garbage import collect_calmly

_WARM = 32


def order_costs(
    names: Sequence[Measurable], recording: Recording, *, orders: int, rounds: int, receiver: str | None = None
) -> dict[Measurable, float]:
    """CPU microseconds an order over what the calls alone take, the best of so many rounds.

    The engines take turns, so that a slow moment of the machine meets all. With `receiver`, the base URL of one, the
    sending by HTTP is counted too.
    """
    found: dict[Measurable, list[float]] = {name: [] for name in names}
    calls = calls_cost(recording, orders=orders, rounds=rounds)
    for _ in range(rounds):
        for name in names:
            found[name].append(order_cost(name, recording, orders, receiver=receiver))
    return {name: min(costs) - calls for name, costs in found.items()}


def order_cost(name: Measurable, recording: Recording, orders: int, *, receiver: str | None = None) -> float:
    """CPU microseconds an order, all threads of this process, averaged over so many that differ in ids and times.

    Raises BenchError where not all spans and log records were exported: the figure would be of less work.
    """
    warm, measured = recording.orders.fresh(_WARM), recording.orders.fresh(orders)
    with engine(name, recording.config, recording.presets, receiver=receiver) as (telemetry, sink):
        bound = bind(telemetry, recording.bindings)
        for order in warm:
            replay(telemetry, order, bound)
        empty(telemetry)
        with undisturbed():
            begun = time.process_time()
            for order in measured:
                replay(telemetry, order, bound)
            # Exports what still waits.
            telemetry.close(CLOSE_WITHIN_S)
            spent = time.process_time() - begun
    expected = _exports((*warm, *measured))
    if sink.counts() != expected:
        raise BenchError(f"{name} exported {sink.counts()} spans and log records of {expected}; expected all of them")
    return spent / orders * 1e6


def calls_cost(recording: Recording, *, orders: int, rounds: int) -> float:
    """CPU microseconds that the calls of an order take where nothing is behind them: no part of any engine."""
    nothing, costs = Nothing(recording.config), []
    bound = bind(nothing, recording.bindings)
    measured = recording.orders.fresh(orders)
    for _ in range(rounds):
        with undisturbed():
            begun = time.process_time()
            for order in measured:
                replay(nothing, order, bound)
            costs.append((time.process_time() - begun) / orders * 1e6)
    return min(costs)


@contextmanager
def undisturbed() -> Iterator[None]:
    """The garbage collector looks at what is made within, as often as in the service, not at what was prepared."""
    usual = gc.get_threshold()
    collect_calmly()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _exports(orders: Sequence[Order]) -> tuple[int, int]:
    calls = [call for order in orders for call in order]
    begun = [call.what for call in calls]
    steps = sum(len(call.arguments[0]) for call in calls if call.what == "steps")
    return steps + sum(begun.count(what) for what in ("request", "span", "step")), begun.count("log")
