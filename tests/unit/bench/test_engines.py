from __future__ import annotations

import pytest

from scripts.lib.bench.calls import Call, Recorded
from scripts.lib.bench.engines import empty, engine
from scripts.lib.bench.growth import Killed, continued
from scripts.lib.bench.order_cost import calls_cost, order_cost
from scripts.lib.bench.processes import BenchError
from scripts.lib.bench.recording import Recording
from telemetry import conventions as c
from telemetry.config import TelemetryConfig
from telemetry.facade import LogEntry

CONFIG = TelemetryConfig(service_version="1", instance_id="bench", exchanges=("paper",))
ORDER = [
    Call("request", 0, ("POST /webhook/{source}", {}), {"traceparent": None, "trust": False}),
    Call("keep", 0),
    Call("exit", 0, (None, None, None)),
    Call("span", 1, ("order.execute", {"order.id": "order-number-1"}), {}, 0),
    Call("record", -1, (c.ORDER_DURATION, 0.1), {"exchange": "paper", "order_type": "market"}),
    Call("log", -1, (LogEntry(1, 20, "INFO", "order FILLED", {}),)),
    Call("exit", 1, (None, None, None)),
]
RECORDING = Recording(Recorded([ORDER]), CONFIG, [], [])


@pytest.mark.parametrize("name", ["lean", "sdk"])
def test_every_span_and_log_record_reaches_the_sink_and_metrics_only_on_demand(name):
    with engine(name, CONFIG) as (telemetry, sink):
        for _ in range(10):
            with telemetry.span("order.execute"):
                telemetry.log(LogEntry(1, 20, "INFO", "order FILLED", {}))
        empty(telemetry)
        assert sink.counts() == (10, 10)
    assert sink.requests["metrics"] == []

    with engine(name, CONFIG, exported=("metrics",)) as (telemetry, sink):
        telemetry.add(c.ACTIVE_REQUESTS, 1)
    assert len(sink.requests["metrics"]) == 1


@pytest.mark.parametrize("name", ["lean", "sdk"])
def test_an_order_costs_something_and_its_bare_calls_less(name):
    assert order_cost(name, RECORDING, 20) > calls_cost(RECORDING, orders=20, rounds=3) > 0


def test_an_engine_that_does_less_than_it_was_asked_is_not_measured(monkeypatch):
    monkeypatch.setattr("telemetry.lean.engine.LeanTelemetry.log", lambda *_: None)

    with pytest.raises(BenchError, match=r"exported \(.*, 0\) spans and log records"):
        order_cost("lean", RECORDING, 5)


def test_the_first_change_after_a_restart_is_that_of_an_order_of_before(tmp_path):
    import sqlite3
    from contextlib import closing

    from service.core.ids import new_order_id

    second = 1_000_000_000
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as journal:
        journal.execute("CREATE TABLE orders (id TEXT, source TEXT, received_ns INTEGER)")
        journal.execute("CREATE TABLE transitions (order_id TEXT, ts_ns INTEGER)")
        for number, (source, received, changes) in enumerate(
            [
                ("bench", 11, [11.5]),  # done before the kill
                ("bench", 12, [12.5, 15.25, 15.5]),  # continued
                ("bench", 13, [15.75]),  # continued
                ("history", 12, [15.1]),
                ("bench", 14.5, [15.2]),  # after the kill
                ("bench", 5, [15.05]),  # of an earlier load
            ]
        ):
            order_id = new_order_id(int(received * second), bytes([number]) * 10)
            journal.execute("INSERT INTO orders VALUES (?, ?, ?)", (order_id, source, int(received * second)))
            rows = [(order_id, int(change * second)) for change in changes]
            journal.executemany("INSERT INTO transitions VALUES (?, ?)", rows)
        journal.commit()

    found = continued(tmp_path / "journal.sqlite", Killed(10 * second, 14 * second, 15 * second))

    assert found == {"continued_s": 0.25, "unfinished_at_kill": 2}
