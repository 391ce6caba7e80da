"""What the rules of webhooks.yml are shown."""

from __future__ import annotations

from scripts.lib.alerts.cases.case import Case, Special
from scripts.lib.alerts.cases.series import START, during, events, flat, gone, histogram, level, steady
from scripts.lib.alerts.cases.world import denials, labelled, of, requests
from telemetry import conventions as c

_ACCEPTED = labelled(source="default", status="accepted")
_BTC = requests("default", "BTC/USDT", "buy")
_SELLS = requests("default", "ETH/USDT", "sell")
_FAILED = of(c.WEBHOOK_SIGNATURE_FAILURES, source="default")
_FAILED_UNKNOWN = of(c.WEBHOOK_SIGNATURE_FAILURES, source="unknown")
_INVALID = of(c.WEBHOOK_VALIDATION_FAILURES, source="default", reason="invalid_field")
_REUSED = of(c.WEBHOOK_VALIDATION_FAILURES, source="default", reason="key_reused")
_REUSED_UNKNOWN = of(c.WEBHOOK_VALIDATION_FAILURES, source="unknown", reason="key_reused")
_INVALID_UNKNOWN = of(c.WEBHOOK_VALIDATION_FAILURES, source="unknown", reason="invalid_field")
_DURATION = c.WEBHOOK_PROCESSING_DURATION

CASES = (
    Case(
        alert="WebhookSignatureFailures",
        fault={_BTC: events(40), _FAILED: events(60), requests("default"): events(60)},
        below={
            _BTC: events(51),
            _FAILED: events(50),
            requests("default"): events(50),
            _FAILED_UNKNOWN: events(9),
            requests("unknown"): events(9),
        },
        fires="1m",
        resolved="7m",
        labels={"job": "fillpath", "source": "default"},
        description="60 requests for source default failed authentication within 5 minutes, half or more of all. "
        "Alerts of that source may be lost, or somebody guesses.",
    ),
    Case(
        alert="HighWebhookLatency",
        fault=histogram(_DURATION, _ACCEPTED, {0.005: steady(2), 1.0: during(2, "12m")}),
        first=histogram(_DURATION, _ACCEPTED, {1.0: during(1, "12m")}),
        below=histogram(_DURATION, _ACCEPTED, {0.005: steady(2), 0.1: during(2, "12m")}),
        fires="11m",
        resolved="19m",
        labels={"job": "fillpath"},
        description="95% of webhooks were answered within 950ms; the limit is 100 ms. TradingView gives up after 3 s.",
    ),
    Case(
        alert="WebhookValidationFailureRate",
        fault={
            _BTC: events(60),
            _INVALID: events(30),
            _REUSED: flat(),
            denials("default", "malformed"): events(10),
            requests("default"): events(40),
        },
        below={
            _BTC: events(80),
            _INVALID: events(10),
            _REUSED: flat(),
            denials("default", "malformed"): events(10),
            requests("default"): events(20),
            _INVALID_UNKNOWN: flat(),
            _REUSED_UNKNOWN: flat(),
            denials("unknown", "malformed"): events(4),
            requests("unknown"): events(4),
        },
        fires="1m",
        resolved="12m",
        labels={"job": "fillpath", "source": "default"},
        description="40% of the requests of source default were malformed or refused within 10 minutes. "
        "What is refused is not traded.",
    ),
    Case(
        alert="HighConfidenceFilterRate",
        fault={_BTC: events(40), _SELLS: events(60), denials("default", "low_confidence"): events(60)},
        below={
            _BTC: events(50),
            _SELLS: events(50),
            denials("default", "low_confidence"): events(50),
            requests("unknown"): events(4),
            denials("unknown", "low_confidence"): events(4),
        },
        fires="1m",
        resolved="17m",
        labels={"job": "fillpath", "source": "default"},
        description="60% of the requests of source default were refused for low confidence within 15 minutes.",
    ),
    Case(
        alert="HighActiveRequests",
        fault={of(c.ACTIVE_REQUESTS): level(250, "5m", rest=3)},
        below={of(c.ACTIVE_REQUESTS): level(100, "5m", rest=3)},
        fires="3m",
        resolved="7m",
        labels={"job": "fillpath"},
        description="250 webhook requests are in flight; above 100 they come in faster than they are answered.",
    ),
)

_SYMBOLS = {
    requests("default", f"{base}/USDT", "buy"): events(1) for base in ("ADA", "BNB", "DOT", "ETH", "LTC", "SOL")
}

SPECIAL = (
    Special(
        alert="WebhookSignatureFailures",
        claim="silent when the metrics come back after an outage of theirs",
        series={
            _BTC: gone(flat(900), START - 20, START + 12),
            _FAILED: gone(flat(500), START - 20, START + 12),
            requests("default"): gone(flat(500), START - 20, START + 12),
        },
        firing=[(f"{minutes}m", False) for minutes in (1, 4, 5, 8, 9)],
    ),
    Special(
        alert="WebhookSignatureFailures",
        claim="the first requests of new symbols count as requests",
        series={
            **{selector: gone(values, 0, START) for selector, values in _SYMBOLS.items()},
            _BTC: events(5),
            _FAILED: events(10),
            requests("default"): gone(events(10), 0, START),
        },
        firing=[("1m", False)],
    ),
    Special(
        alert="HighWebhookLatency",
        claim="silent when a restart sets the buckets back",
        series=histogram(_DURATION, _ACCEPTED, {0.005: lambda i: 2 * (i if i < START else i - START)}),
        firing=[("1m", False), ("6m", False), ("11m", False)],
    ),
)
