"""What the rules of monitoring.yml are shown."""

from __future__ import annotations

from scripts.lib.alerts.cases.case import Case, Special
from scripts.lib.alerts.cases.series import START, events, flat, gone, level, restarted, scrapes, steady
from scripts.lib.alerts.cases.world import (
    ENQUEUE_FAILED,
    REFUSED_SPANS,
    UP_COLLECTOR,
    UP_EXPORTER,
    UP_SERVICE,
    UPTIME,
    of,
)
from telemetry import conventions as c

_HEARTBEAT = of(c.HEARTBEAT_TIMESTAMP)
_QUEUE_FULL = of(c.TELEMETRY_DROPPED, signal="traces", reason="queue_full")
_SAMPLING = of(c.TELEMETRY_DROPPED, signal="traces", reason="sampling")
_NO_USD = of(c.TELEMETRY_DROPPED, signal="metrics", reason="no_usd_conversion")


def _stuck(i: int) -> float:
    """A heartbeat that stops for eight minutes."""
    return 15 * (i if i > START + scrapes("8m") else min(i, START))


CASES = (
    Case(
        alert="ServiceDown",
        variant="unreachable",
        fault={UP_SERVICE: level(0, "3m", rest=1)},
        below={UP_SERVICE: level(0, "45s", rest=1)},
        fires="90s",
        resolved="4m",
        labels={"job": "service", "cause": "unreachable"},
        description="Prometheus gets no answer from the service (up is 0).",
    ),
    Case(
        alert="ServiceDown",
        variant="stuck",
        fault={_HEARTBEAT: _stuck},
        below={_HEARTBEAT: lambda i: 15 * max(i - 4, 0)},
        fires="2m",
        resolved="9m",
        labels={"job": "fillpath", "cause": "stuck"},
        description="The last turn of the executor was 2m 0s ago: what is acknowledged is not executed.",
    ),
    Case(
        alert="CollectorDown",
        fault={UP_COLLECTOR: level(0, "3m", rest=1), UP_EXPORTER: level(0, "3m", rest=1)},
        below={UP_COLLECTOR: level(0, "45s", rest=1), UP_EXPORTER: level(0, "45s", rest=1)},
        fires="90s",
        resolved="4m",
        labels={"job": "collector"},
        description="Prometheus gets no answer from the collector: no metric of the service arrives (up is 0).",
    ),
    Case(
        alert="Watchdog",
        fault={},
        below={},
        fires="1m",
        resolved="1m",
        description="Always firing (1): where it is missing, no other alert arrives either.",
        always=True,
    ),
    Case(
        alert="TelemetryDropped",
        fault={_QUEUE_FULL: events(1)},
        below={_QUEUE_FULL: flat(4), _SAMPLING: events(1000), _NO_USD: events(50)},
        fires="1m",
        resolved="12m",
        labels={"job": "fillpath"},
        description="1 spans, metric records or log records were dropped by fillpath within 10 minutes.",
    ),
)

SPECIAL = (
    Special(
        alert="ServiceDown",
        variant="unreachable",
        claim="fires where one of two services does not answer",
        series={UP_SERVICE: flat(1), UP_SERVICE.replace("8081", "9081"): level(0, "5m", rest=1)},
        firing=[("2m", True), ("6m", False)],
        labels={"job": "service", "cause": "unreachable"},
    ),
    Special(
        alert="ServiceDown",
        variant="stuck",
        claim="fires where one of two executors stands still",
        series={_HEARTBEAT: steady(15), _HEARTBEAT.replace('"one"', '"two"'): _stuck},
        firing=[("2m", True), ("9m", False)],
        labels={"job": "fillpath", "cause": "stuck"},
    ),
    Special(
        alert="TelemetryDropped",
        claim="what the collector loses after a restart counts, though it had lost as much before",
        series={
            UPTIME: restarted(lambda i: 15 * (i - START), START, before=9000),
            REFUSED_SPANS: gone(flat(3), START, START + 4),
        },
        firing=[("0s", False), ("2m", True), ("14m", False)],
        labels={"job": "collector"},
    ),
    Special(
        alert="ServiceDown",
        variant="unreachable",
        claim="fires where Prometheus knows of no service",
        series={},
        firing=[("2m", True)],
        labels={"job": "service", "cause": "unreachable"},
    ),
    Special(
        alert="ServiceDown",
        variant="stuck",
        claim="silent where there is no heartbeat at all",
        series={},
        firing=[("2m", False)],
    ),
    Special(
        alert="CollectorDown",
        claim="fires where Prometheus knows of no collector",
        series={},
        firing=[("2m", True)],
        labels={"job": "collector"},
    ),
    Special(
        alert="CollectorDown",
        claim="fires where only its own metrics answer",
        series={UP_COLLECTOR: flat(1), UP_EXPORTER: level(0, "5m", rest=1)},
        firing=[("2m", True), ("6m", False)],
        labels={"job": "collector"},
    ),
    Special(
        alert="TelemetryDropped",
        claim="the collector's first failure creates its series and fires",
        series={UPTIME: steady(15), ENQUEUE_FAILED: gone(events(1), 0, START)},
        firing=[("0s", False), ("1m", True), ("12m", False)],
        labels={"job": "collector"},
    ),
    Special(
        alert="TelemetryDropped",
        claim="silent when the collector restarts, and when its metrics come back",
        series={
            UPTIME: gone(restarted(lambda i: 15 * (i - START), START, before=9000), START - 30, START - 20),
            REFUSED_SPANS: gone(restarted(flat(), START, before=70), START - 30, START - 20),
        },
        firing=[("0s", False), ("1m", False), ("5m", False)],
    ),
)
