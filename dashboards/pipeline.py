"""The dashboard `execution-pipeline`: every alert's way, from the webhook to the exchange."""

from __future__ import annotations

from dashboards.boards import Row, board
from dashboards.links import WEBHOOK, Traces
from dashboards.panels import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    About,
    Panel,
    Target,
    dial,
    list_of,
    pie,
    states,
    time_series,
)
from dashboards.promql import RANGE, Queries, any_of
from dashboards.sdk import models
from dashboards.variables import for_links, label_values, metrics
from telemetry import conventions as c

UID = "execution-pipeline"

_q = Queries("exchange", "symbol", "source")
_FAILED = any_of("rejected", "denied", "absent", "unknown")
_BREAKER = {0: ("closed", GREEN), 1: ("half open", YELLOW), 2: ("open", RED)}
_EXECUTE = Traces(c.SPAN_ORDER_EXECUTE)
_CREATE = Traces(c.SPAN_EXCHANGE_CREATE_ORDER)


def _request_rate() -> Panel:
    about = About(
        title="Request rate",
        description="Webhook requests a second by source, whatever became of them.",
        unit="reqps",
        steps=[(None, GREEN), (50, ORANGE)],
        meaning="50/s is the limit of a source that sets none of its own; above its limit a source is answered 503.",
        rules=("ServiceDown", "HighActiveRequests"),
        traces=Traces(WEBHOOK),
        width=9,
        height=7,
    )
    return time_series(about, Target(_q.or_zero(_q.rate(c.WEBHOOK_REQUESTS, "source"), "source"), "{{source}}"))


def _success_rate() -> Panel:
    accepted = _q.growth(c.ORDER_OUTCOMES, outcome="accepted")
    about = About(
        title="Success rate",
        description="Share of the acknowledged orders that the exchange took, over the time shown.",
        unit="percentunit",
        steps=[(None, RED), (0.8, ORANGE), (0.95, GREEN)],
        meaning="Below 80% the alert rule HighOrderFailureRate fires; 95% is the target.",
        rules=("HighOrderFailureRate", "NoOrdersExecuted"),
        traces=_EXECUTE,
        width=5,
        height=7,
    )
    return dial(about, Target(f"{accepted} / {_q.growth(c.ORDER_OUTCOMES)}", ""), highest=1, nothing="no orders")


def _active_requests() -> Panel:
    about = About(
        title="Active requests",
        description="Requests being worked on now; those that only wait for an outcome are not counted.",
        unit="short",
        steps=[(None, GREEN), (50, YELLOW), (100, RED)],
        meaning="Above 100 for two minutes is the alert rule HighActiveRequests.",
        rules=("HighActiveRequests",),
        traces=Traces(WEBHOOK),
        width=5,
        height=7,
    )
    return dial(about, Target(_q.or_zero(_q.amount(c.ACTIVE_REQUESTS)), ""), highest=150)


def _pipeline_latency() -> Panel:
    about = About(
        title="Pipeline latency P95",
        description="Alert received to the first known outcome; 95% of the orders of the time shown were faster.",
        unit="s",
        steps=[(None, GREEN), (1, YELLOW), (5, RED)],
        meaning="Above 5 s is the alert rule HighPipelineLatency; 1 s is slow for an exchange that answers.",
        rules=("HighPipelineLatency",),
        traces=Traces(WEBHOOK),
        width=5,
        height=7,
    )
    return dial(about, Target(_q.quantile(0.95, c.PIPELINE_LATENCY, window=RANGE), ""), highest=10)


def _processing_duration() -> Panel:
    about = About(
        title="Processing duration",
        description="First byte of a webhook to its commit or refusal, by source: 95% and half of them were faster.",
        unit="s",
        steps=[(None, GREEN), (0.1, RED)],
        meaning="Above 100 ms for five minutes is the alert rule HighWebhookLatency.",
        rules=("HighWebhookLatency",),
        traces=Traces(WEBHOOK),
        width=8,
    )
    return time_series(
        about,
        Target(_q.quantile(0.95, c.WEBHOOK_PROCESSING_DURATION, "source"), "P95 {{source}}", exemplars=True),
        Target(_q.quantile(0.5, c.WEBHOOK_PROCESSING_DURATION, "source"), "P50 {{source}}"),
    )


