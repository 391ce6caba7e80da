"""`python -m dashboards.live --prometheus URL`: asks every query of every dashboard and says which gives no data.

With `--jaeger` also what panels and links search there, for the order of any trace; with `--loki` its log lines.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import NamedTuple

import click

from dashboards.ask import AskError, Jaeger, Loki, NoAnswerError, Prometheus
from dashboards.files import DASHBOARDS, document
from dashboards.links import SERVICE
from dashboards.queries import Kind, Query, Times, queries
from telemetry import conventions as c


class Servers(NamedTuple):
    """Those that are asked; None: not asked."""

    prometheus: Prometheus
    jaeger: Jaeger | None = None
    loki: Loki | None = None

    def answers(self, kind: Kind) -> bool:
        """Whether the server of such a query is among them."""
        match kind:
            case Kind.LOKI:
                return self.loki is not None
            case Kind.JAEGER_SEARCH | Kind.JAEGER_TRACE:
                return self.jaeger is not None
            case _:
                return True


class Answer(NamedTuple):
    """`found` says how much came back; `problem` is empty where there is anything to show."""

    query: Query
    found: str
    problem: str


def answers(servers: Servers, times: Times, now: float, chosen: Mapping[str, str] | None = None) -> Iterator[Answer]:
    """Each query of each dashboard that one of the servers answers; `chosen` are values of its variables."""
    for uid in DASHBOARDS:
        for query in queries(document(uid), times, chosen):
            if servers.answers(query.kind):
                try:
                    yield _answer(servers, query, times, now)
                except AskError as error:
                    yield Answer(query, "", str(error))


def some_order(jaeger: Jaeger, times: Times, now: float) -> dict[str, str]:
    """Values of the variables `order` and `trace`: any order that was executed in that time; empty without one."""
    search = {"service": SERVICE, "operation": c.SPAN_ORDER_EXECUTE}
    for trace in jaeger.search(search, now - times.shown, now):
        for span in trace.spans:
            if c.ATTR_ORDER_ID in span.attributes:
                return {"order": span.attributes[c.ATTR_ORDER_ID], "trace": trace.trace_id}
    return {}


def _answer(servers: Servers, query: Query, times: Times, now: float) -> Answer:
    match query.kind:
        case Kind.JAEGER_SEARCH if servers.jaeger:
            found = servers.jaeger.search(query.search, now - times.shown, now)
            return Answer(query, f"{len(found)} traces", "" if found else "no trace")
        case Kind.JAEGER_TRACE if servers.jaeger:
            trace = servers.jaeger.trace(query.text)
            return Answer(query, f"{len(trace.spans)} spans" if trace else "", "" if trace else "no such trace")
        case Kind.LOKI if servers.loki:
            lines = servers.loki.lines(query.text, now - times.shown, now)
            return Answer(query, f"{len(lines)} lines", "" if lines else "no line")
        case _:
            return _of_prometheus(servers.prometheus, query, times, now)


def _of_prometheus(server: Prometheus, query: Query, times: Times, now: float) -> Answer:
    found = server.ask(query, times, now)
    if not found:
        return Answer(query, "", "no series")
    numbers = any(not math.isnan(series.last) for series in found)
    return Answer(query, f"{len(found)} series", "" if numbers else "no number")


@click.command()
@click.option("--prometheus", "url", required=True, metavar="URL", help="Like http://127.0.0.1:9090.")
@click.option("--jaeger", "jaeger_url", metavar="URL", help="Like http://127.0.0.1:16686; without it not asked.")
@click.option("--loki", "loki_url", metavar="URL", help="Like http://127.0.0.1:3100, with --jaeger.")
@click.option("--shown", default=3600, show_default=True, help="Seconds up to now.")
def main(*, url: str, jaeger_url: str | None, loki_url: str | None, shown: int) -> None:
    """Ask every query; exit with 1 where one fails or has no data."""
    if loki_url and not jaeger_url:
        raise click.UsageError("--loki needs --jaeger, which knows an order to ask for")
    failed, times, now = 0, Times(shown=shown), time.time()
    try:
        with ExitStack() as stack:
            jaeger = stack.enter_context(Jaeger(jaeger_url)) if jaeger_url else None
            loki = stack.enter_context(Loki(loki_url)) if loki_url else None
            servers = Servers(stack.enter_context(Prometheus(url)), jaeger, loki)
            for answer in answers(servers, times, now, some_order(jaeger, times, now) if jaeger else None):
                failed += bool(answer.problem)
                click.echo(f"{answer.query.dashboard:<20} {answer.query.place:<72} {answer.problem or answer.found}")
    except (AskError, NoAnswerError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{failed} without data" if failed else "all have data")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
