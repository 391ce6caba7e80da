"""Where panels lead: runbooks and dashboards that are there, searches in Jaeger that find, metrics beside a trace.

And the queries to Jaeger of the dashboard about one order.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.ask import Jaeger, Prometheus
from dashboards.files import DASHBOARDS, document
from dashboards.links import RUNBOOKS
from dashboards.queries import Kind, Query, panels, queries
from tests.acceptance.stack.lab import TRACE_WITHIN_S, Lab
from tests.acceptance.stack.panels.run import Run
from tests.acceptance.stack.waiting import eventually

ROOT = Path(__file__).resolve().parents[4]
BOARDS = {uid: document(uid) for uid in DASHBOARDS}
SEARCHES = [query for board in BOARDS.values() for query in queries(board) if ", link " in query.place]
EXEMPLARS = [query for board in BOARDS.values() for query in queries(board) if query.exemplars]


def place_of(query: Query) -> str:
    return f"{query.dashboard}: {query.place}"


def addresses(part: Any) -> Iterator[str]:
    """Every address in a dashboard or a part of it; lists of dashboards by tag have none."""
    match part:
        case dict():
            if url := part.get("url"):
                yield str(url)
            yield from (url for value in part.values() for url in addresses(value))
        case list():
            yield from (url for value in part for url in addresses(value))


@pytest.mark.parametrize("query", SEARCHES, ids=place_of)
def test_a_link_to_jaeger_finds_traces_with_the_step_and_what_is_said_of_it(lab: Lab, run: Run, query: Query) -> None:
    with Jaeger(lab.addresses.jaeger_query) as jaeger:
        found = eventually(lambda: jaeger.search(query.search, run.start.at, time.time()), within=TRACE_WITHIN_S)

    wanted = json.loads(query.search["tags"]).items()
    for trace in found:
        assert query.search["operation"] in {span.name for span in trace.spans}
        assert any(wanted <= span.attributes.items() for span in trace.spans), (trace.trace_id, wanted)


def test_an_order_is_found_with_its_trace(lab: Lab, run: Run) -> None:
    order = run.orders[-1]
    chosen = {"order": order["order_id"], "trace": order["trace_id"]}
    asked = {query.kind: query for query in queries(BOARDS["execution-order"], chosen=chosen)}
    with Jaeger(lab.addresses.jaeger_query) as jaeger:
        (found,) = jaeger.search(asked[Kind.JAEGER_SEARCH].search, run.start.at, time.time())
        trace = jaeger.trace(asked[Kind.JAEGER_TRACE].text)

    assert trace is not None
    assert found.trace_id == trace.trace_id == order["trace_id"]
    assert {"order.execute", "journal.append"} <= {span.name for span in trace.spans}


def test_every_panel_about_metrics_has_such_a_link() -> None:
    linked = {query.place.rpartition(", link ")[0] for query in SEARCHES}
    of_metrics = [board for uid, board in BOARDS.items() if uid != "execution-order"]

    assert linked == {f"panel {panel['id']} {panel['title']}" for board in of_metrics for panel in panels(board)}


def test_a_link_leads_to_a_runbook_that_is_there_to_explore_or_to_a_dashboard_with_these_variables() -> None:
    served = "./docs/runbooks:/usr/share/grafana/public/runbooks:ro"
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    assert served in compose["services"]["grafana"]["volumes"]
    assert RUNBOOKS == "/public/runbooks"

    for url in addresses(list(BOARDS.values())):
        if url.startswith("${runbooks}/"):
            assert (ROOT / "docs/runbooks" / url.removeprefix("${runbooks}/")).is_file(), url
        elif url.startswith("/d/"):
            uid, _, query = url.removeprefix("/d/").partition("?")
            named = {one or other for one, other in re.findall(r"\$\{(\w+):queryparam\}|var-(\w+)=", query)}
            assert named, url
            assert named <= {variable["name"] for variable in BOARDS[uid]["templating"]["list"]}
        else:
            assert url.startswith("/explore?"), url


def test_a_dashboards_menu_lists_the_others_by_a_tag_that_all_have() -> None:
    for board in BOARDS.values():
        (menu,) = board["links"]
        assert menu["type"] == "dashboards"
        assert all(set(menu["tags"]) <= set(other["tags"]) for other in BOARDS.values())


@pytest.mark.parametrize("query", EXEMPLARS, ids=place_of)
def test_an_exemplar_leads_to_a_trace_in_jaeger(lab: Lab, run: Run, query: Query) -> None:
    shown = lab.prometheus.exemplars(query.text, back_s=time.time() - run.start.at)
    own = [one for one in shown if one.series["instance"] == run.service.instance]

    assert own
    assert lab.jaeger.trace(own[-1].trace_id) is not None


def test_metrics_beside_a_trace_have_data(lab: Lab, run: Run) -> None:
    sources = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/fillpath.yaml").read_text("utf-8"))
    (to_metrics,) = [
        source["jsonData"]["tracesToMetrics"] for source in sources["datasources"] if source["uid"] == "jaeger"
    ]
    (tag,) = to_metrics["tags"]
    (trace,) = lab.jaeger.search({tag["key"]: "binance", "order.id": run.orders[-1]["order_id"]})
    chosen = {span.attributes[tag["key"]] for span in trace.spans if tag["key"] in span.attributes}
    (exchange,) = chosen

    with Prometheus(lab.addresses.prometheus) as server:
        for query in to_metrics["queries"]:
            text = query["query"].replace("$$__tags", f'{tag["value"]}="{exchange}"')
            assert any(series.last > 0 for series in server.instant(text, run.end.at)), text
