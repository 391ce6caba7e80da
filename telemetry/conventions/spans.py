"""Every span, event and attribute name, each with what it means."""

from __future__ import annotations

SPAN_WEBHOOK_ADDRESS = "webhook.address"
SPAN_WEBHOOK_LIMIT = "webhook.limit"
SPAN_WEBHOOK_SIZE = "webhook.size"
SPAN_WEBHOOK_DECODE = "webhook.decode"
SPAN_WEBHOOK_AUTHENTICATE = "webhook.authenticate"
SPAN_WEBHOOK_IDEMPOTENCY = "webhook.idempotency"
SPAN_WEBHOOK_SOURCE_LIMIT = "webhook.source_limit"
SPAN_ORDER_VALIDATE = "order.validate"
SPAN_ORDER_NORMALIZE = "order.normalize"
SPAN_ORDER_CHECK_RISK = "order.check_risk"
SPAN_JOURNAL_APPEND = "journal.append"
SPAN_ORDER_EXECUTE = "order.execute"
SPAN_EXCHANGE_LIMIT = "exchange.limit"
SPAN_ORDER_SIZE = "order.size"
SPAN_EXCHANGE_CREATE_ORDER = "exchange.create_order"
SPAN_EXCHANGE_CANCEL_ORDER = "exchange.cancel_order"
SPAN_EXCHANGE_LOOK_UP = "exchange.look_up"
SPAN_EXCHANGE_FETCH_BALANCES = "exchange.fetch_balances"
SPAN_EXCHANGE_FETCH_POSITIONS = "exchange.fetch_positions"
SPAN_EXCHANGE_FETCH_QUOTE = "exchange.fetch_quote"
SPAN_EXCHANGE_OPEN_ORDERS = "exchange.open_orders"
SPAN_EXCHANGE_FILLS_SINCE = "exchange.fills_since"
SPAN_EXCHANGE_FETCH_TIME = "exchange.fetch_time"
SPAN_ORDER_RECONCILE = "order.reconcile"
SPAN_ORDER_UPDATE = "order.update"
SPAN_ORDER_RESUME = "order.resume"
SPAN_NOTIFY = "notify"

ROUTE_WEBHOOK = "/webhook/{source}"


def server_span_name(source: str) -> str:
    """The SERVER span of a webhook: the route's template, whatever the source, so that names stay few."""
    del source
    return f"POST {ROUTE_WEBHOOK}"


def exchange_span_name(endpoint: str) -> str:
    """The INTERNAL span of an exchange call; `endpoint` is a value of the label `endpoint`."""
    return f"exchange.{endpoint}"


def client_span_name(method: str) -> str:
    """The CLIENT span of the HTTP request below an exchange call: the method alone, as HTTP conventions ask."""
    return method


SPANS = {
    server_span_name(""): "SERVER: one webhook, first byte to answer; the root of an order's trace",
    SPAN_WEBHOOK_ADDRESS: "the sender's address against the source's list",
    SPAN_WEBHOOK_LIMIT: "the address's limit of failed requests",
    SPAN_WEBHOOK_SIZE: "reading the body, within its size and time",
    SPAN_WEBHOOK_DECODE: "the body's JSON",
    SPAN_WEBHOOK_AUTHENTICATE: "signature or token",
    SPAN_WEBHOOK_IDEMPOTENCY: "whether the alert was seen before",
    SPAN_WEBHOOK_SOURCE_LIMIT: "the source's limit of new alerts",
    SPAN_ORDER_VALIDATE: "every field of the alert",
    SPAN_ORDER_NORMALIZE: "the alert in our words: symbol, market, account",
    SPAN_ORDER_CHECK_RISK: "static limits, price band, kill switch",
    SPAN_JOURNAL_APPEND: "one write, until it is on disk",
    SPAN_ORDER_EXECUTE: "dequeue to the first known outcome or IN_DOUBT",
    SPAN_EXCHANGE_LIMIT: "waiting for the limiter's slot",
    SPAN_ORDER_SIZE: "balance, price, drift, minimum, age, kill switch",
    SPAN_EXCHANGE_CREATE_ORDER: "one attempt to place the order",
    SPAN_EXCHANGE_CANCEL_ORDER: "one attempt to cancel the order",
    SPAN_EXCHANGE_LOOK_UP: "asking for the order by client order id",
    SPAN_EXCHANGE_FETCH_BALANCES: "reading balances",
    SPAN_EXCHANGE_FETCH_POSITIONS: "reading positions",
    SPAN_EXCHANGE_FETCH_QUOTE: "reading best bid and ask",
    SPAN_EXCHANGE_OPEN_ORDERS: "reading open orders",
    SPAN_EXCHANGE_FILLS_SINCE: "reading own executions",
    SPAN_EXCHANGE_FETCH_TIME: "reading the exchange's clock",
    SPAN_ORDER_RECONCILE: "one look-up round of an order in doubt",
    SPAN_ORDER_UPDATE: "one change seen while following",
    SPAN_ORDER_RESUME: "one restart that continues the order; linked to the last journaled span",
    SPAN_NOTIFY: "one outbound notification; the service sends none",
}
"""Name and meaning. CLIENT spans of HTTP requests are named by their method and are not listed."""

