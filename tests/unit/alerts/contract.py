"""The contract's alert rules as data: what the rule files are compared with."""

from __future__ import annotations

from typing import NamedTuple


class Promise(NamedTuple):
    """One entry: numbers compared with, windows, `for`; `variant` where a rule has several entries."""

    severity: str
    thresholds: tuple[str, ...]
    windows: frozenset[str] = frozenset()
    hold: str = ""


def _promise(severity: str, *thresholds: str, windows: str = "", hold: str = "") -> Promise:
    return Promise(severity, thresholds, frozenset(windows.split()), hold)


ASKED = {
    "WebhookSignatureFailures": _promise("critical", ">= 10", ">= 0.5", windows="5m"),
    "HighOrderFailureRate": _promise("critical", "> 0.2", ">= 3", windows="10m"),
    "CircuitBreakerOpen": _promise("critical", "== 2", windows="2m"),
    "UnauthorizedIPAttempts": _promise("critical", ">= 5", windows="5m"),
    "NoExchangeConnections": _promise("critical", "== 0", hold="2m"),
    "HighWebhookLatency": _promise("warning", "> 0.1", windows="5m", hold="5m"),
    "WebhookValidationFailureRate": _promise("warning", "> 0.2", ">= 5", windows="10m"),
    "SlowOrderExecution": _promise("warning", "> 5", windows="10m"),
    "HighRateLimitRejections": _promise("warning", ">= 50", windows="5m"),
    "HighCircuitBreakerRejections": _promise("warning", ">= 5", windows="10m"),
    "HighPipelineLatency": _promise("warning", "> 5", windows="10m"),
    "ExchangeAPIErrors": _promise("warning", "> 0.05", ">= 5", windows="5m"),
    "ExchangeRateLimitHit": _promise("warning", ">= 3", windows="5m"),
    "HighConfidenceFilterRate": _promise("info", "> 0.5", ">= 5", windows="15m"),
    "NoOrdersExecuted": _promise("info", "> 0", "> 0", windows="15m"),
    "HighActiveRequests": _promise("info", "> 100", hold="2m"),
    "HighValidationErrorRate": _promise("info", ">= 50", windows="10m"),
    "HighNaNReplacementRate": _promise("info", ">= 10", windows="10m"),
}
"""The 18 as asked."""

BEYOND = {
    "ServiceDown (unreachable)": _promise("critical", "== 0", hold="1m"),
    "ServiceDown (stuck)": _promise("critical", "> 60"),
    "CollectorDown": _promise("critical", "== 0", hold="1m"),
    "OrdersInDoubt": _promise("critical", "> 60"),
    "OrdersAbsent": _promise("critical", ">= 1", windows="15m"),
    "AcknowledgedNotExecuted": _promise("critical", "> 60"),
    "ExchangeMismatch": _promise("critical", "> 0", hold="1m"),
    "JournalUnwritable": _promise("critical", "== 0", hold="30s"),
    "OrderOutcomesBudgetBurn (1h)": _promise("critical", "> 14.4 * 0.005", "> 14.4 * 0.005", ">= 3", windows="1h 5m"),
    "OrderOutcomesBudgetBurn (6h)": _promise("critical", "> 6 * 0.005", "> 6 * 0.005", ">= 3", windows="6h 30m"),
    "AlertAcksBudgetBurn (1h)": _promise("critical", "> 14.4 * 0.001", "> 14.4 * 0.001", ">= 3", windows="1h 5m"),
    "AlertAcksBudgetBurn (6h)": _promise("critical", "> 6 * 0.001", "> 6 * 0.001", ">= 3", windows="6h 30m"),
    "OrdersExpired": _promise("warning", ">= 1", windows="10m"),
    "KillSwitchEngaged": _promise("warning", "> 0"),
    "ClockSkew": _promise("warning", "> 1", hold="2m"),
    "TelemetryDropped": _promise("warning", ">= 1", ">= 1", windows="10m"),
    "HighStaleWebhookRate": _promise("info", "> 0.1", ">= 3", windows="15m"),
    "Watchdog": _promise("info"),
}

ALL = ASKED | BEYOND

NAMED = {
    "WebhookSignatureFailures": {"execution_webhook_signature_failures_total", "execution_webhook_requests_total"},
    "HighOrderFailureRate": {'outcome=~"rejected|denied|absent|unknown"'},
    "CircuitBreakerOpen": {"max_over_time(execution_circuit_breaker_state["},
    "UnauthorizedIPAttempts": {'reason=~"address|operator_token"'},
    "NoExchangeConnections": {'execution_exchange_connections{exchange!="paper"}'},
    "HighWebhookLatency": {"histogram_quantile(0.95, sum by (job, le)"},
    "WebhookValidationFailureRate": {'reason="malformed"', "execution_webhook_validation_failures_total"},
    "SlowOrderExecution": {"histogram_quantile(0.95, sum by (job, exchange, le)"},
    "HighRateLimitRejections": {'reason="rate_limited"'},
    "HighPipelineLatency": {"histogram_quantile(0.95, sum by (job, le)"},
    "ExchangeAPIErrors": {'status=~"error|in_doubt"', "execution_exchange_api_calls_total"},
    "HighConfidenceFilterRate": {'reason="low_confidence"'},
    "NoOrdersExecuted": {'outcome="accepted"'},
    "ServiceDown (unreachable)": {'up{job="service"}', 'absent(up{job="service"})'},
    "ServiceDown (stuck)": {"time() - min by (job) (execution_heartbeat_timestamp_seconds)"},
    "CollectorDown": {'up{job="collector"}', 'absent(up{job="collector"})'},
    "OrdersAbsent": {'outcome="absent"', "execution_order_reconciliations_total"},
    "ExchangeMismatch": {'kind!="foreign"'},
    "ClockSkew": {"abs(execution_exchange_clock_skew_seconds)"},
    "TelemetryDropped": {'reason!~"sampling|no_usd_conversion"', "receiver_(refused|failed)"},
    "HighStaleWebhookRate": {'reason="stale"'},
    "OrderOutcomesBudgetBurn (1h)": {'on_time="false"', "execution_order_outcomes_total"},
    "OrderOutcomesBudgetBurn (6h)": {'on_time="false"', "execution_order_outcomes_total"},
    "AlertAcksBudgetBurn (1h)": {'on_time="false"', "execution_alert_acks_total"},
    "AlertAcksBudgetBurn (6h)": {'on_time="false"', "execution_alert_acks_total"},
}
"""What each condition must say, itself or in what it reads, beside its numbers."""
