"""The dashboard `execution-quality`: what orders cost, how long they take, and what is not certain about them."""

from __future__ import annotations

from dashboards.boards import Row, board
from dashboards.links import WEBHOOK, Traces
from dashboards.panels import BLUE, GREEN, ORANGE, RED, YELLOW, About, Panel, Target, dial, time_series
from dashboards.promql import Match, Queries
from dashboards.sdk import models
from dashboards.variables import for_links, label_values, metrics
from telemetry import conventions as c

UID = "execution-quality"

_q = Queries("exchange", "symbol")
_EXECUTE = Traces(c.SPAN_ORDER_EXECUTE)
_RECONCILE = Traces(c.SPAN_ORDER_RECONCILE)


def _slippage(metric: c.Histogram, title: str, description: str) -> Panel:
    about = About(
        title=title,
        description=description,
        unit="short",
        steps=[(None, GREEN), (10, YELLOW), (100, RED)],
        meaning="In basis points (0.01%). 100 is `max_drift_bps`: no market entry is sent further from its arrival.",
        rules=("OrdersExpired",),
        traces=_EXECUTE,
        width=8,
    )
    return time_series(
        about,
        Target(_q.quantile(0.95, metric, "exchange"), "P95 {{exchange}}"),
        Target(_q.quantile(0.5, metric, "exchange"), "P50 {{exchange}}"),
    )


def _fees() -> Panel:
    about = About(
        title="Fees and rebates",
        description="USD paid and received in the time shown, by exchange.",
        unit="currencyUSD",
        steps=[(None, BLUE)],
        meaning="No limit: a cost, not a fault.",
        rules=("HighOrderFailureRate",),
        traces=_EXECUTE,
        width=8,
    )
    return dial(
        about,
        Target(_q.growth(c.FEES_USD, "exchange"), "fees {{exchange}}"),
        Target(_q.growth(c.REBATES_USD, "exchange"), "rebates {{exchange}}"),
        highest=1000,
    )


def _fill_latency() -> Panel:
    about = About(
        title="Fill latency",
        description="Alert received to the last fill, market orders by exchange: 95% and half of them were faster.",
        unit="s",
        steps=[(None, GREEN), (5, YELLOW), (30, RED)],
        meaning="A market entry that has waited 30 s is not sent any more; above 5 s the pipeline's alert rule fires.",
        rules=("HighPipelineLatency", "SlowOrderExecution"),
        traces=Traces(WEBHOOK),
        width=8,
    )
    return time_series(
        about,
        Target(_q.quantile(0.95, c.FILL_LATENCY, "exchange", order_type="market"), "P95 {{exchange}}", exemplars=True),
        Target(_q.quantile(0.5, c.FILL_LATENCY, "exchange", order_type="market"), "P50 {{exchange}}"),
    )


def _rested() -> Panel:
    about = About(
        title="Fill latency of resting orders",
        description="Alert received to the last fill of limits, stops and targets: half of them were faster.",
        unit="s",
        steps=[(None, BLUE)],
        meaning="No limit: such an order waits for its price.",
        rules=("HighPipelineLatency",),
        traces=Traces(c.SPAN_ORDER_UPDATE),
        width=8,
    )
    kept = Match("!=", ["market"])
    found = _q.quantile(0.5, c.FILL_LATENCY, "exchange", "order_type", order_type=kept)
    return time_series(about, Target(found, "{{exchange}} {{order_type}}", exemplars=True))


def _open() -> Panel:
    about = About(
        title="Open orders",
        description="Orders that rest at the exchange now.",
        unit="short",
        steps=[(None, BLUE)],
        meaning="No limit of ours; exchanges have one.",
        rules=("ExchangeMismatch",),
        traces=_EXECUTE,
        width=8,
    )
    return time_series(about, Target(_q.amount(c.ORDERS_OPEN, "exchange"), "{{exchange}}"))


def _in_doubt() -> Panel:
    about = About(
        title="Orders in doubt",
        description="Orders of which nobody knows whether the exchange has them.",
        unit="short",
        steps=[(None, GREEN), (1, ORANGE)],
        meaning="One is worth a look; how old it may get is the next panel's limit.",
        rules=("OrdersInDoubt", "OrdersAbsent"),
        traces=_RECONCILE,
        width=8,
    )
    return time_series(about, Target(_q.amount(c.ORDERS_IN_DOUBT, "exchange"), "{{exchange}}"))


def _oldest_in_doubt() -> Panel:
    about = About(
        title="Oldest order in doubt",
        description="How long the oldest order in doubt has been so; 0 when there is none.",
        unit="s",
        steps=[(None, GREEN), (60, RED)],
        meaning="Above 60 s is the alert rule OrdersInDoubt.",
        rules=("OrdersInDoubt",),
        traces=_RECONCILE,
        width=8,
    )
    return time_series(about, Target(_q.worst(c.ORDERS_IN_DOUBT_OLDEST, "exchange"), "{{exchange}}"))


