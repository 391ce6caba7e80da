"""Every expression against the telemetry contract, and against the mistakes that dashboards are known for."""

from __future__ import annotations

import re

import pytest

from dashboards.files import document
from dashboards.promql import Match, Queries, any_of, filled
from dashboards.queries import Kind, queries
from telemetry import conventions as c
from tests.unit.dashboards.boards import EXPRESSIONS, INSTRUMENTS, MATCHER, SELECTOR, is_of_the_collector, name_of

GROUPS = re.compile(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")
GROWING = re.compile(r"\b(?:rate|increase|min_over_time)\($")


@pytest.mark.parametrize("case", EXPRESSIONS, ids=name_of)
def test_metrics_and_labels_are_those_of_the_contract(case: tuple[str, str]) -> None:
    allowed = {"job", "le"}
    for metric, matchers in SELECTOR.findall(case[1]):
        if is_of_the_collector(metric):
            allowed |= {"exporter"}
            assert {label for label, _ in MATCHER.findall(matchers)} <= {"job"}
            continue
        assert metric in INSTRUMENTS, f"{metric} is not in the contract"
        labels = {label.name: label for label in INSTRUMENTS[metric].labels}
        allowed |= labels.keys()
        for name, value in MATCHER.findall(matchers):
            assert name in labels, f"{metric} has no label {name}"
            if value != f"${name}":
                assert set(value.split("|")) <= set(labels[name].values), f"{metric}: {name} is never {value}"
    for group in GROUPS.findall(case[1]):
        assert {label.strip() for label in group.split(",")} <= allowed


@pytest.mark.parametrize("case", EXPRESSIONS, ids=name_of)
def test_groups_are_by_job_and_never_by_instance(case: tuple[str, str]) -> None:
    assert "instance" not in case[1]
    assert "without" not in case[1]
    assert GROUPS.findall(case[1]), "nothing is aggregated"
    assert all("job" in [label.strip() for label in group.split(",")] for group in GROUPS.findall(case[1]))


@pytest.mark.parametrize("case", EXPRESSIONS, ids=name_of)
def test_windows_are_those_that_grafana_chooses(case: tuple[str, str]) -> None:
    assert set(re.findall(r"\[([^\]]*)\]", case[1])) <= {"$__rate_interval", "$__range"}


@pytest.mark.parametrize("case", EXPRESSIONS, ids=name_of)
def test_counters_and_histograms_are_never_shown_raw(case: tuple[str, str]) -> None:
    expression = case[1]
    for found in SELECTOR.finditer(expression):
        instrument = INSTRUMENTS.get(found[1])
        if isinstance(instrument, (c.Counter, c.Histogram)):
            before, after = expression[: found.start()], expression[found.end() :]
            presence = re.search(r"0 \* sum by \([^)]*\) \($", before)
            assert GROWING.search(before) or presence or after.startswith(" offset "), found[0]


@pytest.mark.parametrize("case", EXPRESSIONS, ids=name_of)
def test_quantiles_are_of_buckets_summed_by_their_edge(case: tuple[str, str]) -> None:
    assert case[1].count("histogram_quantile(") == len(
        re.findall(r"histogram_quantile\([\d.]+, sum by \([^)]*\ble\) \(rate\(\w+_bucket", case[1])
    )


@pytest.mark.parametrize("case", EXPRESSIONS, ids=name_of)
def test_brackets_are_closed(case: tuple[str, str]) -> None:
    for opened, closed in ("()", "[]", "{}"):
        assert case[1].count(opened) == case[1].count(closed)


def test_what_is_not_in_the_contract_cannot_be_written() -> None:
    q = Queries("exchange")
    with pytest.raises(ValueError, match="has no label symbol"):
        q.rate(c.ORDER_OUTCOMES, symbol="BTC/USDT")
    with pytest.raises(ValueError, match="outcome is never lost"):
        q.rate(c.ORDER_OUTCOMES, outcome=any_of("accepted", "lost"))


def test_a_variable_restricts_only_metrics_that_have_its_label() -> None:
    q = Queries("exchange", "source")
    assert q.select(c.ORDERS_OPEN) == 'execution_orders_open{exchange=~"$exchange"}'
    assert q.select(c.JOURNAL_BACKLOG) == "execution_journal_backlog"
    kept = q.select(c.ORDERS, status=Match("!=", ["FILLED"]))
    assert kept == 'execution_orders_total{exchange=~"$exchange", status!="FILLED"}'


def test_a_variable_without_a_value_is_an_error() -> None:
    assert filled("rate(x[$__rate_interval])", {"__rate_interval": "20s"}) == "rate(x[20s])"
    with pytest.raises(KeyError):
        filled('x{exchange=~"$exchange"}', {})


def test_every_query_is_listed_with_its_variables_filled_in() -> None:
    listed = queries(document("execution-pipeline"))
    kinds = [query.kind for query in listed]
    assert kinds.count(Kind.LABEL_VALUES) == 3
    assert kinds.count(Kind.JAEGER_SEARCH) == 16
    assert kinds.count(Kind.RANGE) + kinds.count(Kind.INSTANT) == sum(
        1 for place, _ in EXPRESSIONS if place.startswith("execution-pipeline")
    )
    assert not [query for query in listed if "$" in query.text or "$" in str(query.search)]


def test_what_is_chosen_is_asked_for() -> None:
    listed = queries(document("execution-pipeline"), chosen={"exchange": "paper"})
    assert 'exchange=~"paper"' in next(query.text for query in listed if "Success rate" in query.place)


def test_an_order_is_asked_for_in_jaeger_and_loki() -> None:
    listed = {
        query.kind: query for query in queries(document("execution-order"), chosen={"order": "01ab", "trace": "cd"})
    }
    assert listed[Kind.JAEGER_SEARCH].search["tags"] == '{"order.id": "01ab"}'
    assert listed[Kind.JAEGER_TRACE].text == "cd"
    assert "order_id=`01ab`" in listed[Kind.LOKI].text


def test_links_search_for_spans_and_attributes_of_the_contract() -> None:
    attributes = {value for name, value in vars(c).items() if name.startswith("ATTR_")}
    for uid in ("execution-pipeline", "execution-quality", "execution-telemetry"):
        for query in queries(document(uid)):
            if query.kind is Kind.JAEGER_SEARCH:
                assert query.search["operation"] in c.SPANS
                assert set(re.findall(r'"([\w.]+)":', query.search["tags"])) <= attributes
