"""All checks, in the order of the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from scripts.lib.validate import documents, metrics, servers, tests, traces
from scripts.lib.validate.asking import Server
from scripts.lib.validate.orders import Sent, Service, send
from scripts.lib.validate.places import Places
from scripts.lib.validate.results import CheckError, LeftOutError, Result, Verdict
from scripts.lib.validate.tests import Extent

GRAFANA = "grafana"

Tell = Callable[[str], None]


class Asked(NamedTuple):
    """What is validated.

    `within` are the seconds that what is sent may take to arrive; `without` names what is left out;
    `grafana_headers` prove who asks there.
    """

    places: Places
    service: Service
    extent: Extent
    within: float
    without: frozenset[str] = frozenset()
    grafana_headers: Mapping[str, str] = {}


class Check(NamedTuple):
    """`look` returns what it found, or raises CheckError or LeftOutError."""

    title: str
    look: Callable[[], str]
    part: str = ""


def validate(asked: Asked, tell: Tell) -> list[Result]:
    """Every check once, whatever becomes of the others."""
    tell("sending two orders to the paper exchange")
    sent, unsent = _send(asked.service)
    results = []
    for check in checks(asked, sent, unsent, time.time() + asked.within):
        tell(check.title)
        results.append(_result(check, asked.without))
    return results


def checks(asked: Asked, sent: Sent | None, unsent: CheckError | None, by: float) -> Sequence[Check]:
    """The eight that a running system is held to, then those beyond; `by`, Unix seconds, all has arrived."""
    places = asked.places
    prometheus, jaeger = Server.native("prometheus", places.prometheus), Server.native("jaeger", places.jaeger)
    alertmanager = Server.native("alertmanager", places.alertmanager)
    collector = Server.native("collector", places.collector)
    grafana = Server("Grafana", places.grafana, servers.GRAFANA_FIX, asked.grafana_headers)

    def instrumented() -> str:
        if sent is None:
            raise CheckError("no order of its own to look for", f"first mend: {unsent.found}" if unsent else "")
        return traces.check_instrumented(jaeger, sent, by)

    return (
        Check("Prometheus", lambda: servers.check_prometheus(prometheus, by)),
        Check("Grafana", lambda: servers.check_grafana(grafana), GRAFANA),
        Check("dashboard loaded", lambda: servers.check_dashboard(grafana), GRAFANA),
        Check("alert rules loaded", lambda: servers.check_rules(prometheus, by)),
        Check("metrics present", lambda: metrics.check(places.prometheus, sent, by)),
        Check("code instrumented", instrumented),
        Check("tests pass", lambda: tests.check(asked.extent)),
        Check("documentation complete", documents.check),
        Check("service", lambda: servers.check_service(asked.service, sent, unsent)),
        Check("collector", lambda: servers.check_collector(collector)),
        Check("Jaeger", lambda: servers.check_jaeger(jaeger)),
        Check("Alertmanager", lambda: servers.check_alertmanager(alertmanager, prometheus, by)),
        Check("exemplars", lambda: traces.check_exemplars(prometheus, jaeger, sent, by)),
    )


def _send(service: Service) -> tuple[Sent | None, CheckError | None]:
    try:
        return send(service), None
    except CheckError as error:
        return None, error


def _result(check: Check, without: frozenset[str]) -> Result:
    if check.part in without:
        return Result(check.title, Verdict.LEFT_OUT, f"not looked at: --without {check.part}")
    try:
        return Result(check.title, Verdict.PASSED, check.look())
    except LeftOutError as error:
        return Result(check.title, Verdict.LEFT_OUT, str(error))
    except CheckError as error:
        return Result(check.title, Verdict.FAILED, error.found, error.fix)
