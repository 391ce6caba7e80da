"""What the rules of objectives.yml are shown."""

from __future__ import annotations

from scripts.lib.alerts.cases.case import Case, Special
from scripts.lib.alerts.cases.series import events, flat, steady
from scripts.lib.alerts.cases.world import of, outcomes
from telemetry import conventions as c

_KNOWN, _REJECTED, _LATE = outcomes("accepted"), outcomes("rejected"), outcomes("unknown", "false")
_ACKED = of(c.ALERT_ACKS, source="default", on_time="true")
_LATE_ACK = of(c.ALERT_ACKS, source="default", on_time="false")

CASES = (
    Case(
        alert="OrderOutcomesBudgetBurn",
        variant="1h",
        fault={_KNOWN: events(20), _REJECTED: flat(), _LATE: events(3)},
        below={_KNOWN: events(20), _REJECTED: flat(), _LATE: events(2)},
        fires="1m",
        resolved="7m",
        labels={"job": "fillpath", "window": "1h"},
        description="Within 1h, 13.04% of orders had no known outcome after 30 s; the objective allows 0.5%.",
        beside={"6h": "Within 6h, 13.04% of orders had no known outcome after 30 s; the objective allows 0.5%."},
    ),
    Case(
        alert="OrderOutcomesBudgetBurn",
        variant="6h",
        fault={_KNOWN: events(60), _REJECTED: flat(), _LATE: events(3)},
        below={_KNOWN: events(60), _REJECTED: flat(), _LATE: events(2)},
        fires="1m",
        resolved="32m",
        labels={"job": "fillpath", "window": "6h"},
        description="Within 6h, 4.762% of orders had no known outcome after 30 s; the objective allows 0.5%.",
    ),
    Case(
        alert="AlertAcksBudgetBurn",
        variant="1h",
        fault={_ACKED: events(150), _LATE_ACK: events(3)},
        below={_ACKED: events(100), _LATE_ACK: events(2)},
        fires="1m",
        resolved="7m",
        labels={"job": "fillpath", "window": "1h"},
        description="Within 1h, 1.961% of alerts were not acknowledged within 250 ms; the objective allows 0.1%.",
        beside={"6h": "Within 6h, 1.961% of alerts were not acknowledged within 250 ms; the objective allows 0.1%."},
    ),
    Case(
        alert="AlertAcksBudgetBurn",
        variant="6h",
        fault={_ACKED: events(400), _LATE_ACK: events(3)},
        below={_ACKED: events(100), _LATE_ACK: events(2)},
        fires="1m",
        resolved="32m",
        labels={"job": "fillpath", "window": "6h"},
        description="Within 6h, 0.7444% of alerts were not acknowledged within 250 ms; the objective allows 0.1%.",
    ),
)

SPECIAL = (
    Special(
        alert="OrderOutcomesBudgetBurn",
        variant="1h",
        claim="silent where the budget burns slower than 14.4 times",
        series={_KNOWN: events(60), _LATE: events(4)},
        firing=[("1m", False), ("5m", False)],
    ),
    Special(
        alert="OrderOutcomesBudgetBurn",
        variant="6h",
        claim="silent where the budget burns slower than 6 times",
        series={_KNOWN: events(100), _LATE: events(3)},
        firing=[("1m", False), ("20m", False)],
    ),
    Special(
        alert="AlertAcksBudgetBurn",
        variant="1h",
        claim="silent again once alerts are acknowledged in time, though the hour is not over",
        series={_ACKED: steady(1), _LATE_ACK: events(30)},
        firing=[("1m", True), ("6m", False)],
        labels={"job": "fillpath", "window": "1h"},
    ),
)
