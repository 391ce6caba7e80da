"""The one place that imports grafana-foundation-sdk."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # Modules of it warn at import that a newer schema exists; files that Grafana reads from a folder use this one.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import (
        common,
        dashboard,
        gauge,
        logs,
        piechart,
        prometheus,
        statetimeline,
        table,
        timeseries,
    )
    from grafana_foundation_sdk.builders import loki as loki_query
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models import common as common_models
    from grafana_foundation_sdk.models import dashboard as models
    from grafana_foundation_sdk.models import piechart as pie_models
    from grafana_foundation_sdk.models import prometheus as prometheus_models

__all__ = [
    "Builder",
    "Dataquery",
    "JSONEncoder",
    "common",
    "common_models",
    "dashboard",
    "gauge",
    "logs",
    "loki_query",
    "models",
    "pie_models",
    "piechart",
    "prometheus",
    "prometheus_models",
    "statetimeline",
    "table",
    "timeseries",
]
