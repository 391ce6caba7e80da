"""The kinds of panels, each with all that every panel has to have: unit, description, thresholds, links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from dashboards import links
from dashboards.sdk import (
    Builder,
    common,
    common_models,
    dashboard,
    gauge,
    models,
    pie_models,
    piechart,
    prometheus,
    prometheus_models,
    statetimeline,
    table,
    timeseries,
)
from dashboards.variables import PROMETHEUS

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"

Panel = Builder[models.Panel]
AnyPanel = TypeVar("AnyPanel", timeseries.Panel, gauge.Panel, table.Panel, piechart.Panel, statetimeline.Panel)

Steps = Sequence[tuple[float | None, str]]
"""From which value on (None: from the lowest) which colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What every panel says: `meaning` is what the thresholds stand for; `rules` are those that watch the same."""

    title: str
    description: str
    unit: str
    steps: Steps
    meaning: str
    rules: tuple[str, ...]
    traces: links.Traces
    width: int
    height: int = 8

    @property
    def text(self) -> str:
        return f"{self.description}\n\n{self.meaning}"


@dataclass(frozen=True, slots=True)
class Target:
    """One query and the name of its series; `exemplars` mark single requests, each with its trace."""

    expression: str
    legend: str
    exemplars: bool = False


def time_series(about: About, *targets: Target, stacked: bool = False) -> Panel:
    """Lines over time, the thresholds as dashed lines."""
    dashed = common_models.GraphThresholdsStyleMode.DASHED
    panel = (
        _made(timeseries.Panel(), about)
        .targets([_query(target, chr(ord("A") + place)) for place, target in enumerate(targets)])
        .min(0)
        .line_width(1.5)
        .fill_opacity(25 if stacked else 8)
        .show_points(common_models.VisibilityMode.AUTO)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
    if len(about.steps) > 1:
        panel = panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(dashed))
    return panel


def dial(about: About, *targets: Target, highest: float, nothing: str | None = None) -> Panel:
    """A gauge of the value now, up to `highest`; `nothing` is shown for a quotient of no events."""
    panel = (
        _made(gauge.Panel(), about)
        .targets([_query(target, chr(ord("A") + place), instant=True) for place, target in enumerate(targets)])
        .min(0)
        .max(highest)
        .reduce_options(_last())
    )
    return panel if nothing is None else panel.mappings([_for_nothing(nothing)])


def list_of(about: About, target: Target, *, columns: dict[str, str], value: str) -> Panel:
    """A table of labels and a value; `columns` gives each label's heading, `value` the value's."""
    shown = {**columns, "Value": value}
    organize = models.DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": {"Time": True, "job": True},
            "renameByName": shown,
            "indexByName": {name: place for place, name in enumerate(shown)},
        },
    )
    query = _dataquery(target, "A").instant().format(prometheus_models.PromQueryFormat.TABLE)
    return (
        _made(table.Panel(), about)
        .targets([query])
        .decimals(0)
        .with_transformation(organize)
        .sort_by([common.TableSortByFieldState().display_name(value).desc(True)])  # noqa: FBT003 - the SDK's signature
    )


def pie(about: About, target: Target) -> Panel:
    """Shares of what was counted in the time shown."""
    legend = (
        piechart.PieChartLegendOptions()
        .show_legend(True)  # noqa: FBT003 - the SDK's signature
        .display_mode(common_models.LegendDisplayMode.TABLE)
        .placement(common_models.LegendPlacement.RIGHT)
        .values([pie_models.PieChartLegendValues.VALUE, pie_models.PieChartLegendValues.PERCENT])
    )
    return (
        _made(piechart.Panel(), about)
        .targets([_query(target, "A", instant=True)])
        .decimals(0)
        .pie_type(pie_models.PieChartType.DONUT)
        .reduce_options(_last())
        .legend(legend)
    )


def states(about: About, target: Target, names: dict[int, tuple[str, str]]) -> Panel:
    """Which state when; `names` gives each value its word and colour."""
    mapping = models.ValueMap(
        {
            str(value): models.ValueMappingResult(text=word, color=colour, index=value)
            for value, (word, colour) in names.items()
        }
    )
    return (
        _made(statetimeline.Panel(), about)
        .targets([_query(target, "A")])
        .mappings([mapping])
        .merge_values(True)  # noqa: FBT003 - the SDK's signature
        .show_value(common_models.VisibilityMode.AUTO)
        .row_height(0.8)
        .legend(_legend())
    )


def _made(panel: AnyPanel, about: About) -> AnyPanel:
    steps = [models.Threshold(value=value, color=colour) for value, colour in about.steps]
    thresholds = dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)
    return (
        panel.title(about.title)
        .description(about.text)
        .datasource(PROMETHEUS)
        .unit(about.unit)
        .thresholds(thresholds)
        .links(links.panel_links(about.rules, about.traces))
        .span(about.width)
        .height(about.height)
    )


def _query(target: Target, ref_id: str, *, instant: bool = False) -> prometheus.Dataquery:
    query = _dataquery(target, ref_id)
    return query.instant() if instant else query.range()


def _dataquery(target: Target, ref_id: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(PROMETHEUS)
        .expr(target.expression)
        .legend_format(target.legend)
        .exemplar(target.exemplars)
        .ref_id(ref_id)
    )


def _for_nothing(text: str) -> models.SpecialValueMap:
    return models.SpecialValueMap(
        models.DashboardSpecialValueMapOptions(
            match=models.SpecialValueMatch.NULL_AND_NAN, result=models.ValueMappingResult(text=text, color=GREY)
        )
    )


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)  # noqa: FBT003 - the SDK's signature


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)  # noqa: FBT003 - the SDK's signature
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
    )
