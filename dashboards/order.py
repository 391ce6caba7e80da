"""The dashboard `execution-order`: one order's traces, the chosen trace step by step, and its log lines."""

from __future__ import annotations

from typing import Any

from dashboards import sdk
from dashboards.boards import Row, board
from dashboards.links import SERVICE
from dashboards.panels import GREEN, Panel
from dashboards.sdk import Builder, Dataquery, common_models, logs, loki_query, models, table
from dashboards.variables import JAEGER, LOKI, data_source, text
from telemetry import conventions as c

UID = "execution-order"

# As `fillpath logs` asks: a line names the order in one of these.
_LOG_FIELDS = ("order_id", "client_order_id", "exchange_order_id", "reference")


class JaegerQuery(Dataquery):
    """A query of Grafana's Jaeger data source, which the SDK does not have."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def to_json(self) -> dict[str, Any]:
        return {"refId": "A", "datasource": JAEGER, **self._fields}


class _JaegerBuilder(Builder[Dataquery]):
    def __init__(self, **fields: Any) -> None:
        self._query = JaegerQuery(**fields)

    def build(self) -> Dataquery:
        return self._query


class _TracePanel(Builder[models.Panel]):
    """Grafana's panel of one trace, which the SDK does not have either."""

    def build(self) -> models.Panel:
        return models.Panel(
            type_val="traces",
            title="Trace",
            description=(
                "Every step of the chosen trace with its duration.\n\n"
                "Choose one above, or put a trace id into the field Trace."
            ),
            datasource=JAEGER,
            targets=[JaegerQuery(query="${trace}")],
            grid_pos=models.GridPos(h=18, w=24, x=0, y=0),
            field_config=models.FieldConfigSource(defaults=models.FieldConfig(unit="µs")),
            options={},
        )


def _traces() -> Panel:
    show = sdk.dashboard.DashboardLink("Show this trace").url(
        f"/d/{UID}?${{order:queryparam}}&${{jaeger:queryparam}}&${{loki:queryparam}}"
        "&var-trace=${__data.fields.traceID}&from=${__from}&to=${__to}"
    )
    search = _JaegerBuilder(queryType="search", service=SERVICE, tags=f'{c.ATTR_ORDER_ID}="${{order}}"', limit=20)
    return (
        table.Panel()
        .title("Traces of this order")
        .description(
            "The order's own trace, and the short ones of alerts that were answered from its first answer.\n\n"
            "Durations have no limit here: an order that rests has a long trace."
        )
        .datasource(JAEGER)
        .targets([search])
        .unit("µs")
        .thresholds(sdk.dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(_NO_LIMIT))
        .override_by_name("Trace ID", [models.DynamicConfigValue(id_val="links", value=[show.build()])])
        .span(24)
        .height(6)
    )


def _log_lines() -> Panel:
    wanted = " or ".join(f"{field}=`${{order}}`" for field in _LOG_FIELDS)
    return (
        logs.Panel()
        .title("Log lines")
        .description(
            "What the service logged about this order, from Loki.\n\n"
            "Without Loki, `fillpath logs ORDER_ID` reads the same lines from the collector's file."
        )
        .datasource(LOKI)
        .targets(
            [
                loki_query.Dataquery()
                .datasource(LOKI)
                .expr(f'{{service_name=~".+"}} | {wanted}')
                .query_type("range")
                .ref_id("A")
            ]
        )
        .unit("string")
        .show_time(True)  # noqa: FBT003 - the SDK's signature
        .wrap_log_message(True)  # noqa: FBT003 - the SDK's signature
        .sort_order(common_models.LogsSortOrder.ASCENDING)
        .span(24)
        .height(10)
    )


_NO_LIMIT = [models.Threshold(value=None, color=GREEN)]


def dashboard() -> models.Dashboard:
    return board(
        UID,
        "Execution of one order",
        "One order by its id: its traces in Jaeger and its log lines in Loki, where there is one.",
        variables=[
            data_source("jaeger", "jaeger", "Traces"),
            data_source("loki", "loki", "Logs"),
            text("order", "Order id", description="As `fillpath orders` and every answer show it."),
            text("trace", "Trace", description="Filled in by a click on a trace."),
        ],
        rows=[Row("Order ${order}", [_traces(), _TracePanel(), _log_lines()])],
        refresh="",
        time_from="now-24h",
    )
