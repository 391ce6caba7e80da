"""Forked and spawned processes trace and send on their own."""

from __future__ import annotations

import multiprocessing
from typing import Any

from telemetry.lean import LeanTelemetry
from tests.unit.telemetry.lean.sink import CONFIG, Sink


def in_child(engine: LeanTelemetry, sink: Sink, results: Any) -> None:
    with engine.span("child") as span:
        pass
    engine.close(5)
    results.put((span.context, [one.name for one in sink.spans()]))


def test_a_forked_child_sends_its_own_spans_and_nothing_of_its_parents() -> None:
    sink = Sink()
    engine = LeanTelemetry(CONFIG, {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}, senders={"traces": sink})
    with engine.span("parent"):
        pass
    context = multiprocessing.get_context("fork")
    results = context.Queue()

    children = [context.Process(target=in_child, args=(engine, sink, results)) for _ in range(2)]
    for child in children:
        child.start()
    told = [results.get(timeout=20) for _ in children]
    for child in children:
        child.join(20)

    assert [names for _, names in told] == [["child"], ["child"]]
    assert told[0][0].trace_id != told[1][0].trace_id
    engine.close(5)
    assert [span.name for span in sink.spans()] == ["parent"]


def spawned(results: Any) -> None:
    sink = Sink()
    engine = LeanTelemetry(CONFIG, {}, senders={"traces": sink})
    in_child(engine, sink, results)


def test_a_spawned_process_has_an_engine_of_its_own() -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()

    child = context.Process(target=spawned, args=(results,))
    child.start()

    assert results.get(timeout=60)[1] == ["child"]
    child.join(20)
