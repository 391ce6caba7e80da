"""Every metric of the contract, also those that nothing produces yet.

A constant's name is the Prometheus name without `execution_`, the unit and `_total`.
"""

from __future__ import annotations

import telemetry.conventions.labels as label
from telemetry.conventions.instruments import (
    Across,
    Counter,
    Gauge,
    Histogram,
    Instrument,
    Owner,
    Unit,
    UpDownCounter,
)

# Edges stay below 1e6: text and OpenMetrics write larger ones differently.
BUCKETS_REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
BUCKETS_EXCHANGE = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
BUCKETS_FILL_LATENCY = (*BUCKETS_EXCHANGE, 3600.0, 86400.0)
BUCKETS_SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
BUCKETS_USD = (10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10000.0, 50000.0, 100000.0, 500000.0)
BUCKETS_PERCENT = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0)
BUCKETS_BATCH = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
BUCKETS_BPS = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0)

# --- webhooks
WEBHOOK_REQUESTS = Counter(
    "execution.webhook.requests",
    Unit.REQUEST,
    "Requests, each at its answer; symbol and side are unknown before authentication, a side also after it.",
    (label.SOURCE, label.SYMBOL, label.SIDE_IF_KNOWN),
)
WEBHOOK_PROCESSING_DURATION = Histogram(
    "execution.webhook.processing_duration",
    Unit.SECOND,
    "First byte to commit or refusal; the wait that a sender asked for is excluded.",
    (label.SOURCE, label.WEBHOOK_STATUS),
    buckets=BUCKETS_REQUEST,
)
WEBHOOK_VALIDATION_FAILURES = Counter(
    "execution.webhook.validation_failures",
    Unit.REQUEST,
    "Requests refused after authentication, once each.",
    (label.SOURCE, label.VALIDATION_REASON),
)
WEBHOOK_SIGNATURE_FAILURES = Counter(
    "execution.webhook.signature_failures",
    Unit.REQUEST,
    "Requests that failed authentication, once each.",
    (label.SOURCE,),
)
WEBHOOK_CONFIDENCE_FILTERED = Counter(
    "execution.webhook.confidence_filtered",
    Unit.ALERT,
    "Alerts refused because their confidence was too low.",
    (label.SOURCE, label.SYMBOL),
)
WEBHOOK_STALE_REJECTED = Counter(
    "execution.webhook.stale_rejected",
    Unit.ALERT,
    "Alerts refused because their timestamp was too old.",
    (label.SOURCE, label.SYMBOL),
)
ACTIVE_REQUESTS = UpDownCounter(
    "execution.active_requests", Unit.REQUEST, "Requests in flight; those that only wait for an outcome are excluded."
)

# --- orders
ORDERS = Counter(
    "execution.orders",
    Unit.ORDER,
    "Orders, each once, at its final state; the side is unknown of one that ended before it was sized.",
    (label.EXCHANGE, label.SYMBOL, label.SIDE_IF_KNOWN, label.ORDER_TYPE, label.FINAL_STATUS),
    cardinality_limit=15_000,
)
ORDER_DURATION = Histogram(
    "execution.order.duration",
    Unit.SECOND,
    "Dequeue to the first known outcome; never resting time.",
    (label.EXCHANGE, label.ORDER_TYPE),
    buckets=BUCKETS_EXCHANGE,
)
ORDER_FAILURES = Counter(
    "execution.order.failures",
    Unit.ORDER,
    "Orders that failed, each once, never an attempt.",
    (label.EXCHANGE, label.SYMBOL, label.FAILURE_REASON),
    cardinality_limit=6_000,
)
ORDER_SIZE_USD = Histogram(
    "execution.order.size_usd",
    Unit.USD,
    "Order size in USD, once an order; orders without a conversion are counted as dropped.",
    (label.EXCHANGE, label.SYMBOL, label.SIDE),
    buckets=BUCKETS_USD,
)
POSITION_SIZE_PCT = Histogram(
    "execution.position.size_pct",
    Unit.PERCENT,
    "Order size in percent of equity, once an order.",
    (label.SIZING_METHOD,),
    buckets=BUCKETS_PERCENT,
)

# --- security
RATE_LIMIT_REQUESTS = Counter(
    "execution.rate_limit.requests",
    Unit.REQUEST,
    "Requests that a rate limit looked at.",
    (label.CLIENT_IP, label.ALLOWED),
)
RATE_LIMIT_REJECTIONS = Counter(
    "execution.rate_limit.rejections", Unit.REQUEST, "Requests that a rate limit refused.", (label.CLIENT_IP,)
)
CIRCUIT_BREAKER_STATE = Gauge(
    "execution.circuit_breaker.state",
    Unit.STATE,
    "0 closed, 1 half open, 2 open.",
    (label.EXCHANGE,),
    owner=Owner.EXECUTOR,
    across=Across.MAX,
)
CIRCUIT_BREAKER_TRANSITIONS = Counter(
    "execution.circuit_breaker.transitions",
    Unit.TRANSITION,
    "Changes of a circuit breaker's state.",
    (label.EXCHANGE, label.FROM_STATE, label.TO_STATE),
)
CIRCUIT_BREAKER_REJECTIONS = Counter(
    "execution.circuit_breaker.rejections",
    Unit.ORDER,
    "Orders held or expired by an open breaker, each once.",
    (label.EXCHANGE,),
)
IP_WHITELIST_CHECKS = Counter(
    "execution.ip_whitelist.checks",
    Unit.CHECK,
    "Addresses compared with a source's list.",
    (label.CLIENT_IP, label.ALLOWED),
)
IP_WHITELIST_REJECTIONS = Counter(
    "execution.ip_whitelist.rejections", Unit.REQUEST, "Requests from an address not listed.", (label.CLIENT_IP,)
)
AUDIT_EVENTS = Counter(
    "execution.audit.events",
    Unit.EVENT,
    "Authentications, operator actions and configuration loads.",
    (label.AUDIT_EVENT, label.CLIENT_IP, label.AUDIT_RESULT),
)

