"""The series behind the panels are what the books say: to the order, and to the cent."""

from __future__ import annotations

import bisect
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

import pytest

from dashboards.ask import Prometheus, Series
from dashboards.files import document
from dashboards.queries import Kind, Query, Times, queries
from telemetry import conventions as c
from tests.acceptance.stack.lab import SCRAPE_S, Lab
from tests.acceptance.stack.panels.books import Books, open_books
from tests.acceptance.stack.panels.run import Run
from tests.acceptance.stack.panels.truths import TRUTHS, Truth, in_usd, is_sent
from tests.acceptance.stack.waiting import eventually
from tests.unit.dashboards.boards import INSTRUMENTS, SELECTOR

BOARDS = ("execution-pipeline", "execution-quality")
QUERIES = [q for uid in BOARDS for q in queries(document(uid)) if q.kind in {Kind.RANGE, Kind.INSTANT}]
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
CENT = 0.005

Values = dict[tuple[str, ...], float]


def place_of(query: Query) -> str:
    return f"{query.dashboard}: {query.place}"


@pytest.fixture(scope="module")
def books(lab: Lab, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Books:
    return open_books(lab, run, tmp_path_factory.mktemp("books"))


class Raw:
    """The run's own series, as Prometheus has them: at the end less at the start; one born in between, from 0."""

    def __init__(self, server: Prometheus, run: Run) -> None:
        self._server = server
        self._run = run

    def values(self, name: str, matchers: str, labels: tuple[str, ...], *, grown: bool = True) -> Values:
        """Added up by `labels`, without what is 0."""
        own = f'{name}{{instance="{self._run.service.instance}"{", " if matchers else ""}{matchers}}}'
        end, start = (self._at(own, at, labels) for at in (self._run.end.at, self._run.start.at))
        return {key: value for key in end if (value := end[key] - (start[key] if grown else 0))}

    def _at(self, selector: str, at: float, labels: tuple[str, ...]) -> Values:
        found: Values = defaultdict(float)
        for series in self._server.instant(selector, at):
            found[tuple(series.labels[label] for label in labels)] += series.last
        return found


@pytest.fixture(scope="module")
def raw(lab: Lab, run: Run) -> Iterator[Raw]:
    with Prometheus(lab.addresses.prometheus) as server:
        yield Raw(server, run)


def matches(truth: Truth, key: tuple[str, ...], matchers: str) -> bool:
    """Whether a series of these labels is among those that the matchers select."""
    own = dict(zip(truth.labels, key, strict=True))
    for name, operator, wanted in MATCHER.findall(matchers):
        if wanted != ".*":
            assert name in own, f"the books do not tell {name}"
            found = re.fullmatch(wanted if "~" in operator else re.escape(wanted), own[name]) is not None
            if found is operator.startswith("!"):
                return False
    return True


def test_the_run_was_mixed(books: Books) -> None:
    assert {order["status"] for order in books.orders} == {
        "FILLED",
        "CANCELED",
        "DENIED",
        "REJECTED",
        "EXPIRED",
        "ABSENT",
        "ACCEPTED",
    }
    assert {became for _, became in books.exchanges.requests} == {"accepted", "refused", "not_executed", "in_doubt"}
    assert {order["exchange"] for order in books.orders} == {"paper", "binance"}


def test_the_exchanges_and_the_operators_interface_tell_the_same_of_every_order(books: Books) -> None:
    placed = {
        order["client_order_id"]: order
        for order in books.orders
        if order["status"] not in {"DENIED", "REJECTED", "EXPIRED", "ABSENT"}
    }

    assert books.exchanges.statuses == {client_id: order["status"] for client_id, order in placed.items()}
    assert books.exchanges.quantities == {client_id: Decimal(order["quantity"]) for client_id, order in placed.items()}
    filled: Counter[str] = Counter()
    for fill in books.exchanges.fills:
        filled[fill.client_order_id] += fill.quantity
    assert filled == {
        client_id: Decimal(order["filled_qty"]) for client_id, order in placed.items() if Decimal(order["filled_qty"])
    }


@pytest.mark.parametrize("query", QUERIES, ids=place_of)
def test_the_series_behind_a_panel_are_what_the_books_say(raw: Raw, books: Books, query: Query) -> None:
    for name, matchers in SELECTOR.findall(query.text):
        instrument = INSTRUMENTS[name]
        truth = TRUTHS[instrument](books)
        histogram = isinstance(instrument, c.Histogram)
        counted = f"{instrument.prometheus_name}_count" if histogram else name
        only = "".join(f', {label}="{value}"' for label, value in truth.only.items())
        grown = raw.values(
            counted,
            matchers + only if matchers else only.removeprefix(", "),
            truth.labels,
            grown=not isinstance(instrument, c.Gauge | c.UpDownCounter),
        )

        expected = {key: value for key, value in truth.values.items() if value and matches(truth, key, matchers)}
        assert grown == pytest.approx(expected, abs=CENT if instrument.unit is c.Unit.USD and not histogram else 0), (
            name
        )


def test_sizes_are_the_orders_to_the_cent_and_each_in_its_bucket(raw: Raw, books: Books) -> None:
    sizes: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for order in filter(is_sent, books.orders):
        sizes[order["exchange"], order["symbol"], order["side"]].append(in_usd(books, order))
    name, labels = c.ORDER_SIZE_USD.prometheus_name, ("exchange", "symbol", "side")

    assert raw.values(f"{name}_sum", "", labels) == pytest.approx(
        {key: sum(all_) for key, all_ in sizes.items()}, abs=CENT
    )
    buckets = raw.values(f"{name}_bucket", "", (*labels, "le"))
    for key, all_ in sizes.items():
        for edge in (*c.ORDER_SIZE_USD.buckets, math.inf):
            (found,) = {value for (*of, le), value in buckets.items() if tuple(of) == key and float(le) == edge} or {0}
            assert found == bisect.bisect_right(sorted(all_), edge), (key, edge)


def truth_by(books: Books, metric: c.Instrument, labels: tuple[str, ...]) -> Values:
    """The books' numbers, added up by some of the labels."""
    truth = TRUTHS[metric](books)
    found: Values = defaultdict(float)
    for key, value in truth.values.items():
        own = dict(zip(truth.labels, key, strict=True))
        found[tuple(own[label] for label in labels)] += value
    return {key: value for key, value in found.items() if value}


def asked(lab: Lab, title: str, times: Times, now: float) -> list[Series]:
    """What a panel's first query answers."""
    (query,) = [query for query in QUERIES if query.place.endswith(f" {title}, A")]
    text = next(q.text for uid in BOARDS for q in queries(document(uid), times) if q.place == query.place)
    with Prometheus(lab.addresses.prometheus) as server:
        return server.ask(query._replace(text=text), times, now)


@pytest.mark.parametrize(
    ("title", "metric", "labels"),
    [
        ("Top rate-limited addresses", c.RATE_LIMIT_REJECTIONS, ("client_ip",)),
        ("Audit events", c.AUDIT_EVENTS, ("event_type", "result")),
        ("Fees and rebates", c.FEES_USD, ("exchange",)),
    ],
)
def test_what_a_panel_says_grew_in_the_time_shown_is_near_the_books(
    lab: Lab, run: Run, books: Books, title: str, metric: c.Instrument, labels: tuple[str, ...]
) -> None:
    """Near: Prometheus extrapolates to the ends of the time asked for, most for a series that has just begun."""
    found = asked(lab, title, _during(run), run.end.at)

    shown = {tuple(series.labels[label] for label in labels): series.last for series in found if series.last > 0.5}
    # Of the service's start, which Prometheus may first have seen in that time.
    shown.pop(("configuration_load", "success"), None)
    assert shown == pytest.approx(truth_by(books, metric, labels), rel=0.4, abs=2)


def test_the_success_rate_is_near_that_of_the_books(lab: Lab, run: Run, books: Books) -> None:
    became = truth_by(books, c.ORDER_OUTCOMES, ("outcome",))
    (shown,) = asked(lab, "Success rate", _during(run), run.end.at)

    assert shown.last == pytest.approx(became["accepted",] / sum(became.values()), abs=0.03)


@pytest.mark.parametrize(
    ("title", "metric", "labels"),
    [
        ("Request rate", c.WEBHOOK_REQUESTS, ("source",)),
        ("Signature failures", c.WEBHOOK_SIGNATURE_FAILURES, ("source",)),
        ("Expired unsent", c.ORDERS_EXPIRED_UNSENT, ("reason",)),
        ("Look-ups of orders in doubt", c.ORDER_RECONCILIATIONS, ("outcome",)),
        ("Order requests by what became of them", c.ORDER_ATTEMPTS, ("outcome",)),
    ],
)
def test_a_panels_rate_adds_up_to_about_what_the_books_say(
    lab: Lab, run: Run, books: Books, title: str, metric: c.Instrument, labels: tuple[str, ...]
) -> None:
    times = _during(run)
    smeared_s = 4 * times.scrape
    until = run.end.at + smeared_s
    eventually(lambda: time.time() > until, within=smeared_s)
    found = asked(lab, title, times._replace(shown=times.shown + smeared_s), until)

    total: Values = defaultdict(float)
    for series in found:
        key = tuple(series.labels[label] for label in labels)
        total[key] += times.step * sum(value for _, value in series.points if not math.isnan(value))
    total = {key: value for key, value in total.items() if value > 0.5}
    assert total == pytest.approx(truth_by(books, metric, labels), rel=0.25, abs=2)


def _during(run: Run) -> Times:
    """From the last scrape before the run's start."""
    return Times(shown=math.ceil(run.end.at - run.start.at + SCRAPE_S), step=int(SCRAPE_S), scrape=int(SCRAPE_S))
