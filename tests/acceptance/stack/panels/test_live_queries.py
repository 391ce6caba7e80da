"""Every query to Prometheus, of every panel and variable, has data under traffic; those to Jaeger: `test_links.py`.

Log lines are the exception: no Loki runs here, their query is only read, by the tests of the dashboards' structure.
"""

from __future__ import annotations

import math
import re
import time
from collections import defaultdict
from collections.abc import Mapping

import pytest

from dashboards.ask import Prometheus
from dashboards.files import DASHBOARDS, document
from dashboards.live import Answer, Servers, answers
from dashboards.queries import Kind, Query, Times, queries
from tests.acceptance.stack.lab import SCRAPE_S, Lab
from tests.acceptance.stack.panels.run import PAPER, SIMULATED, SOURCES, Run
from tests.unit.dashboards.boards import INSTRUMENTS, SELECTOR, is_of_the_collector

OF_PANELS = [q for uid in DASHBOARDS for q in queries(document(uid)) if q.kind in {Kind.RANGE, Kind.INSTANT}]
OF_VARIABLES = [q for uid in DASHBOARDS for q in queries(document(uid)) if q.kind is Kind.LABEL_VALUES]

AT_REST = {
    "Active requests": "a request is answered within milliseconds",
    "Waiting for export": "what waits is sent twice a second",
    "Refused or failed at the collector": "nothing is lost while all servers run",
    "Collector's queues": "what is behind takes everything at once",
    "Oldest acknowledged, not sent": "an order is sent within milliseconds",
    "Fees and rebates": "fees are above 0, rebates at neither exchange",
}
"""Panels of which a query shows 0 all the time where nothing is wrong, and why."""

BORN_LATE = re.compile(r"otelcol_(receiver_(failed|refused)|exporter_(send|enqueue)_failed)_")
"""Counters of the collector that are not there before their first event."""


def place_of(query: Query) -> str:
    return f"{query.dashboard}: {query.place}"


def panel_of(query: Query) -> str:
    """The title."""
    found = re.fullmatch(r"panel \d+ (.+), \w+", query.place)
    assert found is not None, query.place
    return found[1]


@pytest.fixture(scope="module")
def now(run: Run) -> float:
    """When all is asked: a step after the run, because a range ends at a whole one before."""
    del run
    return time.time() + SCRAPE_S


@pytest.fixture(scope="module")
def times(run: Run, now: float) -> Times:
    """From the run's start to its end, and what has passed since."""
    return Times(shown=math.ceil(now - run.start.at), step=int(SCRAPE_S), scrape=int(SCRAPE_S))


@pytest.fixture(scope="module")
def answered(lab: Lab, times: Times, now: float) -> Mapping[str, Answer]:
    """By place."""
    with Prometheus(lab.addresses.prometheus) as server:
        return {place_of(answer.query): answer for answer in answers(Servers(server), times, now)}


@pytest.mark.parametrize("query", [*OF_VARIABLES, *OF_PANELS], ids=place_of)
def test_a_query_has_data(answered: Mapping[str, Answer], query: Query) -> None:
    answer = answered[place_of(query)]

    assert answer.problem == ""
    assert answer.found


@pytest.mark.parametrize("query", OF_PANELS, ids=place_of)
def test_what_a_query_selects_is_in_the_contract_and_there(lab: Lab, times: Times, now: float, query: Query) -> None:
    """By itself: where nothing matches, many panels show a 0 that they take from elsewhere."""
    with Prometheus(lab.addresses.prometheus) as server:
        for found in SELECTOR.finditer(query.text):
            assert found[1] in INSTRUMENTS or is_of_the_collector(found[1])
            if not BORN_LATE.match(found[1]):
                assert server.instant(f"last_over_time({found[0]}[{times.shown}s])", now), found[0]


def test_every_panel_shows_more_than_zero(lab: Lab, times: Times, now: float) -> None:
    highest: dict[str, float] = defaultdict(float)
    with Prometheus(lab.addresses.prometheus) as server:
        for query in OF_PANELS:
            for series in server.ask(query, times, now):
                top = max((value for _, value in series.points if not math.isnan(value)), default=0.0)
                highest[panel_of(query)] = max(highest[panel_of(query)], top)

    assert {panel for panel, value in highest.items() if value == 0} <= AT_REST.keys()


def test_one_can_choose_what_the_run_had(lab: Lab, times: Times, now: float) -> None:
    offered: dict[str, set[str]] = defaultdict(set)
    with Prometheus(lab.addresses.prometheus) as server:
        for query in OF_VARIABLES:
            offered[query.label] |= {series.labels[query.label] for series in server.ask(query, times, now)}

    assert {PAPER, SIMULATED} <= offered["exchange"]
    assert {"BTC/USDT", "ETH/USDT"} <= offered["symbol"]
    assert {*SOURCES} <= offered["source"]
