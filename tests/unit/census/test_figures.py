"""What the census reads, sends and prints."""

from __future__ import annotations

import itertools
import json
from collections import Counter

from rich.console import Console

from scripts.lib.census.alerts import ACCOUNTS, Kind, market_orders, mixed
from scripts.lib.census.looking import Found
from scripts.lib.census.orders import Dropped, dropped_in, total
from scripts.lib.census.report import Result, figures, percentile, table
from scripts.lib.census.sending import Answer
from scripts.lib.census.spans import traces
from tests.unit.census.documents import FILLED, TRACE_ID, document, order, whole

EXPOSITION = """\
# TYPE execution_telemetry_dropped_total counter
execution_telemetry_dropped_total{signal="traces",reason="queue_full"} 12.0
execution_telemetry_dropped_total{signal="traces",reason="sampling"} 5.0
execution_telemetry_dropped_total{signal="traces",reason="export_failed"} 0.0
execution_telemetry_dropped_total{signal="logs",reason="queue_full"} 3.0
# TYPE execution_orders_total counter
execution_orders_total{status="FILLED"} 7.0
"""


def result(*lacking: list[str]) -> Result:
    """As many orders as arguments, with what each lacks."""
    alerts = list(mixed("x", len(lacking)))
    spans = traces(document(*whole(FILLED)))
    return Result(
        len(lacking),
        40.0,
        answers=[Answer(alert, 0.0, 0.01, f"order-{number}") for number, alert in enumerate(alerts)],
        found=[Found(order(*FILLED), spans, each) for each in lacking],
        searchable=[1.5, None],
        dropped=[Dropped("traces", "queue_full", 12)],
    )


def shown(of: Result) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table(figures(of)))
    return capture.get()


def test_a_trace_is_read_with_its_whole_id_and_its_end() -> None:
    (trace,) = traces(document(*whole(FILLED)))

    assert trace.trace_id == TRACE_ID
    assert trace.end_us == 6_000
    assert [span.server for span in trace.spans].count(True) == 1
    assert ("SUBMITTED", "FILLED") in [step for span in trace.spans for step in span.steps]


def test_an_answer_without_traces_has_none() -> None:
    assert traces({"data": []}) == []
    assert traces({"data": None}) == []


def test_drops_are_read_by_signal_and_reason_and_what_is_sampled_is_no_loss() -> None:
    dropped = dropped_in(EXPOSITION)

    assert set(dropped) == {
        Dropped("traces", "queue_full", 12),
        Dropped("traces", "sampling", 5),
        Dropped("logs", "queue_full", 3),
    }
    assert total(dropped, "traces") == 12


def test_every_account_buys_more_of_every_symbol_than_it_sells_at_any_time() -> None:
    held: Counter[tuple[str, str]] = Counter()
    for alert in itertools.islice(market_orders("x"), 1_000):
        key = alert.body["account"], alert.body["symbol"]
        held[key] += 1 if alert.body["side"] == "buy" else -1
        assert held[key] > 0
    assert len({account for account, _ in held}) == ACCOUNTS
    assert len(held) == 2 * ACCOUNTS


def test_the_mix_has_orders_of_every_end_and_no_name_twice() -> None:
    alerts = list(mixed("x", 1_000))

    assert Counter(alert.kind for alert in alerts) == {Kind.FILLED: 900, Kind.RESTS: 50, Kind.DENIED: 50}
    assert len({alert.name for alert in alerts}) == 1_000
    assert all(alert.body["id"] == alert.name for alert in alerts)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([], 0.5) is None
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0], 1.0) == 3.0


def test_one_incomplete_trace_fails_the_census_and_is_shown_with_what_it_lacks() -> None:
    failed = result([], ["order.size"])

    assert not figures(failed)["passed"]
    assert "FAILED" in shown(failed)
    assert "order-1 lacks order.size" in shown(failed)
    assert "1 of 2" in shown(failed)


def test_ten_incomplete_traces_are_shown_and_all_are_counted() -> None:
    failed = figures(result(*([["order.size"]] * 12)))

    assert failed["incomplete"] == 12
    assert len(failed["incomplete_first"]) == 10


def test_an_alert_that_became_no_order_fails_the_census() -> None:
    refused = result([], [])
    refused.answers[1] = refused.answers[1]._replace(order_id=None, refusal="status 503")
    del refused.found[1]

    assert not figures(refused)["passed"]
    assert "status 503" in shown(refused)


def test_a_census_that_found_all_passes_and_its_figures_are_json() -> None:
    passed = result([], [])

    assert json.loads(json.dumps(figures(passed)))["complete"] == 2
    assert "12 traces queue_full" in shown(passed)
    assert "P50 1.500 s" in shown(passed)
    assert "2 sampled, 1 not in time" in shown(passed)