def _validation_failures() -> Panel:
    refused = _q.some(_q.rate(c.WEBHOOK_VALIDATION_FAILURES, "reason"), "reason")
    about = About(
        title="Validation failures by reason",
        description="Authenticated requests refused for what they said, a second; reasons without any are left out.",
        unit="reqps",
        steps=[(None, BLUE)],
        meaning="No limit of its own: what counts is the share, 20% of a source's requests in the alert rule.",
        rules=("WebhookValidationFailureRate", "HighValidationErrorRate"),
        traces=Traces(WEBHOOK, {c.ATTR_HTTP_RESPONSE_STATUS_CODE: "422"}),
        width=8,
    )
    return time_series(about, Target(refused, "{{reason}}"), Target(_q.rate(c.WEBHOOK_VALIDATION_FAILURES), "all"))


def _signature_failures() -> Panel:
    about = About(
        title="Signature failures",
        description="Requests that were not authenticated, a second, by the source they named.",
        unit="reqps",
        steps=[(None, GREEN), (10 / 300, RED)],
        meaning="The line is 10 in five minutes: the alert rule, once they are half of the source's requests.",
        rules=("WebhookSignatureFailures",),
        traces=Traces(WEBHOOK, {c.ATTR_DENIAL_REASON: "signature"}),
        width=8,
    )
    return time_series(about, Target(_q.rate(c.WEBHOOK_SIGNATURE_FAILURES, "source"), "{{source}}"))


def _execution_duration() -> Panel:
    about = About(
        title="Execution duration P95 and average",
        description="Dequeue of an order to its first known outcome, never the time it rests at the exchange.",
        unit="s",
        steps=[(None, GREEN), (5, RED)],
        meaning="P95 above 5 s is the alert rule SlowOrderExecution.",
        rules=("SlowOrderExecution",),
        traces=_EXECUTE,
        width=8,
    )
    return time_series(
        about,
        Target(_q.quantile(0.95, c.ORDER_DURATION, "exchange"), "P95 {{exchange}}", exemplars=True),
        Target(_q.average(c.ORDER_DURATION, "exchange"), "average {{exchange}}"),
    )


def _failure_rate() -> Panel:
    failed = _q.rate(c.ORDER_OUTCOMES, "exchange", outcome=_FAILED)
    about = About(
        title="Failure rate by exchange",
        description="Share of orders that were rejected, denied, absent, or of unknown outcome after 30 s.",
        unit="percentunit",
        steps=[(None, GREEN), (0.2, RED)],
        meaning="Above 20%, with at least 3 such orders, is the alert rule HighOrderFailureRate.",
        rules=("HighOrderFailureRate", "OrdersAbsent"),
        traces=Traces(c.SPAN_ORDER_EXECUTE, {c.ATTR_ORDER_STATUS: "DENIED"}),
        width=8,
    )
    share = f"{failed} / {_q.rate(c.ORDER_OUTCOMES, 'exchange')}"
    return time_series(about, Target(_q.or_zero(share, "exchange"), "{{exchange}}"))


def _size_distribution() -> Panel:
    about = About(
        title="Size distribution P50 and P95",
        description="What orders were worth in USD; orders without a conversion are counted as dropped telemetry.",
        unit="currencyUSD",
        steps=[(None, BLUE)],
        meaning="No limit of its own: `max_notional` of a source is the one that refuses.",
        rules=("HighOrderFailureRate",),
        traces=Traces(c.SPAN_ORDER_SIZE),
        width=8,
    )
    return time_series(
        about,
        Target(_q.quantile(0.95, c.ORDER_SIZE_USD, "exchange"), "P95 {{exchange}}"),
        Target(_q.quantile(0.5, c.ORDER_SIZE_USD, "exchange"), "P50 {{exchange}}"),
    )


def _limited_addresses() -> Panel:
    limited = f"topk(10, {_q.growth_of_new(c.RATE_LIMIT_REJECTIONS, 'client_ip')})"
    about = About(
        title="Top rate-limited addresses",
        description="The ten addresses with the most requests refused by a limit in the time shown.",
        unit="short",
        steps=[(None, GREEN), (50, RED)],
        meaning="50 in five minutes is the alert rule HighRateLimitRejections.",
        rules=("HighRateLimitRejections", "UnauthorizedIPAttempts"),
        traces=Traces(WEBHOOK, {c.ATTR_DENIAL_REASON: "rate_limited"}),
        width=8,
    )
    target = Target(_q.some(limited, "client_ip"), "{{client_ip}}")
    return list_of(about, target, columns={"client_ip": "Address"}, value="Refused")


