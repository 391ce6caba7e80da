"""The stack that all tests here share, with whoever asks its servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from scripts.lib.stack import Addresses, Ports, Stack
from tests.acceptance.stack.exposition import OPEN_METRICS, Exposition, read
from tests.acceptance.stack.fillpath import PAPER, Fillpath
from tests.acceptance.stack.jaeger import Jaeger
from tests.acceptance.stack.prometheus import Prometheus
from tests.acceptance.stack.waiting import eventually

EXPORT_S = 5.0
SCRAPE_S = 5.0
METRIC_WITHIN_S = EXPORT_S + 2 * SCRAPE_S
"""From a record to its value in Prometheus, at most."""
TRACE_WITHIN_S = 10.0
"""From a trace's last span to the trace in Jaeger, at most."""


class Lab(NamedTuple):
    stack: Stack
    jaeger: Jaeger
    prometheus: Prometheus

    @property
    def addresses(self) -> Addresses:
        return self.stack.addresses

    @property
    def log_file(self) -> Path:
        """Where the collector writes what was logged."""
        return self.stack.layout.log_file

    def fillpath(self, folder: Path, configuration: str = PAPER, **environ: str) -> Fillpath:
        """A service of one's own, not started yet, that exports to this stack."""
        return Fillpath(folder, self.stack.ports, self.log_file, configuration, **environ)

    def collected(self, service: Fillpath, accept: str = OPEN_METRICS) -> Exposition:
        """A service's metrics as the collector shows them."""
        return read(f"{self.addresses.collector_prometheus}/metrics", accept, service.instance)

    def after_pushes(self, service: Fillpath, pushes: int = 1) -> Exposition:
        """The collector's view after so many further exports of the service, each after this call."""
        shown = self.collected(service)
        since = read(service.metrics_url, OPEN_METRICS).heartbeat
        for _ in range(pushes):

            def newer(since: float = since) -> Exposition | None:
                now = self.collected(service)
                # An executor turns about every second: what is newer than the last one is another export.
                return now if now.heartbeat > since else None

            found = eventually(newer, within=60)
            assert found is not None
            shown, since = found, found.heartbeat
        return shown

    def until_scraped(self, service: Fillpath) -> None:
        """Return once Prometheus has everything that the service has counted by now."""
        heartbeat = f'execution_heartbeat_timestamp_seconds{{instance="{service.instance}"}}'
        since = read(service.metrics_url, OPEN_METRICS).heartbeat
        eventually(lambda: (self.prometheus.value(heartbeat) or 0.0) > since)

    def logged(self) -> Iterator[dict[str, Any]]:
        """Every record in the collector's log file, with `instance` and plain `attributes`."""
        for line in self.log_file.read_text("utf-8").splitlines():
            for resource in json.loads(line)["resourceLogs"]:
                about = _plain(resource["resource"])
                for scope in resource["scopeLogs"]:
                    for record in scope["logRecords"]:
                        instance = about.get("service.instance.id")
                        yield record | {"instance": instance, "attributes": _plain(record)}


@contextmanager
def standing(folder: Path, *servers: str) -> Iterator[Lab]:
    """These servers on free ports, up within the block; StackError where one does not start."""
    stack = Stack(folder, Ports.free(), only=frozenset(servers))
    jaeger, prometheus = Jaeger(stack.addresses.jaeger_query), Prometheus(stack.addresses.prometheus)
    try:
        stack.up()
        yield Lab(stack, jaeger, prometheus)
    finally:
        jaeger.close()
        prometheus.close()
        stack.down()


def _plain(holder: dict[str, Any]) -> dict[str, str]:
    return {item["key"]: str(next(iter(item["value"].values()), "")) for item in holder.get("attributes", ())}
