"""What the rules of promises.yml are shown."""

from __future__ import annotations

from scripts.lib.alerts.cases.case import Case, Special
from scripts.lib.alerts.cases.series import events, flat, level
from scripts.lib.alerts.cases.world import denials, of, requests
from telemetry import conventions as c

_LABELS = {"job": "fillpath", "exchange": "okx-main"}
_DOUBT = of(c.ORDERS_IN_DOUBT_OLDEST, exchange="okx-main")
_ABSENT = of(c.ORDER_RECONCILIATIONS, exchange="okx-main", outcome="absent")
_NOT_FOUND = of(c.ORDER_RECONCILIATIONS, exchange="okx-main", outcome="not_found")
_MISSING = of(c.RECONCILIATION_FINDINGS, exchange="okx-main", kind="missing_at_exchange")
_FOREIGN = of(c.RECONCILIATION_FINDINGS, exchange="okx-main", kind="foreign")
_TOO_OLD = of(c.ORDERS_EXPIRED_UNSENT, exchange="okx-main", reason="max_age")
_DRIFTED = of(c.ORDERS_EXPIRED_UNSENT, exchange="okx-main", reason="price_drift")
_SKEW = of(c.EXCHANGE_CLOCK_SKEW, exchange="okx-main")
_SWITCH = of(c.KILL_SWITCH_ENGAGED, account="*")
_BTC, _SELLS = requests("default", "BTC/USDT", "buy"), requests("default", "ETH/USDT", "sell")

CASES = (
    Case(
        alert="OrdersInDoubt",
        fault={_DOUBT: level(75, "3m", rest=2)},
        below={_DOUBT: level(60, "3m", rest=2)},
        fires="1m",
        resolved="4m",
        labels=_LABELS,
        description="The oldest order in doubt at okx-main came in 1m 15s ago; it may or may not have been executed.",
    ),
    Case(
        alert="OrdersAbsent",
        fault={_ABSENT: events(1)},
        below={_ABSENT: flat(4), _NOT_FOUND: events(20)},
        fires="1m",
        resolved="17m",
        labels=_LABELS,
        description="1 orders were proven absent at okx-main within 15 minutes: sent, and not there.",
    ),
    Case(
        alert="ExchangeMismatch",
        fault={_MISSING: level(1, "4m")},
        below={_MISSING: level(1, "45s"), _FOREIGN: level(50, "9m", rest=7)},
        fires="2m",
        resolved="5m",
        labels={**_LABELS, "kind": "missing_at_exchange"},
        description="1 findings of kind missing_at_exchange at okx-main.",
    ),
    Case(
        alert="AcknowledgedNotExecuted",
        fault={of(c.JOURNAL_OLDEST_PENDING): level(90, "3m", rest=1)},
        below={of(c.JOURNAL_OLDEST_PENDING): level(60, "3m", rest=1)},
        fires="1m",
        resolved="4m",
        labels={"job": "fillpath"},
        description="The oldest order that is acknowledged and not sent came in 1m 30s ago.",
    ),
    Case(
        alert="JournalUnwritable",
        fault={of(c.JOURNAL_WRITABLE): level(0, "3m", rest=1), of(c.JOURNAL_FREE): flat(3 * 2**20)},
        below={of(c.JOURNAL_WRITABLE): level(0, "30s", rest=1)},
        fires="1m",
        resolved="4m",
        labels={"job": "fillpath"},
        description="Nothing can be accepted: alerts get 503 (writable: 0). 3MiB are free there.",
    ),
    Case(
        alert="OrdersExpired",
        fault={_TOO_OLD: events(1), _DRIFTED: events(1)},
        below={_TOO_OLD: flat(4)},
        fires="1m",
        resolved="12m",
        labels=_LABELS,
        description="2 acknowledged orders for okx-main expired unsent within 10 minutes.",
    ),
    Case(
        alert="HighStaleWebhookRate",
        fault={_BTC: events(17), _SELLS: events(3), denials("default", "stale"): events(3)},
        below={
            _BTC: events(27),
            _SELLS: events(3),
            denials("default", "stale"): events(3),
            requests("unknown"): events(2),
            denials("unknown", "stale"): events(2),
        },
        fires="1m",
        resolved="17m",
        labels={"job": "fillpath", "source": "default"},
        description="15% of the requests of source default within 15 minutes were too old.",
    ),
    Case(
        alert="ClockSkew",
        fault={_SKEW: level(-1.5, "5m", rest=0.05)},
        below={
            _SKEW: level(1, "9m", rest=0.05),
            of(c.EXCHANGE_CLOCK_SKEW, exchange="bybit-main"): level(-9, "90s"),
        },
        fires="3m",
        resolved="6m",
        labels=_LABELS,
        description="The clocks of this machine and of okx-main differ by 1.5s.",
    ),
    Case(
        alert="KillSwitchEngaged",
        fault={_SWITCH: level(1, "5m")},
        below={_SWITCH: flat()},
        fires="1m",
        resolved="6m",
        labels={"job": "fillpath", "account": "*"},
        description="The kill switch of account * is at 1 (1: no entries, 2: nothing is sent; account * is all).",
    ),
)

SPECIAL: tuple[Special, ...] = ()