def _reconciliations() -> Panel:
    about = About(
        title="Look-ups of orders in doubt",
        description="Rounds of looking up, a second, by their result.",
        unit="ops",
        steps=[(None, BLUE)],
        meaning="`absent` even once is the alert rule OrdersAbsent.",
        rules=("OrdersAbsent", "OrdersInDoubt"),
        traces=_RECONCILE,
        width=8,
    )
    return time_series(about, Target(_q.rate(c.ORDER_RECONCILIATIONS, "outcome"), "{{outcome}}"))


def _findings() -> Panel:
    about = About(
        title="Findings",
        description="Orders with our id that only one side knows, by kind; foreign orders are others' and left alone.",
        unit="short",
        steps=[(None, GREEN), (1, RED)],
        meaning="One of a kind other than foreign is the alert rule ExchangeMismatch.",
        rules=("ExchangeMismatch",),
        traces=_RECONCILE,
        width=8,
    )
    return time_series(about, Target(_q.amount(c.RECONCILIATION_FINDINGS, "exchange", "kind"), "{{exchange}} {{kind}}"))


def _expired() -> Panel:
    about = About(
        title="Expired unsent",
        description="Acknowledged orders that ended before they were sent, a second, by reason.",
        unit="ops",
        steps=[(None, GREEN), (1 / 600, ORANGE)],
        meaning="The line is one in ten minutes: the alert rule OrdersExpired.",
        rules=("OrdersExpired",),
        traces=Traces(c.SPAN_ORDER_EXECUTE, {c.ATTR_ORDER_STATUS: "EXPIRED"}),
        width=8,
    )
    return time_series(about, Target(_q.rate(c.ORDERS_EXPIRED_UNSENT, "reason"), "{{reason}}"), stacked=True)


def _late() -> Panel:
    late = _q.rate(c.ORDER_OUTCOMES, "exchange", on_time="false")
    about = About(
        title="Outcomes later than 30 s",
        description="Share of the acknowledged orders without a known outcome within 30 s.",
        unit="percentunit",
        steps=[(None, GREEN), (0.005, RED)],
        meaning="0.5% is what the objective of 99.5% allows; how fast it is used up pages.",
        rules=("OrderOutcomesBudgetBurn",),
        traces=_EXECUTE,
        width=8,
    )
    share = f"{late} / {_q.rate(c.ORDER_OUTCOMES, 'exchange')}"
    return time_series(about, Target(_q.or_zero(share, "exchange"), "{{exchange}}"))


def _final_states() -> Panel:
    about = About(
        title="Orders by final state",
        description="Orders a second, once each, at their final state; states without any are left out.",
        unit="ops",
        steps=[(None, BLUE)],
        meaning="No limit of its own: the failure rate on the pipeline's dashboard has one.",
        rules=("HighOrderFailureRate",),
        traces=_EXECUTE,
        width=8,
    )
    every = Target(_q.or_zero(_q.rate(c.ORDERS)), "all")
    return time_series(about, Target(_q.some(_q.rate(c.ORDERS, "status"), "status"), "{{status}}"), every)


def _failures() -> Panel:
    about = About(
        title="Failures by reason",
        description="Orders that failed, a second, once each; reasons without any are left out.",
        unit="ops",
        steps=[(None, BLUE)],
        meaning="No limit of its own: the failure rate on the pipeline's dashboard has one.",
        rules=("HighOrderFailureRate", "OrdersAbsent"),
        traces=Traces(c.SPAN_ORDER_EXECUTE, {c.ATTR_ORDER_STATUS: "DENIED"}),
        width=8,
    )
    every = Target(_q.or_zero(_q.rate(c.ORDER_FAILURES)), "all")
    return time_series(about, Target(_q.some(_q.rate(c.ORDER_FAILURES, "reason"), "reason"), "{{reason}}"), every)


def _attempts() -> Panel:
    about = About(
        title="Order requests by what became of them",
        description="Requests to place an order, a second; re-sends count again.",
        unit="ops",
        steps=[(None, BLUE)],
        meaning="`in_doubt` is what the panels above follow; the rest is certain.",
        rules=("ExchangeAPIErrors", "OrdersInDoubt"),
        traces=Traces(c.SPAN_EXCHANGE_CREATE_ORDER),
        width=8,
    )
    return time_series(about, Target(_q.rate(c.ORDER_ATTEMPTS, "outcome"), "{{outcome}}"))


def dashboard() -> models.Dashboard:
    return board(
        UID,
        "Execution quality",
        "What orders cost, how long they take, and what is not certain about them.",
        variables=[metrics(), label_values("exchange"), label_values("symbol"), *for_links()],
        rows=[
            Row(
                "Price",
                [
                    _slippage(c.SLIPPAGE_ADVERSE_BPS, "Adverse slippage", "Fills worse than the price at arrival."),
                    _slippage(
                        c.SLIPPAGE_FAVOURABLE_BPS,
                        "Favourable slippage",
                        "Fills at least as good as the price at arrival.",
                    ),
                    _fees(),
                ],
            ),
            Row("Time", [_fill_latency(), _rested(), _late()]),
            Row("In doubt", [_in_doubt(), _oldest_in_doubt(), _reconciliations()]),
            Row("Ends", [_final_states(), _failures(), _expired()]),
            Row("At the exchange", [_open(), _findings(), _attempts()]),
        ],
    )
