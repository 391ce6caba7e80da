"""Exports metrics every few seconds from a thread of its own, and once more at the end."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import TYPE_CHECKING

from telemetry.environment import METRIC_INTERVAL_MS, number
from telemetry.forking import in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telemetry.lean.batching import Sends
    from telemetry.series import Drops


class PeriodicExport:
    """Sends what `collect` returns; nothing where it returns no bytes. Goes on in a forked child.

    A failed export counts once: cumulative sums are in the next one too; what a delta export had is lost with it.
    """

    def __init__(self, collect: Callable[[], bytes], poster: Sends, drops: Drops, environ: Mapping[str, str]) -> None:
        self._collect = collect
        self._poster = poster
        self._drops = drops
        self._interval = number("OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL_MS, environ) / 1000
        self._last_deadline: float | None = None
        self._start()
        in_children(self._after_fork)

    def shutdown(self, timeout: float) -> None:
        """Export once more, within `timeout` seconds; an export that is not over by then is counted and left alone."""
        if self._stopped.is_set():
            return
        self._last_deadline = time.monotonic() + timeout
        self._stopped.set()
        self._poster.hurry()
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._drops.count("metrics", "shutdown")
        else:
            self._poster.close()

    def export(self) -> bool:
        """Collect and send now; whether it arrived."""
        deadline = time.monotonic() + self._poster.timeout
        if self._last_deadline is not None:
            deadline = min(deadline, self._last_deadline)
        try:
            body = self._collect()
            arrived = not body or self._poster.post(body, deadline)
        except Exception:  # noqa: BLE001 - a failing read or encoding must not end the exports; it is counted
            self._drops.count("metrics", "internal_error")
            return False
        if not arrived:
            self._drops.count("metrics", "export_failed")
        return arrived

    def _start(self) -> None:
        self._stopped = Event()
        self._thread = Thread(target=self._run, args=(self._stopped,), name="fillpath-metrics", daemon=True)
        self._thread.start()

    def _after_fork(self) -> None:
        # Threads do not survive a fork, and the parent's event may be locked for ever.
        if not self._stopped.is_set():
            self._start()

    def _run(self, stopped: Event) -> None:
        while not stopped.wait(self._interval):
            self.export()
        self.export()
