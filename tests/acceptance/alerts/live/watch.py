"""Which alerts Alertmanager holds, since when and until when."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

_LOOK_EVERY_S = 0.2


@dataclass(kw_only=True)
class Held:
    """One alert from when it was first seen; `gone` is when it was held no more. Times are monotonic seconds."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    receivers: list[str]
    seen: float
    gone: float | None = None

    @property
    def name(self) -> str:
        return self.labels["alertname"]

    def has(self, labels: Mapping[str, str]) -> bool:
        return labels.items() <= self.labels.items()


class Watch:
    """Asks Alertmanager all the time, in a thread of its own; `history` is everything it ever held."""

    def __init__(self, url: str) -> None:
        self.history: list[Held] = []
        self._http = httpx.Client(base_url=url, timeout=10, trust_env=False)
        self._current: dict[frozenset[tuple[str, str]], Held] = {}
        self._changed = threading.Condition()
        self._end = threading.Event()
        self._error: str = ""
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self._http.close()

    def fires(self, labels: Mapping[str, str], *, since: float, until: float) -> Held | None:
        """The first alert with these labels that was seen after `since`; None when there is none by `until`."""

        def found() -> Held | None:
            return next((one for one in self.history if one.seen >= since and one.has(labels)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None, timeout=max(0.0, until - time.monotonic()))
            return found()

    def resolves(self, labels: Mapping[str, str], *, until: float) -> float | None:
        """When the last alert with these labels was gone; None where one is still held at `until`."""

        def none_left() -> bool:
            return not any(one.has(labels) for one in self._current.values())

        with self._changed:
            if not self._changed.wait_for(none_left, timeout=max(0.0, until - time.monotonic())):
                return None
            return max(one.gone for one in self.history if one.has(labels) and one.gone is not None)

    def names(self) -> set[str]:
        """What is held now."""
        with self._changed:
            return {one.name for one in self._current.values()}

    @property
    def error(self) -> str:
        """Why Alertmanager could not be asked the last time; empty where it could."""
        return self._error

    def _run(self) -> None:
        while not self._end.wait(_LOOK_EVERY_S):
            try:
                answer = self._http.get("/api/v2/alerts")
                answer.raise_for_status()
            except httpx.HTTPError as error:
                # What it held before stands until it answers: a busy machine is no reason to call an alert gone.
                self._error = f"{type(error).__name__}: {error}"
                continue
            self._error = ""
            self._note(answer.json())

    def _note(self, alerts: list[dict[str, Any]]) -> None:
        now = time.monotonic()
        with self._changed:
            held = {frozenset(alert["labels"].items()): alert for alert in alerts}
            for key in self._current.keys() - held.keys():
                self._current.pop(key).gone = now
            for key in held.keys() - self._current.keys():
                alert = held[key]
                receivers = [receiver["name"] for receiver in alert["receivers"]]
                one = Held(labels=alert["labels"], annotations=alert["annotations"], receivers=receivers, seen=now)
                self._current[key] = one
                self.history.append(one)
            self._changed.notify_all()
