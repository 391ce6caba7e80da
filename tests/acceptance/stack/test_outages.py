"""A minute without collector, without Jaeger; a collector and services killed: what is lost, and what is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from scripts.lib.bench.figures import percentile
from tests.acceptance.stack import outages
from tests.acceptance.stack.lab import Lab
from tests.acceptance.stack.seen import CollectorKilled, CollectorStopped, JaegerStopped, ServicesKilled, filled_once

CHANCE_MS = 25.0
"""A blocking export would add seconds."""
MEMORY_MIB = 48.0
GONE_WITHIN_S = 45.0
"""30 s of the collector's expiry, a scrape, and a start of two services beside it; the promise is a minute."""

STANDS_STILL_S = 60.0
"""The age of a heartbeat at which the rule ServiceDown fires."""


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Any]]]:
    """All outages that the chosen tests are about, side by side: each takes a minute, and mostly waits."""
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    runs = {
        "collector_stopped": outages.collector_stopped,
        "jaeger_stopped": outages.jaeger_stopped,
        "collector_killed": outages.collector_killed,
        "services_killed": lambda folder: outages.services_killed(folder, lab),
    }
    with ThreadPoolExecutor(len(runs)) as pool:
        yield {name: pool.submit(run, tmp_path_factory.mktemp(name)) for name, run in runs.items() if name in wanted}


@pytest.fixture(scope="module")
def collector_stopped(running: Mapping[str, Future[Any]]) -> CollectorStopped:
    seen: CollectorStopped = running["collector_stopped"].result()
    print(f"\n{seen.figures}")  # noqa: T201 - the figures, with -s
    return seen


@pytest.fixture(scope="module")
def jaeger_stopped(running: Mapping[str, Future[Any]]) -> JaegerStopped:
    seen: JaegerStopped = running["jaeger_stopped"].result()
    print(f"\n{seen.figures}")  # noqa: T201 - the figures, with -s
    return seen


@pytest.fixture(scope="module")
def collector_killed(running: Mapping[str, Future[Any]]) -> CollectorKilled:
    seen: CollectorKilled = running["collector_killed"].result()
    print(f"\n{seen.figures}")  # noqa: T201 - the figures, with -s
    return seen


@pytest.fixture(scope="module")
def services_killed(running: Mapping[str, Future[Any]]) -> ServicesKilled:
    seen: ServicesKilled = running["services_killed"].result()
    print(f"\n{seen.figures}")  # noqa: T201 - the figures, with -s
    return seen


def test_with_the_collector_stopped_no_alert_is_refused_and_none_is_acknowledged_later(
    collector_stopped: CollectorStopped, jaeger_stopped: JaegerStopped
) -> None:
    sent = collector_stopped.sent
    assert (sent.refused, sent.unanswered) == (0, 0)
    assert len(collector_stopped.during) >= outages.OUTAGE_S * outages.RATE
    assert not later(collector_stopped.during, collector_stopped.before, jaeger_stopped.sent.latencies)


def test_with_the_collector_stopped_every_order_is_filled_once_and_none_later(
    collector_stopped: CollectorStopped, jaeger_stopped: JaegerStopped
) -> None:
    assert len(collector_stopped.orders) == len(collector_stopped.sent.latencies)
    assert filled_once(collector_stopped.orders, collector_stopped.executed)
    beside = [order.milliseconds for order in jaeger_stopped.orders]
    assert not later(collector_stopped.filled_during, collector_stopped.filled_before, beside)


def later(during: Sequence[float], before: Sequence[float], beside: Sequence[float]) -> bool:
    """Whether 95 of 100 milliseconds of the outage are more than chance makes of those before, and of those of the
    other service, which has a collector all the time: what else disturbs this machine disturbs that one too.
    """
    usual = max(percentile(before, 0.95), percentile(beside, 0.95))
    return percentile(during, 0.95) > 2 * usual + CHANCE_MS


def test_with_the_collector_stopped_memory_and_queue_stay_bounded(collector_stopped: CollectorStopped) -> None:
    assert max(collector_stopped.waiting) == outages.QUEUE_SPANS
    assert max(collector_stopped.memory) - collector_stopped.memory[0] < MEMORY_MIB


def test_the_spans_that_a_stopped_collector_did_not_get_are_as_many_as_are_counted_as_dropped(
    collector_stopped: CollectorStopped,
) -> None:
    telemetry = collector_stopped.telemetry
    assert set(telemetry.dropped) == {"queue_full", "export_failed"}
    assert telemetry.missing == sum(telemetry.dropped.values()) > 0


def test_with_jaeger_stopped_the_collectors_queue_delivers_every_trace_afterwards(
    jaeger_stopped: JaegerStopped,
) -> None:
    assert len(jaeger_stopped.orders) > outages.OUTAGE_S * outages.LIGHT_RATE
    assert filled_once(jaeger_stopped.orders, jaeger_stopped.executed)
    assert jaeger_stopped.queued > 0
    assert jaeger_stopped.telemetry.dropped == {}
    assert jaeger_stopped.telemetry.missing == 0


def test_what_a_collector_acknowledged_before_it_was_killed_arrives(collector_killed: CollectorKilled) -> None:
    assert filled_once(collector_killed.orders, collector_killed.executed)
    assert len(collector_killed.acknowledged) > len(collector_killed.orders)
    assert collector_killed.acknowledged - collector_killed.found == set()


def test_the_series_of_a_killed_service_vanish_well_within_a_minute(services_killed: ServicesKilled) -> None:
    assert services_killed.gone_from_collector_s <= services_killed.gone_from_prometheus_s < GONE_WITHIN_S


def test_the_gauges_of_a_killed_service_do_not_add_up_with_those_of_its_next_process(
    services_killed: ServicesKilled,
) -> None:
    assert max(services_killed.restarted) == 1
    assert max(services_killed.open_of_restarted) == services_killed.open_of_restarted[-1] == 2


def test_a_service_with_another_folder_counts_beside_a_killed_one_until_that_has_vanished(
    services_killed: ServicesKilled,
) -> None:
    assert max(services_killed.together) == 2
    assert services_killed.together[-1] == 1


def test_the_last_heartbeat_of_a_killed_service_vanishes_before_it_counts_as_standing_still(
    services_killed: ServicesKilled,
) -> None:
    assert 0 < max(services_killed.heartbeats) < STANDS_STILL_S