# --- validation
VALIDATION_ERRORS = Counter(
    "execution.validation.errors",
    Unit.FIELD,
    "Fields that were wrong, each once.",
    (label.VALIDATION_TYPE, label.FIELD),
)
NORMALIZATION_OPERATIONS = Counter(
    "execution.normalization.operations",
    Unit.OPERATION,
    "Values that were brought into our form.",
    (label.NORMALIZATION,),
)
NAN_REPLACEMENTS = Counter(
    "execution.nan_replacements",
    Unit.FIELD,
    "NaN in optional fields, taken as absent.",
    (label.FIELD,),
)
PIPELINE_LATENCY = Histogram(
    "execution.pipeline.latency",
    Unit.SECOND,
    "Alert received to the first known outcome.",
    buckets=BUCKETS_EXCHANGE,
)

# --- exchange
EXCHANGE_CONNECTIONS = Gauge(
    "execution.exchange.connections",
    Unit.STATE,
    "1 if a call or a 30 s probe was answered within 60 s, else 0; the paper exchange is always 1.",
    (label.EXCHANGE,),
    owner=Owner.EXECUTOR,
    across=Across.MAX,
)
EXCHANGE_API_CALLS = Counter(
    "execution.exchange.api_calls",
    Unit.CALL,
    "Calls of the exchange's interface, at their answer or its absence.",
    (label.EXCHANGE, label.ENDPOINT, label.CALL_STATUS),
)
EXCHANGE_API_DURATION = Histogram(
    "execution.exchange.api_duration",
    Unit.SECOND,
    "Duration of calls of the exchange's interface.",
    (label.EXCHANGE, label.ENDPOINT),
    buckets=BUCKETS_EXCHANGE,
)
EXCHANGE_ERRORS = Counter(
    "execution.exchange.errors",
    Unit.FAILURE,
    "Calls that failed, by kind of failure.",
    (label.EXCHANGE, label.ERROR_TYPE),
)
EXCHANGE_RATE_LIMITS = Counter(
    "execution.exchange.rate_limits", Unit.CALL, "Calls that the exchange's own limit refused.", (label.EXCHANGE,)
)

