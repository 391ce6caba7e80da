"""The dashboard `execution-telemetry`: whether what others show is whole, and the service's health."""

from __future__ import annotations

from dashboards.boards import Row, board
from dashboards.links import WEBHOOK, Traces
from dashboards.panels import BLUE, GREEN, ORANGE, RED, YELLOW, About, Panel, Target, dial, states, time_series
from dashboards.promql import WINDOW, Queries
from dashboards.sdk import models
from dashboards.variables import for_links, metrics
from telemetry import conventions as c

UID = "execution-telemetry"

COLLECTOR_METRICS = (
    "otelcol_exporter_enqueue_failed_",
    "otelcol_exporter_queue_capacity",
    "otelcol_exporter_queue_size",
    "otelcol_exporter_send_failed_",
    "otelcol_process_memory_rss",
    "otelcol_process_uptime",
    "otelcol_receiver_accepted_",
    "otelcol_receiver_failed_",
    "otelcol_receiver_refused_",
    "up",
)
"""Metrics of the collector about itself, and Prometheus' own `up`: the only ones here that are not ours. A name that
ends in `_` has one metric for each of `SIGNALS`."""

SIGNALS = ("spans", "metric_points", "log_records")

_q = Queries()
_WEBHOOK = Traces(WEBHOOK)
_COMMIT = Traces(c.SPAN_JOURNAL_APPEND)
_COLLECTOR = "sum by (job) (otelcol_process_uptime)"
_UP = {0: ("down", RED), 1: ("up", GREEN)}
_LOST = ("receiver_refused", "receiver_failed", "exporter_send_failed", "exporter_enqueue_failed")


def _of_collector(kind: str, signal: str) -> str:
    """A counter of the collector, a second; it exists only after its first event."""
    return f"(sum by (job) (rate(otelcol_{kind}_{signal}[{WINDOW}])) or 0 * {_COLLECTOR})"


def _queues() -> Panel:
    about = About(
        title="Waiting for export",
        description="Spans and log records of the service that wait for their export, by signal.",
        unit="short",
        steps=[(None, GREEN), (4096, ORANGE), (8192, RED)],
        meaning="8192 is what a queue holds, 32768 under ./scripts/stack; above it the oldest are dropped and counted.",
        rules=("TelemetryDropped", "CollectorDown"),
        traces=_WEBHOOK,
        width=8,
    )
    return time_series(about, Target(_q.amount(c.TELEMETRY_QUEUE_ITEMS, "signal"), "{{signal}}"))


def _dropped() -> Panel:
    dropped = _q.some(_q.rate(c.TELEMETRY_DROPPED, "signal", "reason"), "reason")
    about = About(
        title="Dropped by the service",
        description="Spans, metric records and log records that are not delivered, a second, by reason.",
        unit="ops",
        steps=[(None, GREEN), (1 / 600, ORANGE)],
        meaning="One in ten minutes is the alert rule TelemetryDropped; sampling and no_usd_conversion are meant.",
        rules=("TelemetryDropped",),
        traces=_WEBHOOK,
        width=8,
    )
    return time_series(about, Target(dropped, "{{signal}} {{reason}}"), Target(_q.rate(c.TELEMETRY_DROPPED), "all"))


def _heartbeat() -> Panel:
    about = About(
        title="Executor's last turn",
        description="Seconds since the executor last went round.",
        unit="s",
        steps=[(None, GREEN), (30, ORANGE), (60, RED)],
        meaning="Above 60 s is the alert rule ServiceDown.",
        rules=("ServiceDown",),
        traces=_WEBHOOK,
        width=8,
    )
    return time_series(about, Target(f"time() - {_q.least(c.HEARTBEAT_TIMESTAMP)}", "age"))


def _received() -> Panel:
    about = About(
        title="Received by the collector",
        description="What the collector took in, a second, by signal.",
        unit="ops",
        steps=[(None, BLUE)],
        meaning="No limit: what is refused is the next panel's.",
        rules=("CollectorDown",),
        traces=_WEBHOOK,
        width=8,
    )
    targets = [Target(_of_collector("receiver_accepted", signal), signal.replace("_", " ")) for signal in SIGNALS]
    return time_series(about, *targets)


def _lost() -> Panel:
    about = About(
        title="Refused or failed at the collector",
        description="What the collector did not take, or could not pass on, a second, by signal.",
        unit="ops",
        steps=[(None, GREEN), (1 / 600, ORANGE)],
        meaning="One in ten minutes is the alert rule TelemetryDropped.",
        rules=("TelemetryDropped", "CollectorDown"),
        traces=_WEBHOOK,
        width=8,
    )
    targets = [
        Target(" + ".join(_of_collector(kind, signal) for kind in _LOST), signal.replace("_", " "))
        for signal in SIGNALS
    ]
    return time_series(about, *targets)


def _collector_queues() -> Panel:
    size, capacity = (f"sum by (job, exporter) (otelcol_exporter_queue_{what})" for what in ("size", "capacity"))
    about = About(
        title="Collector's queues",
        description="How full the queues on disk are, by exporter.",
        unit="percentunit",
        steps=[(None, GREEN), (0.5, ORANGE), (0.9, RED)],
        meaning="Half full means that what is behind does not keep up; a full queue refuses.",
        rules=("TelemetryDropped",),
        traces=_WEBHOOK,
        width=8,
    )
    return time_series(about, Target(f"{size} / {capacity}", "{{exporter}}"))


