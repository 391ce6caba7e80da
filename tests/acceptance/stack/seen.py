"""What was seen of an outage, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scripts.lib.bench.figures import percentile
from scripts.lib.bench.sending import Sent
from tests.acceptance.stack.load import Order
from tests.acceptance.stack.relay import SpanId


class Telemetry(NamedTuple):
    """Where the spans of a load are: so many were made, so many of each trace are in Jaeger, and so many were dropped.

    The dropped ones by reason, as the service counts them.
    """

    spans: int
    found: Mapping[str, int]
    dropped: Mapping[str, int]

    @property
    def missing(self) -> int:
        return self.spans - sum(self.found.values())


def filled_once(orders: Sequence[Order], executed: Mapping[str, int]) -> bool:
    """Whether each is filled, and the exchange executed each once and nothing else."""
    ids = [order.client_order_id for order in orders]
    return all(order.status == "FILLED" for order in orders) and executed == dict.fromkeys(ids, 1)


class CollectorStopped(NamedTuple):
    """Milliseconds from when an alert was due to its answer, and from its receipt to its order's end.

    `memory` and `waiting`, MiB and spans in the service's queue, are of all of the outage.
    """

    sent: Sent
    before: Sequence[float]
    during: Sequence[float]
    orders: Sequence[Order]
    executed: Mapping[str, int]
    filled_before: Sequence[float]
    filled_during: Sequence[float]
    memory: Sequence[float]
    waiting: Sequence[int]
    telemetry: Telemetry

    @property
    def figures(self) -> str:
        acknowledged, filled = (
            f"{percentile(before, 0.95):.1f} ms before, {percentile(during, 0.95):.1f} ms during"
            for before, during in ((self.before, self.during), (self.filled_before, self.filled_during))
        )
        return (
            f"collector stopped: {len(self.orders)} orders; acknowledged P95 {acknowledged}; FILLED P95 {filled}; "
            f"memory {self.memory[0]:.0f} to {max(self.memory):.0f} MiB; most {max(self.waiting)} spans waited; "
            f"{self.telemetry.missing} of {self.telemetry.spans} spans missing, "
            f"dropped {dict(self.telemetry.dropped)}"
        )


class JaegerStopped(NamedTuple):
    """`queued`: what the collector's queue held at the end of the outage, after which `delivered_s` passed to the last
    trace.
    """

    sent: Sent
    orders: Sequence[Order]
    executed: Mapping[str, int]
    queued: float
    delivered_s: float
    telemetry: Telemetry

    @property
    def figures(self) -> str:
        return (
            f"Jaeger stopped: {len(self.orders)} orders; the collector's queue held {self.queued:.0f}; all was "
            f"found {self.delivered_s:.1f} s after the outage, {self.telemetry.missing} of {self.telemetry.spans} "
            "spans missing"
        )


class CollectorKilled(NamedTuple):
    kills: int
    orders: Sequence[Order]
    executed: Mapping[str, int]
    acknowledged: set[SpanId]
    found: set[SpanId]

    @property
    def figures(self) -> str:
        lost = len(self.acknowledged - self.found)
        return (
            f"collector killed {self.kills} times: {len(self.orders)} orders, {len(self.acknowledged)} spans "
            f"acknowledged, {lost} lost"
        )


class ServicesKilled(NamedTuple):
    """Of two services killed together: one comes back, the other is followed by one with another folder.

    Seconds from the kill to the last of the other's series; and what Prometheus showed since, many times: the open
    orders of the one that came back and how many of it there were, how many of the other and its follower, and the age
    of the oldest heartbeat of these two, seconds.
    """

    gone_from_collector_s: float
    gone_from_prometheus_s: float
    open_of_restarted: Sequence[float]
    restarted: Sequence[float]
    together: Sequence[float]
    heartbeats: Sequence[float]

    @property
    def figures(self) -> str:
        return (
            f"services killed: series gone from the collector after {self.gone_from_collector_s:.1f} s, from "
            f"Prometheus after {self.gone_from_prometheus_s:.1f} s; oldest heartbeat {max(self.heartbeats):.1f} s"
        )
