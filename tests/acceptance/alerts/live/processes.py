"""What happens to processes and their disks: the service's and the collector's."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

from tests.acceptance.alerts.live.desks import Desks
from tests.acceptance.alerts.live.intake import SMALL
from tests.acceptance.alerts.live.scenario import Expected, Scenario, Track
from tests.acceptance.alerts.live.standstill import standing_still
from tests.acceptance.stack.waiting import eventually

_FLOOD = 60


@contextlib.contextmanager
def _disk_full(desks: Desks) -> Iterator[None]:
    """No file of the service may grow: the kernel refuses each write, as it does on a full disk."""
    victim = desks["victim"]
    pid = victim.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        answer = victim.send(SMALL, wait=None)
        assert (answer.status_code, answer.json()["reason"]) == (503, "journal_unavailable"), answer.text
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def _killed(desks: Desks) -> Iterator[None]:
    desks["victim"].kill()
    try:
        yield
    finally:
        desks["victim"].start()


@contextlib.contextmanager
def _stuck(desks: Desks) -> Iterator[None]:
    with standing_still(desks["victim"].pid):
        yield


@contextlib.contextmanager
def _no_collector(desks: Desks) -> Iterator[None]:
    desks.stack.kill("collector")
    try:
        yield
    finally:
        desks.stack.start("collector")


@contextlib.contextmanager
def _spans_lost(desks: Desks) -> Iterator[None]:
    """More orders than the queue of spans holds, while nobody takes any."""
    with _no_collector(desks):
        for _ in range(_FLOOD):
            desks["victim"].send(SMALL, wait=None)
        eventually(lambda: desks.metric("victim", "execution_telemetry_dropped_total") > 0)
    yield


TRACKS: tuple[Track, ...] = (
    (
        Scenario(
            story="no file of the service may grow (`RLIMIT_FSIZE`), as on a full disk",
            fault=_disk_full,
            fires=(Expected(rule="JournalUnwritable", labels={"job": "victim"}),),
        ),
        Scenario(
            story="`kill -9` of the service",
            fault=_killed,
            fires=(Expected(rule="ServiceDown", variant="unreachable", labels={"job": "service"}),),
        ),
        Scenario(
            story="the thread of the event loop is held, as by a debugger, for more than a minute; the exports go on",
            fault=_stuck,
            fires=(Expected(rule="ServiceDown", variant="stuck", labels={"job": "victim"}),),
            fires_within=120,
        ),
    ),
)

LAST: Track = (
    Scenario(
        story="`kill -9` of the collector",
        fault=_no_collector,
        fires=(Expected(rule="CollectorDown", labels={"job": "collector"}),),
    ),
    Scenario(
        story=f"the collector is gone while {_FLOOD} orders fill the service's queue of spans",
        fault=_spans_lost,
        fires=(Expected(rule="TelemetryDropped", labels={"job": "victim"}),),
    ),
)
"""Without the collector no other rule sees anything: these come when all else is over."""