# --- what the promises need
ORDER_OUTCOMES = Counter(
    "execution.order.outcomes",
    Unit.ORDER,
    "Acknowledged orders, each once: at its outcome, or at 30 s as unknown, whichever is first.",
    (label.EXCHANGE, label.ORDER_OUTCOME, label.ON_TIME),
)
ALERT_ACKS = Counter(
    "execution.alert.acks",
    Unit.ALERT,
    "Well-formed, authenticated alerts, the 503 included; on time is 250 ms.",
    (label.SOURCE, label.ON_TIME),
)
ORDER_ATTEMPTS = Counter(
    "execution.order.attempts",
    Unit.OPERATION,
    "Order requests to an exchange, by what became of them.",
    (label.EXCHANGE, label.ATTEMPT_OUTCOME),
)
ORDERS_IN_DOUBT = Gauge(
    "execution.orders.in_doubt",
    Unit.ORDER,
    "Orders of which nobody knows whether the exchange has them.",
    (label.EXCHANGE,),
    owner=Owner.EXECUTOR,
)
ORDERS_IN_DOUBT_OLDEST = Gauge(
    "execution.orders.in_doubt_oldest",
    Unit.SECOND,
    "Age of the oldest order in doubt; 0 when there is none.",
    (label.EXCHANGE,),
    owner=Owner.EXECUTOR,
    across=Across.MAX,
)
ORDER_RECONCILIATIONS = Counter(
    "execution.order.reconciliations",
    Unit.OPERATION,
    "Look-up rounds of orders in doubt, by their result.",
    (label.EXCHANGE, label.RECONCILIATION_OUTCOME),
)
RECONCILIATION_FINDINGS = Gauge(
    "execution.reconciliation.findings",
    Unit.ORDER,
    "Orders with our id that only one side knows; others at the exchange are foreign.",
    (label.EXCHANGE, label.FINDING_KIND),
    owner=Owner.EXECUTOR,
)
ORDERS_EXPIRED_UNSENT = Counter(
    "execution.orders.expired_unsent",
    Unit.ORDER,
    "Acknowledged orders that ended before they were sent.",
    (label.EXCHANGE, label.EXPIRY_REASON),
)
ORDERS_OPEN = Gauge(
    "execution.orders.open", Unit.ORDER, "Orders resting at the exchange.", (label.EXCHANGE,), owner=Owner.EXECUTOR
)
DUPLICATE_ALERTS = Counter(
    "execution.duplicate_alerts", Unit.ALERT, "Alerts answered from their first answer.", (label.SOURCE,)
)
DENIALS = Counter(
    "execution.denials",
    Unit.REQUEST,
    "Refusals, each once, before or after the journal; replays excluded.",
    (label.SOURCE, label.DENIAL_REASON),
)
ACK_DURATION = Histogram(
    "execution.ack.duration",
    Unit.SECOND,
    "First byte to the durable answer.",
    (label.SOURCE,),
    buckets=BUCKETS_REQUEST,
)
FILL_LATENCY = Histogram(
    "execution.fill.latency",
    Unit.SECOND,
    "Alert received to the last fill.",
    (label.EXCHANGE, label.ORDER_TYPE),
    buckets=BUCKETS_FILL_LATENCY,
)
SLIPPAGE_ADVERSE_BPS = Histogram(
    "execution.slippage.adverse_bps",
    Unit.BASIS_POINT,
    "Fill worse than the price at arrival.",
    (label.EXCHANGE, label.SIDE),
    buckets=BUCKETS_BPS,
)
SLIPPAGE_FAVOURABLE_BPS = Histogram(
    "execution.slippage.favourable_bps",
    Unit.BASIS_POINT,
    "Fill at least as good as the price at arrival.",
    (label.EXCHANGE, label.SIDE),
    buckets=BUCKETS_BPS,
)
FEES_USD = Counter("execution.fees_usd", Unit.USD, "Fees paid.", (label.EXCHANGE,))
REBATES_USD = Counter("execution.rebates_usd", Unit.USD, "Rebates received.", (label.EXCHANGE,))
JOURNAL_COMMIT_DURATION = Histogram(
    "execution.journal.commit_duration",
    Unit.SECOND,
    "One group commit, to the disk.",
    buckets=BUCKETS_SHORT,
)
JOURNAL_BATCH_SIZE = Histogram(
    "execution.journal.batch_size", Unit.WRITE, "Writes that shared one commit.", buckets=BUCKETS_BATCH
)
JOURNAL_BACKLOG = Gauge(
    "execution.journal.backlog", Unit.ORDER, "Orders acknowledged and not yet sent.", owner=Owner.EXECUTOR
)
JOURNAL_OLDEST_PENDING = Gauge(
    "execution.journal.oldest_pending",
    Unit.SECOND,
    "Age of the oldest order acknowledged and not yet sent; 0 when there is none.",
    owner=Owner.EXECUTOR,
    across=Across.MAX,
)
JOURNAL_WRITABLE = Gauge(
    "execution.journal.writable",
    Unit.STATE,
    "1 if the last write or probe reached the disk, else 0.",
    owner=Owner.JOURNAL,
    across=Across.MIN,
    zero_at_start=False,
)
JOURNAL_FREE = Gauge(
    "execution.journal.free",
    Unit.BYTE,
    "Free space where the journal is.",
    owner=Owner.JOURNAL,
    across=Across.MIN,
    zero_at_start=False,
)
KILL_SWITCH_ENGAGED = Gauge(
    "execution.kill_switch.engaged",
    Unit.STATE,
    "0 off, 1 reducing, 2 stop; account * is the switch for all.",
    (label.ACCOUNT,),
    owner=Owner.EXECUTOR,
    across=Across.MAX,
)
EXCHANGE_CLOCK_SKEW = Gauge(
    "execution.exchange.clock_skew",
    Unit.SECOND,
    "The exchange's clock minus ours.",
    (label.EXCHANGE,),
    owner=Owner.EXECUTOR,
    across=Across.MAX,
)
EVENT_LOOP_LAG = Histogram(
    "execution.event_loop.lag", Unit.SECOND, "How late a timer of the event loop ran.", buckets=BUCKETS_SHORT
)
TELEMETRY_DROPPED = Counter(
    "execution.telemetry.dropped",
    Unit.ITEM,
    "Spans, metric records and log records that were not delivered.",
    (label.SIGNAL, label.DROP_REASON),
)
TELEMETRY_QUEUE_ITEMS = Gauge(
    "execution.telemetry.queue_items", Unit.ITEM, "Spans and log records that wait for export.", (label.SIGNAL,)
)
HEARTBEAT_TIMESTAMP = Gauge(
    "execution.heartbeat.timestamp",
    Unit.SECOND,
    "Unix time of the last executor turn.",
    owner=Owner.EXECUTOR,
    across=Across.MIN,
    zero_at_start=False,
)
BUILD_INFO = Gauge(
    "execution.build.info", Unit.INFO, "Always 1.", (label.VERSION,), across=Across.MAX, zero_at_start=False
)

INSTRUMENTS: tuple[Instrument, ...] = tuple(value for value in globals().values() if isinstance(value, Instrument))
"""All of them, in the order of the contract."""