def _breaker_state() -> Panel:
    about = About(
        title="Circuit breaker state",
        description="Whether orders are sent: closed sends all, half open tries one, open holds entries back.",
        unit="short",
        steps=[(None, GREEN), (1, YELLOW), (2, RED)],
        meaning="Open is the alert rule CircuitBreakerOpen.",
        rules=("CircuitBreakerOpen", "HighCircuitBreakerRejections"),
        traces=_CREATE,
        width=8,
    )
    return states(about, Target(_q.worst(c.CIRCUIT_BREAKER_STATE, "exchange"), "{{exchange}}"), _BREAKER)


def _audit_events() -> Panel:
    events = _q.growth_of_new(c.AUDIT_EVENTS, "event_type", "result")
    about = About(
        title="Audit events",
        description="Authentications, operator actions and configuration loads in the time shown, by result.",
        unit="short",
        steps=[(None, BLUE)],
        meaning="No limit of its own: failures are watched by the rules of the runbooks linked here.",
        rules=("WebhookSignatureFailures", "UnauthorizedIPAttempts"),
        traces=Traces(c.SPAN_WEBHOOK_AUTHENTICATE),
        width=8,
    )
    return pie(about, Target(_q.or_zero(events), "{{event_type}} {{result}}"))


def _api_latency() -> Panel:
    about = About(
        title="API latency",
        description="Calls of the exchange's interface: 95% were faster.",
        unit="s",
        steps=[(None, GREEN), (1, YELLOW), (5, RED)],
        meaning="An order call above 5 s shows in the alert rule SlowOrderExecution; 1 s is slow for an exchange.",
        rules=("SlowOrderExecution", "HighPipelineLatency"),
        traces=_CREATE,
        width=9,
    )
    found = _q.quantile(0.95, c.EXCHANGE_API_DURATION, "exchange", "endpoint")
    return time_series(about, Target(found, "{{exchange}} {{endpoint}}", exemplars=True))


def _error_rate() -> Panel:
    errors = _q.rate(c.EXCHANGE_API_CALLS, "exchange", status=any_of("error", "in_doubt"))
    about = About(
        title="Error rate",
        description="Share of the exchange's calls without a usable answer; a refusal is an answer.",
        unit="percentunit",
        steps=[(None, GREEN), (0.05, RED)],
        meaning="Above 5%, with at least 5 failed calls, is the alert rule ExchangeAPIErrors.",
        rules=("ExchangeAPIErrors", "ExchangeRateLimitHit"),
        traces=Traces(c.SPAN_EXCHANGE_CREATE_ORDER, {c.ATTR_EXCHANGE_OUTCOME: "in_doubt"}),
        width=9,
    )
    share = f"{errors} / {_q.rate(c.EXCHANGE_API_CALLS, 'exchange')}"
    return time_series(about, Target(_q.or_zero(share, "exchange"), "{{exchange}}"))


def _connections() -> Panel:
    about = About(
        title="Connections",
        description="1 where a call or a probe was answered within the last minute, else 0; the paper exchange is 1.",
        unit="short",
        steps=[(None, RED), (1, GREEN)],
        meaning="0 at every exchange other than paper for two minutes is the alert rule NoExchangeConnections.",
        rules=("NoExchangeConnections",),
        traces=_CREATE,
        width=6,
    )
    return dial(about, Target(_q.worst(c.EXCHANGE_CONNECTIONS, "exchange"), "{{exchange}}"), highest=1)


def dashboard() -> models.Dashboard:
    return board(
        UID,
        "Execution pipeline",
        "Every alert's way: webhook, order, exchange, and what was refused on it.",
        variables=[
            metrics(),
            label_values("exchange"),
            label_values("symbol"),
            label_values("source"),
            *for_links(),
        ],
        rows=[
            Row("Overview", [_request_rate(), _success_rate(), _active_requests(), _pipeline_latency()]),
            Row("Webhooks", [_processing_duration(), _validation_failures(), _signature_failures()]),
            Row("Orders", [_execution_duration(), _failure_rate(), _size_distribution()]),
            Row("Security", [_limited_addresses(), _breaker_state(), _audit_events()]),
            Row("Exchange health", [_api_latency(), _error_rate(), _connections()]),
        ],
    )
