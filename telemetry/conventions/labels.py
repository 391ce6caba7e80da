"""Every label with its values: closed lists, values from the settings, and the two that are bounded.

The reasons repeat the lists of the service's core, which telemetry does not import; a test holds them equal.
"""

from __future__ import annotations

from telemetry.conventions.instruments import OTHER, UNKNOWN, Bounded, Configured, Label

EXTRA_SYMBOLS = 30
EXTRA_ADDRESSES = 50

DENIALS_BEFORE_AUTHENTICATION = (
    "address",
    "rate_limited",
    "too_large",
    "body_timeout",
    "malformed",
    "signature",
    "operator_token",
)
DENIALS_OF_THE_ALERT = (
    "key_reused",
    "invalid_field",
    "unknown_field",
    "not_a_number",
    "account_not_allowed",
    "unknown_symbol",
    "ambiguous_symbol",
    "stale",
    "in_future",
    "low_confidence",
    "order_type_unsupported",
    "protection_unsupported",
    "reduce_only_unsupported",
    "position_unsupported",
    "price_band",
    "below_minimum",
    "above_maximum",
    "no_market_data",
    "halted",
)
DENIALS_OF_OURS = ("journal_unavailable", "overloaded", "shutting_down")
DENIAL_REASONS = (
    *DENIALS_BEFORE_AUTHENTICATION,
    *DENIALS_OF_THE_ALERT,
    "insufficient_balance",
    *DENIALS_OF_OURS,
)
# What a check between the journal and the exchange can find; settings may have changed across a restart.
DENIALS_AFTER_JOURNAL = (
    "insufficient_balance",
    "invalid_field",
    "account_not_allowed",
    "unknown_symbol",
    "order_type_unsupported",
    "reduce_only_unsupported",
    "position_unsupported",
    "price_band",
    "below_minimum",
    "above_maximum",
    "no_market_data",
    "halted",
)
EXPIRY_REASONS = ("max_age", "price_drift", "no_market_data", "halted", "breaker_open")
REJECT_REASONS = (
    "insufficient_funds",
    "invalid_order",
    "duplicate_client_order_id",
    "market_closed",
    "not_permitted",
    "other",
)
ENDPOINTS = (
    "create_order",
    "cancel_order",
    "look_up",
    "fetch_balances",
    "fetch_positions",
    "fetch_quote",
    "open_orders",
    "fills_since",
    "fetch_time",
)
ALERT_FIELDS = (
    "symbol",
    "side",
    "action",
    "target_position",
    "target_quantity",
    "order_type",
    "quantity",
    "quote_amount",
    "equity_percent",
    "risk_percent",
    "atr",
    "atr_multiple",
    "price",
    "stop_price",
    "stop_loss",
    "take_profit",
    "confidence",
    "timestamp",
    "source",
    "account",
    "id",
    "tag",
    "comment",
    "reduce_only",
)
SIGNALS = ("traces", "metrics", "logs")
DROP_REASONS = (
    "sampling",
    "queue_full",
    "export_failed",
    "invalid_value",
    "invalid_labels",
    "no_usd_conversion",
    "held_overflow",
    "read_failed",
    "internal_error",
    "shutdown",
)

BOOLEANS = ("true", "false")

SOURCE = Label("source", values=(UNKNOWN,), configured=Configured.SOURCE)
EXCHANGE = Label("exchange", configured=Configured.EXCHANGE)
# The journal's word for all accounts at once is "*".
ACCOUNT = Label("account", values=("*",), configured=Configured.ACCOUNT)
VERSION = Label("version", configured=Configured.VERSION)
SYMBOL = Label("symbol", values=(OTHER, UNKNOWN), bounded=Bounded.SYMBOL, extra=EXTRA_SYMBOLS)
CLIENT_IP = Label("client_ip", values=(OTHER, UNKNOWN), bounded=Bounded.CLIENT_IP, extra=EXTRA_ADDRESSES)

SIDE = Label("side", values=("buy", "sell"))
# An alert may be refused, and an order may end, before anybody knows which way it trades.
SIDE_IF_KNOWN = Label("side", values=("buy", "sell", UNKNOWN))
ORDER_TYPE = Label("order_type", values=("market", "limit", "stop_loss", "take_profit"))
FINAL_STATUS = Label("status", values=("FILLED", "DENIED", "REJECTED", "CANCELED", "EXPIRED", "ABSENT"))
WEBHOOK_STATUS = Label("status", values=("accepted", "duplicate", "refused", "error"))
# "refused" is an answer; "error" is none that could be used; "in_doubt" may have had an effect.
CALL_STATUS = Label("status", values=("ok", "refused", "error", "in_doubt"))
DENIAL_REASON = Label("reason", values=DENIAL_REASONS)
VALIDATION_REASON = Label("reason", values=(*DENIALS_OF_THE_ALERT, "insufficient_balance", *DENIALS_OF_OURS))
FAILURE_REASON = Label(
    "reason", values=tuple(dict.fromkeys((*DENIALS_AFTER_JOURNAL, *EXPIRY_REASONS, *REJECT_REASONS, "absent")))
)
EXPIRY_REASON = Label("reason", values=EXPIRY_REASONS)
DROP_REASON = Label("reason", values=DROP_REASONS)
SIZING_METHOD = Label("method", values=("fixed_percentage", "risk_based", "volatility_adjusted", "explicit"))
ALLOWED = Label("allowed", values=BOOLEANS)
ON_TIME = Label("on_time", values=BOOLEANS)
BREAKER_STATES = ("closed", "half_open", "open")
FROM_STATE = Label("from_state", values=BREAKER_STATES)
TO_STATE = Label("to_state", values=BREAKER_STATES)
AUDIT_EVENT = Label("event_type", values=("authentication", "operator_action", "configuration_load"))
AUDIT_RESULT = Label("result", values=("success", "failure"))
VALIDATION_TYPE = Label(
    "validation_type", values=("missing", "type", "range", "not_a_number", "unknown_field", "conflict")
)
FIELD = Label("field", values=(*ALERT_FIELDS, "unknown_field"))
NORMALIZATION = Label(
    "operation_type", values=("symbol", "number_from_string", "nan_replaced", "timestamp", "enum_case", "rounded")
)
ENDPOINT = Label("endpoint", values=ENDPOINTS)
ERROR_TYPE = Label(
    "error_type",
    values=(
        "transport",
        "timeout",
        "server_error",
        "rate_limited",
        "clock_skew",
        "authentication",
        "invalid_response",
        "refused",
        "other",
    ),
)
ORDER_OUTCOME = Label("outcome", values=("accepted", "rejected", "denied", "expired", "canceled", "absent", UNKNOWN))
ATTEMPT_OUTCOME = Label("outcome", values=("accepted", "refused", "not_executed", "in_doubt"))
# One look-up round: "not_found" is an answer before absence can be proven, "absent" after it.
RECONCILIATION_OUTCOME = Label("outcome", values=("found", "not_found", "unanswered", "absent", "resent"))
FINDING_KIND = Label("kind", values=("missing_at_exchange", "missing_in_journal", "impossible_transition", "foreign"))
SIGNAL = Label("signal", values=SIGNALS)