def _up() -> Panel:
    about = About(
        title="Scrapes",
        description="Whether Prometheus reaches the service and the collector.",
        unit="short",
        steps=[(None, RED), (1, GREEN)],
        meaning="Down for a minute is the alert rule ServiceDown or CollectorDown.",
        rules=("ServiceDown", "CollectorDown"),
        traces=_WEBHOOK,
        width=8,
    )
    return states(about, Target('min by (job) (up{job=~"service|collector"})', "{{job}}"), _UP)


def _collector_memory() -> Panel:
    about = About(
        title="Collector's memory",
        description="Resident memory of the collector.",
        unit="bytes",
        steps=[(None, GREEN), (384 * 2**20, ORANGE), (512 * 2**20, RED)],
        meaning="From 384 MiB on it refuses for a while, which the service counts; 512 MiB is its limit.",
        rules=("CollectorDown",),
        traces=_WEBHOOK,
        width=8,
    )
    return time_series(about, Target("sum by (job) (otelcol_process_memory_rss)", "resident"))


def _version() -> Panel:
    about = About(
        title="Version",
        description="Which version of the service reports; two during an update.",
        unit="short",
        steps=[(None, BLUE)],
        meaning="No limit.",
        rules=("ServiceDown",),
        traces=_WEBHOOK,
        width=8,
    )
    return time_series(about, Target(_q.amount(c.BUILD_INFO, "version"), "{{version}}"))


def _commit_duration() -> Panel:
    about = About(
        title="Journal commits",
        description="One group commit to the disk: 95% and half of them were faster.",
        unit="s",
        steps=[(None, GREEN), (0.05, ORANGE), (0.25, RED)],
        meaning="An alert waits for at least one; at 250 ms its acknowledgement is late.",
        rules=("AlertAcksBudgetBurn", "JournalUnwritable"),
        traces=_COMMIT,
        width=8,
    )
    return time_series(
        about,
        Target(_q.quantile(0.95, c.JOURNAL_COMMIT_DURATION), "P95"),
        Target(_q.quantile(0.5, c.JOURNAL_COMMIT_DURATION), "P50"),
    )


def _pending() -> Panel:
    about = About(
        title="Oldest acknowledged, not sent",
        description="Age of the oldest order that is acknowledged and not yet sent.",
        unit="s",
        steps=[(None, GREEN), (5, YELLOW), (60, RED)],
        meaning="Above 60 s is the alert rule AcknowledgedNotExecuted.",
        rules=("AcknowledgedNotExecuted",),
        traces=_COMMIT,
        width=8,
    )
    return time_series(about, Target(_q.worst(c.JOURNAL_OLDEST_PENDING), "oldest"))


def _journal_disk() -> Panel:
    about = About(
        title="Journal writable",
        description="1 if the last write or probe reached the disk, else 0.",
        unit="short",
        steps=[(None, RED), (1, GREEN)],
        meaning="0 for 30 s is the alert rule JournalUnwritable.",
        rules=("JournalUnwritable",),
        traces=_COMMIT,
        width=4,
    )
    return dial(about, Target(_q.least(c.JOURNAL_WRITABLE), ""), highest=1)


def _free() -> Panel:
    about = About(
        title="Free where the journal is",
        description="Free space on the journal's disk.",
        unit="bytes",
        steps=[(None, RED), (2**30, ORANGE), (10 * 2**30, GREEN)],
        meaning="An order takes a few kilobytes; below 1 GiB make room.",
        rules=("JournalUnwritable",),
        traces=_COMMIT,
        width=4,
    )
    return dial(about, Target(_q.least(c.JOURNAL_FREE), ""), highest=100 * 2**30)


def _loop_lag() -> Panel:
    about = About(
        title="Event loop lag",
        description="How late a timer of the service ran: 95% and half of them were earlier.",
        unit="s",
        steps=[(None, GREEN), (0.05, ORANGE), (0.25, RED)],
        meaning="All requests wait that long; at 250 ms acknowledgements are late.",
        rules=("HighWebhookLatency", "AlertAcksBudgetBurn"),
        traces=_WEBHOOK,
        width=8,
    )
    return time_series(
        about,
        Target(_q.quantile(0.95, c.EVENT_LOOP_LAG), "P95"),
        Target(_q.quantile(0.5, c.EVENT_LOOP_LAG), "P50"),
    )


def dashboard() -> models.Dashboard:
    return board(
        UID,
        "Execution telemetry",
        "Whether what the other dashboards show is whole, and the health of service, collector and journal.",
        variables=[metrics(), *for_links()],
        rows=[
            Row("Service", [_queues(), _dropped(), _heartbeat()]),
            Row("Collector", [_received(), _lost(), _collector_queues(), _up(), _collector_memory(), _version()]),
            Row("Journal and event loop", [_commit_duration(), _pending(), _journal_disk(), _free(), _loop_lag()]),
        ],
    )
