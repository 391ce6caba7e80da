"""What the user chooses on a dashboard, and the hidden variables that links need."""

from __future__ import annotations

from dashboards.links import RUNBOOKS
from dashboards.sdk import Builder, common_models, dashboard, models
from telemetry import conventions as c

Variable = Builder[models.VariableModel]

PROMETHEUS = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
JAEGER = common_models.DataSourceRef(type_val="jaeger", uid="${jaeger}")
LOKI = common_models.DataSourceRef(type_val="loki", uid="${loki}")

_OF = {
    "exchange": c.EXCHANGE_CONNECTIONS,
    "source": c.ALERT_ACKS,
    "symbol": c.WEBHOOK_REQUESTS,
}
"""The metric whose values of the label are offered; of the first two the series are there from the start."""


def data_source(name: str, kind: str, label: str, *, hidden: bool = False) -> Variable:
    """A data source of one kind; the first one, which for our provisioning is the only one, is chosen."""
    made = (
        dashboard.DatasourceVariable(name)
        .label(label)
        .type(kind)
        .current(models.VariableOption(selected=True, text=label, value=kind))
    )
    return made.hide(models.VariableHide.HIDE_VARIABLE) if hidden else made


def label_values(label: str) -> Variable:
    """Values of one label, several at once; "All" also takes in those that only appear later."""
    query = f"label_values({_OF[label].prometheus_name}, {label})"
    return (
        dashboard.QueryVariable(label)
        .label(label.capitalize())
        .datasource(PROMETHEUS)
        .query({"query": query, "refId": f"variable-{label}"})
        .definition(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)  # noqa: FBT003 - the SDK's signature
        .include_all(True)  # noqa: FBT003 - the SDK's signature
        .all_value(".*")
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def text(name: str, label: str, value: str = "", *, description: str = "", hidden: bool = False) -> Variable:
    made = (
        dashboard.TextBoxVariable(name)
        .label(label)
        .default_value(value)
        .current(models.VariableOption(selected=True, text=value, value=value))
    )
    if description:
        made = made.description(description)
    return made.hide(models.VariableHide.HIDE_VARIABLE) if hidden else made


def metrics() -> Variable:
    return data_source("datasource", "prometheus", "Data source")


def for_links() -> list[Variable]:
    """What the links of panels lead by; nothing to choose."""
    return [
        data_source("jaeger", "jaeger", "Jaeger", hidden=True),
        text("runbooks", "Runbooks", RUNBOOKS, description="Where the runbooks are served.", hidden=True),
    ]
