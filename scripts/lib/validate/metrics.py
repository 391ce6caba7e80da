"""Check: every metric of the contract is in Prometheus, with its labels and buckets, and none beside them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dashboards.ask import AskError, NoAnswerError, Prometheus, Series
from scripts.lib.validate.asking import NATIVE, until
from scripts.lib.validate.contract import AFTER, Event, from_the_start
from scripts.lib.validate.orders import Sent
from scripts.lib.validate.results import CheckError, named
from telemetry import conventions as c

_ENDINGS = ("_bucket", "_count", "_sum")
_NAMES = {i.prometheus_name: i for i in c.INSTRUMENTS} | {
    i.prometheus_name + ending: i for i in c.INSTRUMENTS if isinstance(i, c.Histogram) for ending in _ENDINGS
}


class Judgement(NamedTuple):
    """`problems` are what is wrong; `waiting` are metrics whose event has not happened, with its words."""

    problems: Sequence[str]
    waiting: Mapping[str, str]


def check(url: str, sent: Sent | None, by: float) -> str:
    """Asked until all that was sent is counted, or until `by`; without orders of our own, of what is there."""
    which = f'{{__name__=~"execution_.+",instance="{sent.instance}"}}' if sent else '{__name__=~"execution_.+"}'
    with Prometheus(url) as server:

        def look() -> tuple[Sequence[Series], Judgement]:
            found = server.instant(which, time.time())
            return found, judge(found)

        def good(answer: tuple[Sequence[Series], Judgement]) -> bool:
            return not answer[1].problems and (sent is None or _heartbeat(answer[0]) > sent.ended)

        try:
            found, judged = until(look, good, by if sent else 0.0)
        except NoAnswerError as error:
            raise CheckError(str(error), NATIVE.format(name="prometheus")) from None
        except AskError as error:
            raise CheckError(str(error), "see what Prometheus says: ./scripts/stack logs prometheus") from None
    _raise_for(found, judged, sent)
    there = len(c.INSTRUMENTS) - len(judged.waiting)
    waiting = "; ".join(f"{name} comes with {words}" for name, words in judged.waiting.items())
    return f"{there} of {len(c.INSTRUMENTS)} metrics" + (f"; not yet due: {waiting}" if waiting else "")


def judge(series: Sequence[Series]) -> Judgement:
    """Of one moment; pure."""
    by_metric: dict[str, list[Series]] = {}
    problems: dict[str, None] = {}
    for one in series:
        instrument = _NAMES.get(one.labels["__name__"])
        if instrument is None:
            problems[f"{one.labels['__name__']} is not in the contract"] = None
        else:
            by_metric.setdefault(instrument.name, []).append(one)
    waiting = {}
    for instrument in c.INSTRUMENTS:
        found = by_metric.get(instrument.name, [])
        problems |= dict.fromkeys(_wrong(instrument, found))
        event = None if from_the_start(instrument) else AFTER[instrument.name]
        if found:
            continue
        if event is not None and not _happened(event, by_metric):
            waiting[instrument.prometheus_name] = event.words
        else:
            problems[f"{instrument.prometheus_name} is missing"] = None
    return Judgement(list(problems), waiting)


def _wrong(instrument: c.Instrument, series: Sequence[Series]) -> Iterator[str]:
    for one in series:
        lacking = {*instrument.label_names} - one.labels.keys()
        if lacking:
            yield f"{instrument.prometheus_name} has a series without {', '.join(sorted(lacking))}"
    if isinstance(instrument, c.Histogram) and series:
        edges = {float(one.labels["le"]) for one in series if "le" in one.labels}
        if edges != {*instrument.buckets, float("inf")}:
            yield f"{instrument.prometheus_name} has other buckets than the contract"


def _happened(event: Event, by_metric: Mapping[str, Sequence[Series]]) -> bool:
    return event.witness is not None and any(
        one.last > 0
        for one in by_metric.get(event.witness.name, ())
        if all(one.labels.get(name) in values for name, values in event.labels.items())
    )


def _heartbeat(series: Sequence[Series]) -> float:
    """When the newest of it was exported, about: the executor turns every second."""
    name = c.HEARTBEAT_TIMESTAMP.prometheus_name
    return max((one.last for one in series if one.labels["__name__"] == name), default=0.0)


def _raise_for(found: Sequence[Series], judged: Judgement, sent: Sent | None) -> None:
    if not found:
        raise CheckError(
            "no metric of Fillpath is in Prometheus",
            "start the service; name the collector in its configuration (telemetry.otlp_endpoint), and let Prometheus "
            "scrape the collector: deploy/prometheus.yml; ./scripts/stack up does all of it",
        )
    if sent is not None and _heartbeat(found) <= sent.ended:
        raise CheckError(
            f"what Prometheus has is older than the orders sent {time.time() - sent.ended:.0f} s ago",
            "see whether the collector takes the service's exports: ./scripts/stack logs collector, and "
            "execution_telemetry_dropped_total at the operator's /metrics",
        )
    if judged.problems:
        raise CheckError(
            named(judged.problems),
            "compare docs/telemetry.md with the operator's /metrics: they differ there, or on the way to Prometheus",
        )
