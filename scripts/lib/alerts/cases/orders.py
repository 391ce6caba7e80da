"""What the rules of orders.yml are shown."""

from __future__ import annotations

from scripts.lib.alerts.cases.case import Case, Special
from scripts.lib.alerts.cases.series import START, events, flat, gone, histogram, restarted
from scripts.lib.alerts.cases.world import labelled, outcomes
from telemetry import conventions as c

_MARKET = labelled(exchange="okx-main", order_type="market")
_ACCEPTED, _REJECTED, _LATE = outcomes("accepted"), outcomes("rejected"), outcomes("unknown", "false")

CASES = (
    Case(
        alert="HighOrderFailureRate",
        fault={_ACCEPTED: events(7), _REJECTED: events(2), _LATE: events(1)},
        below={
            _ACCEPTED: events(3),
            _REJECTED: events(1),
            _LATE: events(1),
            outcomes("accepted", exchange="paper"): events(12),
            outcomes("rejected", exchange="paper"): events(3),
        },
        fires="1m",
        resolved="12m",
        labels={"job": "fillpath", "exchange": "okx-main"},
        description="30% of the orders for okx-main within 10 minutes were rejected, denied, absent or had no known "
        "outcome after 30 s.",
    ),
    Case(
        alert="SlowOrderExecution",
        fault=histogram(c.ORDER_DURATION, _MARKET, {0.25: events(9), 30.0: events(1)}),
        first=histogram(c.ORDER_DURATION, _MARKET, {30.0: events(1)}),
        below=histogram(c.ORDER_DURATION, _MARKET, {0.25: events(19), 30.0: events(1)}),
        fires="1m",
        resolved="12m",
        labels={"job": "fillpath", "exchange": "okx-main"},
        description="95% of the orders for okx-main had their first outcome within 20s of being dequeued; "
        "the limit is 5 s.",
    ),
    Case(
        alert="HighPipelineLatency",
        fault=histogram(c.PIPELINE_LATENCY, labelled(), {0.25: events(9), 30.0: events(1)}),
        first=histogram(c.PIPELINE_LATENCY, labelled(), {30.0: events(1)}),
        below=histogram(c.PIPELINE_LATENCY, labelled(), {0.25: events(19), 30.0: events(1)}),
        fires="1m",
        resolved="12m",
        labels={"job": "fillpath"},
        description="95% of the orders had their outcome within 20s of the alert; the limit is 5 s.",
    ),
    Case(
        alert="NoOrdersExecuted",
        fault={_ACCEPTED: flat(50), _REJECTED: flat(), outcomes("denied"): events(2)},
        first={_ACCEPTED: flat(), outcomes("denied"): events(2)},
        below={_ACCEPTED: events(1), _REJECTED: flat(), outcomes("denied"): events(2)},
        fires="1m",
        resolved="17m",
        labels={"job": "fillpath"},
        description="2 orders had their outcome within 15 minutes, and no exchange took any of them.",
    ),
)

SPECIAL = (
    Special(
        alert="HighOrderFailureRate",
        claim="silent when a restart sets the counters back",
        series={
            _ACCEPTED: restarted(flat(), START, before=5000),
            _REJECTED: restarted(flat(), START, before=1000),
        },
        firing=[("15s", False), ("5m", False), ("11m", False)],
    ),
    Special(
        alert="HighOrderFailureRate",
        claim="fires on what fails after a restart",
        series={
            _ACCEPTED: restarted(events(5, START + 2), START, before=5000),
            _REJECTED: restarted(events(3, START + 4), START, before=1000),
        },
        firing=[("30s", False), ("2m", True), ("12m", False)],
        labels={"job": "fillpath", "exchange": "okx-main"},
    ),
    Special(
        alert="HighOrderFailureRate",
        claim="what failed shortly before a restart counts with what fails after it",
        series={
            _ACCEPTED: restarted(flat(), START + 8, before=50),
            _REJECTED: lambda i: 1 if i < START else 3 if i < START + 8 else min(i - START - 8, 1),
        },
        firing=[("105s", False), ("3m", True), ("14m", False)],
        labels={"job": "fillpath", "exchange": "okx-main"},
    ),
    Special(
        alert="HighOrderFailureRate",
        claim="two failures right after the start are two: nothing is extrapolated",
        series={_ACCEPTED: gone(flat(), 0, START - 1), _REJECTED: gone(events(2), 0, START - 1)},
        firing=[(f"{seconds}s", False) for seconds in (15, 30, 45, 60, 75, 90)],
    ),
    Special(
        alert="HighOrderFailureRate",
        claim="three failures before the first scrape are three",
        series={_ACCEPTED: gone(flat(), 0, START), _REJECTED: gone(flat(3), 0, START)},
        firing=[("15s", True), ("9m", True), ("11m", False)],
        labels={"job": "fillpath", "exchange": "okx-main"},
    ),
    Special(
        alert="HighOrderFailureRate",
        claim="what failed while the metrics were away counts when they are back",
        series={_ACCEPTED: gone(flat(50), START - 20, START + 10), _REJECTED: gone(events(3), START - 20, START + 10)},
        firing=[("0s", False), ("3m", True), ("14m", False)],
        labels={"job": "fillpath", "exchange": "okx-main"},
    ),
    Special(
        alert="HighOrderFailureRate",
        claim="what failed before the service was down for long does not count again",
        series={
            _ACCEPTED: gone(restarted(flat(), START, before=50), START - 40, START + 1),
            _REJECTED: gone(restarted(flat(), START, before=30), START - 40, START + 1),
        },
        firing=[("1m", False), ("11m", False)],
    ),
    Special(
        alert="SlowOrderExecution",
        claim="silent when a restart sets the buckets back",
        series=histogram(c.ORDER_DURATION, _MARKET, {0.25: restarted(events(3), START, before=500)}),
        firing=[("15s", False), ("5m", False), ("11m", False)],
    ),
)
