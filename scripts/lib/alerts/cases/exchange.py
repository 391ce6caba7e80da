"""What the rules of exchange.yml are shown."""

from __future__ import annotations

from scripts.lib.alerts.cases.case import Case, Special
from scripts.lib.alerts.cases.series import events, flat, level
from scripts.lib.alerts.cases.world import api_calls, of
from telemetry import conventions as c

_LABELS = {"job": "fillpath", "exchange": "okx-main"}
_OKX, _PAPER = of(c.EXCHANGE_CONNECTIONS, exchange="okx-main"), of(c.EXCHANGE_CONNECTIONS, exchange="paper")
_BREAKER = of(c.CIRCUIT_BREAKER_STATE, exchange="okx-main")
_HELD = of(c.CIRCUIT_BREAKER_REJECTIONS, exchange="okx-main")
_LIMITED = of(c.EXCHANGE_RATE_LIMITS, exchange="okx-main")

CASES = (
    Case(
        alert="NoExchangeConnections",
        fault={_OKX: level(0, "4m", rest=1)},
        below={_OKX: level(0, "90s", rest=1)},
        fires="3m",
        resolved="5m",
        labels={"job": "fillpath"},
        description="None of the exchanges has answered a call or a probe within 60 s (connected: 0).",
    ),
    Case(
        alert="CircuitBreakerOpen",
        fault={_BREAKER: level(2, "1m")},
        below={_BREAKER: level(1, "10m")},
        fires="1m",
        resolved="4m",
        labels=_LABELS,
        description="The circuit breaker of okx-main is open (state 2), or was within 2 minutes: "
        "no entries are sent there.",
    ),
    Case(
        alert="HighCircuitBreakerRejections",
        fault={_HELD: events(5)},
        below={_HELD: events(4)},
        fires="1m",
        resolved="12m",
        labels=_LABELS,
        description="5 orders for okx-main were stopped by its circuit breaker within 10 minutes.",
    ),
    Case(
        alert="ExchangeAPIErrors",
        fault={
            api_calls("ok"): events(45),
            api_calls("refused"): flat(),
            api_calls("error"): events(3),
            api_calls("in_doubt"): events(2),
        },
        below={
            api_calls("ok"): events(55),
            api_calls("refused"): events(40),
            api_calls("error"): events(5),
            api_calls("ok", exchange="paper"): events(6),
            api_calls("error", exchange="paper"): events(4),
        },
        fires="1m",
        resolved="7m",
        labels=_LABELS,
        description="10% of the calls to okx-main within 5 minutes had no usable answer.",
    ),
    Case(
        alert="ExchangeRateLimitHit",
        fault={_LIMITED: events(3)},
        below={_LIMITED: events(2)},
        fires="1m",
        resolved="7m",
        labels=_LABELS,
        description="okx-main refused 3 calls within 5 minutes because of its own rate limit.",
    ),
)

SPECIAL = (
    Special(
        alert="CircuitBreakerOpen",
        claim="fires for two minutes though the breaker is half open in between",
        series={_BREAKER: level(2, "15s", rest=1)},
        firing=[("0s", False), ("15s", True), ("105s", True), ("3m", False)],
        labels=_LABELS,
    ),
    Special(
        alert="NoExchangeConnections",
        claim="silent where only the paper exchange is configured",
        series={_PAPER: flat(1)},
        firing=[("3m", False), ("10m", False)],
    ),
    Special(
        alert="NoExchangeConnections",
        claim="silent while another exchange answers",
        series={_OKX: flat(0), of(c.EXCHANGE_CONNECTIONS, exchange="bybit-main"): flat(1)},
        firing=[("3m", False), ("10m", False)],
    ),
)
