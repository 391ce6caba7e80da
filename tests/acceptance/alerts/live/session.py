"""The stack with shortened rules, all scenarios side by side, and what came of each alert."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from scripts.lib.alerts.shortened import shorten_prometheus
from scripts.lib.stack import ALL, Ports, Stack, StackError
from tests.acceptance.alerts.live import intake, orders, processes
from tests.acceptance.alerts.live.desks import Desks
from tests.acceptance.alerts.live.scenario import Expected, Scenario, Track
from tests.acceptance.alerts.live.watch import Held, Watch

FACTOR = 30.0
"""Ten minutes are twenty seconds. Numbers of seconds in conditions stay: what has to last a minute lasts a minute."""

WATCHDOG = "Watchdog"
_SERVERS = ALL - {"service"}
_QUIET_WITHIN_S = 60.0

TRACKS: tuple[Track, ...] = (*intake.TRACKS, *orders.TRACKS, *processes.TRACKS)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one expected alert. `fired_s` counts from the fault's begin, `resolved_s` from when it was mended.

    None: it did not, in time.
    """

    expected: Expected
    story: str
    held: Held | None
    fired_s: float | None
    resolved_s: float | None
    error: str = ""


def run(folder: Path, tell: Callable[[str], None] = lambda _: None) -> list[Outcome]:
    """Every scenario; raises StackError where a server is missing."""
    with _running(folder, tell) as (desks, watch):
        began = time.monotonic()
        _wait_until_quiet(watch)
        tell(f"quiet; {len(TRACKS)} tracks of faults side by side")
        with ThreadPoolExecutor(len(TRACKS)) as pool:
            found = [
                outcome for outcomes in pool.map(partial(_track, desks, watch, tell), TRACKS) for outcome in outcomes
            ]
        found += _track(desks, watch, tell, processes.LAST)
        return [*found, _watchdog(watch, began)]


@contextmanager
def _running(folder: Path, tell: Callable[[str], None]) -> Iterator[tuple[Desks, Watch]]:
    desks = Desks(folder, ports := Ports.free())
    try:
        desks.prepare(folder / "stack" / "logs" / "fillpath.jsonl")
        victim = desks["victim"].ports
        desks.stack = Stack(
            folder / "stack",
            # The service that Prometheus itself asks whether it is there.
            replace(ports, service=victim.service, operator=victim.operator),
            only=_SERVERS,
            adapt=partial(shorten_prometheus, factor=FACTOR),
            tell=tell,
        )
        try:
            desks.stack.up()
            tell("starting the services")
            desks.start()
            tell("all of them trade")
            watch = Watch(desks.stack.addresses.alertmanager)
            watch.start()
            try:
                yield desks, watch
            finally:
                watch.close()
        finally:
            desks.stack.down()
    finally:
        desks.close()


def _wait_until_quiet(watch: Watch) -> None:
    """Return when nothing but the watchdog is held: what follows is then of the faults' making."""
    until = time.monotonic() + _QUIET_WITHIN_S
    while watch.names() != {WATCHDOG}:
        if time.monotonic() > until:
            raise StackError(
                f"Alertmanager holds {sorted(watch.names())} {_QUIET_WITHIN_S:g} s after the start; expected only "
                f"{WATCHDOG}. {watch.error}"
            )
        time.sleep(0.2)


def _track(desks: Desks, watch: Watch, tell: Callable[[str], None], track: Sequence[Scenario]) -> list[Outcome]:
    return [outcome for scenario in track for outcome in _scenario(desks, watch, tell, scenario)]


def _scenario(desks: Desks, watch: Watch, tell: Callable[[str], None], scenario: Scenario) -> list[Outcome]:
    began = mended = time.monotonic()
    fired: dict[str, Held | None] = {}
    error = ""
    try:
        with scenario.fault(desks):
            for expected in scenario.fires:
                fired[expected.title] = watch.fires(_labels(expected), since=began, until=began + scenario.fires_within)
            mended = time.monotonic()
    except Exception as failure:  # noqa: BLE001 - one fault that cannot be made must not hide what came of the others
        error = f"{type(failure).__name__}: {failure}"
    outcomes = [
        _outcome(watch, scenario, expected, fired.get(expected.title), began, mended, error)
        for expected in scenario.fires
    ]
    for outcome in outcomes:
        tell(f"{outcome.expected.title}: fired {outcome.fired_s}, resolved {outcome.resolved_s} {outcome.error}")
    return outcomes


def _outcome(
    watch: Watch, scenario: Scenario, expected: Expected, held: Held | None, began: float, mended: float, error: str
) -> Outcome:
    gone = None if held is None else watch.resolves(_labels(expected), until=mended + scenario.resolves_within)
    return Outcome(
        expected=expected,
        story=scenario.story,
        held=held,
        fired_s=None if held is None else held.seen - began,
        # What a window has forgotten is over before the fault is mended.
        resolved_s=None if gone is None else max(0.0, gone - mended),
        error=error,
    )


def _watchdog(watch: Watch, began: float) -> Outcome:
    """It was held before all and was never gone: that it goes is what it must not do."""
    held = [one for one in watch.history if one.name == WATCHDOG]
    steady = len(held) == 1 and held[0].gone is None
    return Outcome(
        expected=Expected(rule=WATCHDOG),
        story="nothing: it is held from the start to the end",
        held=held[0] if steady else None,
        fired_s=0.0 if steady and held[0].seen <= began + _QUIET_WITHIN_S else None,
        resolved_s=None,
        error="" if steady else f"held {len(held)} times",
    )


def _labels(expected: Expected) -> dict[str, str]:
    own = {"alertname": expected.rule, **expected.labels}
    return own | ({_variant_label(expected): expected.variant} if expected.variant else {})


def _variant_label(expected: Expected) -> str:
    return "cause" if expected.rule == "ServiceDown" else "window"
