"""Prometheus text and OpenMetrics out of families of samples, whichever engine counted them.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/. Exemplars exist in OpenMetrics only.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING

from telemetry import conventions as c

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry.facade import SpanContext

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_UNITS = {c.Unit.SECOND: "seconds", c.Unit.BYTE: "bytes"}


@dataclass(frozen=True, slots=True)
class Exemplar:
    context: SpanContext
    value: float
    time_ns: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of a counter or gauge."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """One series of a histogram; `counts` has one element more than `bounds` and is not cumulative."""

    labels: Mapping[str, str]
    bounds: Sequence[float]
    counts: Sequence[int]
    total: float
    exemplars: Sequence[Exemplar] = ()


@dataclass(frozen=True, slots=True)
class Family:
    instrument: c.Instrument
    samples: Sequence[Sample | Distribution]


def wants_open_metrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics with a weight above zero."""
    for part in accept.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        if media == "application/openmetrics-text":
            return not any(parameter in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for parameter in parameters)
    return False


def expose(families: Iterable[Family], target: Mapping[str, str], *, open_metrics: bool) -> tuple[bytes, str]:
    """The document and its content type; `target` are the resource's attributes, shown as target_info."""
    lines = list(_target(target, open_metrics=open_metrics))
    for family in families:
        if family.samples:
            lines.extend(_family(family, open_metrics=open_metrics))
    if open_metrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode(), OPEN_METRICS if open_metrics else TEXT


def _target(target: Mapping[str, str], *, open_metrics: bool) -> Iterator[str]:
    name, kind = ("target", "info") if open_metrics else ("target_info", "gauge")
    yield f"# HELP {name} Target metadata"
    yield f"# TYPE {name} {kind}"
    labels = {"".join(char if char.isalnum() else "_" for char in key): value for key, value in target.items()}
    yield f"target_info{_labels(labels)} 1"


def _family(family: Family, *, open_metrics: bool) -> Iterator[str]:
    instrument = family.instrument
    name = instrument.family_name if open_metrics else instrument.prometheus_name
    yield f"# HELP {name} {_escape_help(instrument.description, open_metrics=open_metrics)}"
    yield f"# TYPE {name} {_kind(instrument)}"
    unit = _UNITS.get(instrument.unit)
    if open_metrics and unit is not None:
        yield f"# UNIT {name} {unit}"
    for sample in family.samples:
        if isinstance(sample, Sample):
            yield f"{instrument.prometheus_name}{_labels(sample.labels)} {_number(sample.value)}"
        else:
            yield from _histogram(instrument.prometheus_name, sample, exemplars=open_metrics)


def _histogram(name: str, sample: Distribution, *, exemplars: bool) -> Iterator[str]:
    edges = (*sample.bounds, inf)
    below = -inf
    for edge, count in zip(edges, accumulate(sample.counts), strict=True):
        line = f"{name}_bucket{_labels({**sample.labels, 'le': _number(edge)})} {count}"
        yield line + (_exemplar(sample.exemplars, below, edge) if exemplars else "")
        below = edge
    labels = _labels(sample.labels)
    yield f"{name}_count{labels} {sum(sample.counts)}"
    yield f"{name}_sum{labels} {_number(sample.total)}"


def _exemplar(exemplars: Sequence[Exemplar], below: float, edge: float) -> str:
    inside = [exemplar for exemplar in exemplars if below < exemplar.value <= edge]
    if not inside:
        return ""
    last = max(inside, key=lambda exemplar: exemplar.time_ns)
    labels = _labels({"trace_id": last.context.trace_id, "span_id": last.context.span_id})
    return f" # {labels} {_number(last.value)} {last.time_ns / 1e9:.3f}"


def _kind(instrument: c.Instrument) -> str:
    if isinstance(instrument, c.Counter):
        return "counter"
    return "histogram" if isinstance(instrument, c.Histogram) else "gauge"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _escape_help(text: str, *, open_metrics: bool) -> str:
    return _escape(text) if open_metrics else text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return "+Inf" if value == inf else repr(float(value))