ATTR_HTTP_REQUEST_METHOD = "http.request.method"
ATTR_HTTP_ROUTE = "http.route"
ATTR_HTTP_RESPONSE_STATUS_CODE = "http.response.status_code"
ATTR_URL_PATH = "url.path"
ATTR_URL_SCHEME = "url.scheme"
ATTR_URL_FULL = "url.full"
ATTR_CLIENT_ADDRESS = "client.address"
ATTR_SERVER_ADDRESS = "server.address"
ATTR_SERVER_PORT = "server.port"
ATTR_ERROR_TYPE = "error.type"
ATTR_DB_SYSTEM_NAME = "db.system.name"
ATTR_DB_OPERATION_NAME = "db.operation.name"
ATTR_JOURNAL_COMMIT_ID = "journal.commit.id"
ATTR_JOURNAL_BATCH_SIZE = "journal.batch.size"
ATTR_WEBHOOK_SOURCE = "webhook.source"
ATTR_ORDER_ID = "order.id"
ATTR_ORDER_CLIENT_ORDER_ID = "order.client_order_id"
ATTR_ORDER_EXCHANGE_ORDER_ID = "order.exchange_order_id"
ATTR_EXCHANGE_ID = "exchange.id"
ATTR_ACCOUNT_ID = "account.id"
ATTR_ORDER_SYMBOL = "order.symbol"
ATTR_ORDER_SIDE = "order.side"
ATTR_ORDER_TYPE = "order.type"
ATTR_ORDER_STATUS = "order.status"
ATTR_ORDER_FILLED_QUANTITY = "order.filled_quantity"
ATTR_ORDER_AVERAGE_PRICE = "order.average_price"
ATTR_ORDER_FEE = "order.fee"
ATTR_DENIAL_REASON = "denial.reason"
ATTR_EXCHANGE_ENDPOINT = "exchange.endpoint"
ATTR_EXCHANGE_ATTEMPT = "exchange.attempt"
ATTR_EXCHANGE_REQUEST_SENT = "exchange.request.sent"
ATTR_EXCHANGE_OUTCOME = "exchange.outcome"
ATTR_TRANSITION_FROM = "from"
ATTR_TRANSITION_TO = "to"
ATTR_EXCEPTION_TYPE = "exception.type"
ATTR_EXCEPTION_MESSAGE = "exception.message"
ATTR_FILLPATH_REBUILT = "fillpath.rebuilt"

ATTRIBUTES = {
    ATTR_HTTP_REQUEST_METHOD: "SERVER, CLIENT",
    ATTR_HTTP_ROUTE: "SERVER: the route's template",
    ATTR_HTTP_RESPONSE_STATUS_CODE: "SERVER, CLIENT; a 4xx of ours leaves the span's status unset",
    ATTR_URL_PATH: "SERVER",
    ATTR_URL_SCHEME: "SERVER",
    ATTR_URL_FULL: "CLIENT: scheme, host and path, never the query",
    ATTR_CLIENT_ADDRESS: "SERVER: the sender's full address, by trusted proxies only",
    ATTR_SERVER_ADDRESS: "CLIENT",
    ATTR_SERVER_PORT: "CLIENT",
    ATTR_ERROR_TYPE: "only on failure",
    ATTR_DB_SYSTEM_NAME: "journal",
    ATTR_DB_OPERATION_NAME: "journal",
    ATTR_JOURNAL_COMMIT_ID: "the group commit that carried the write",
    ATTR_JOURNAL_BATCH_SIZE: "writes that shared the commit",
    ATTR_WEBHOOK_SOURCE: "SERVER: the configured source, or unknown",
    ATTR_ORDER_ID: "every span from order.normalize on",
    ATTR_ORDER_CLIENT_ORDER_ID: "every span from order.normalize on, where known",
    ATTR_ORDER_EXCHANGE_ORDER_ID: "on outcome",
    ATTR_EXCHANGE_ID: "every span from order.normalize on: the exchange's configured name",
    ATTR_ACCOUNT_ID: "every span from order.normalize on",
    ATTR_ORDER_SYMBOL: "every span from order.normalize on",
    ATTR_ORDER_SIDE: "every span from order.normalize on",
    ATTR_ORDER_TYPE: "every span from order.normalize on",
    ATTR_ORDER_STATUS: "on outcome",
    ATTR_ORDER_FILLED_QUANTITY: "on outcome; a decimal string, base units",
    ATTR_ORDER_AVERAGE_PRICE: "on outcome; a decimal string, quote units a base unit",
    ATTR_ORDER_FEE: "on outcome; a decimal string",
    ATTR_DENIAL_REASON: "on refusal",
    ATTR_EXCHANGE_ENDPOINT: "on an exchange call",
    ATTR_EXCHANGE_ATTEMPT: "on an exchange call, from 1",
    ATTR_EXCHANGE_REQUEST_SENT: "on an exchange call: whether the request's headers left",
    ATTR_EXCHANGE_OUTCOME: "on an exchange call",
    ATTR_TRANSITION_FROM: "on the event order.transition",
    ATTR_TRANSITION_TO: "on the event order.transition",
    ATTR_EXCEPTION_TYPE: "on the event exception: the qualified class name",
    ATTR_EXCEPTION_MESSAGE: "on the event exception: at most 256 characters, secrets redacted",
    ATTR_FILLPATH_REBUILT: "true on a span that was rebuilt from the journal",
}
"""Key and where it stands."""

ATTRIBUTES_OF_FOREIGN_TEXT = frozenset(
    {ATTR_URL_PATH, ATTR_URL_FULL, ATTR_SERVER_ADDRESS, ATTR_ERROR_TYPE, ATTR_EXCEPTION_TYPE, ATTR_EXCEPTION_MESSAGE}
)
"""Whose values others can write. All others hold our ids, closed words, configured names, numbers and addresses: the
collector looks for secrets in these only, which saves half of its CPU an order."""

EVENT_ORDER_TRANSITION = "order.transition"
EVENT_EXCEPTION = "exception"
EVENT_CANCELLED = "cancelled"

EVENTS = {
    EVENT_ORDER_TRANSITION: "a state transition, with from and to",
    EVENT_EXCEPTION: "an exception that passed through the span",
    EVENT_CANCELLED: "the task was cancelled; not an error",
}
