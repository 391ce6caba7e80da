"""`python -m dashboards.live --prometheus URL`: asks every query of every dashboard and says which gives no data."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import click

from dashboards.ask import AskError, NoAnswerError, Prometheus
from dashboards.files import DASHBOARDS, document
from dashboards.queries import Kind, Query, Times, queries

_OF_PROMETHEUS = frozenset({Kind.RANGE, Kind.INSTANT, Kind.LABEL_VALUES})


class Answer(NamedTuple):
    """`series` is how many came back; `problem` is empty where at least one has a number."""

    query: Query
    series: int
    problem: str


def answers(server: Prometheus, times: Times, now: float) -> Iterator[Answer]:
    """Each query of each dashboard that Prometheus answers."""
    for uid in DASHBOARDS:
        for query in queries(document(uid), times):
            if query.kind in _OF_PROMETHEUS:
                yield _answer(server, query, times, now)


def _answer(server: Prometheus, query: Query, times: Times, now: float) -> Answer:
    try:
        found = server.ask(query, times, now)
    except AskError as error:
        return Answer(query, 0, str(error))
    if not found:
        return Answer(query, 0, "no series")
    return Answer(query, len(found), "no number" if all(math.isnan(series.last) for series in found) else "")


@click.command()
@click.option("--prometheus", "url", required=True, metavar="URL", help="Like http://127.0.0.1:9090.")
@click.option("--shown", default=3600, show_default=True, help="Seconds up to now.")
def main(*, url: str, shown: int) -> None:
    """Ask every query; exit with 1 where one fails or has no data."""
    failed = 0
    try:
        with Prometheus(url) as server:
            for answer in answers(server, Times(shown=shown), time.time()):
                failed += bool(answer.problem)
                said = answer.problem or f"{answer.series} series"
                click.echo(f"{answer.query.dashboard:<20} {answer.query.place:<56} {said}")
    except NoAnswerError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{failed} without data" if failed else "all have data")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
