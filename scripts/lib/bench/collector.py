"""Where the service exports to: a real OpenTelemetry Collector where one is found, else the built-in receiver."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.lib.bench.processes import BenchError, clean_environment, free_ports, running
from scripts.lib.stack.programs import Found, find
from scripts.lib.stack.versions import OTELCOL

BUILT_IN = "built-in receiver, which discards what it gets: no collector is on the PATH, in FILLPATH_OTELCOL or built"

_LISTENS_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.05
_ACCEPTED = re.compile(r"^otelcol_receiver_accepted_spans\S*\{.*\} ([\d.e+]+)$", re.MULTILINE)

# Decodes all, keeps nothing: what a backend takes is not what is measured.
_CONFIGURATION = """\
receivers: {{ otlp: {{ protocols: {{ http: {{ endpoint: "127.0.0.1:{otlp}" }} }} }} }}
exporters: {{ debug: {{ verbosity: basic, sampling_initial: 1, sampling_thereafter: 1000000 }} }}
service:
  telemetry:
    logs: {{ level: warn }}
    metrics: {{ readers: [{{ pull: {{ exporter: {{ prometheus: {{ host: 127.0.0.1, port: {metrics} }} }} }} }}] }}
  pipelines:
    traces: {{ receivers: [otlp], exporters: [debug] }}
    metrics: {{ receivers: [otlp], exporters: [debug] }}
    logs: {{ receivers: [otlp], exporters: [debug] }}
"""


class Receiver:
    """What is at `url`; `about` says what it is."""

    def __init__(self, url: str, about: str, pid: int, metrics: str | None = None) -> None:
        self.url = url
        self.about = about
        self.pid = pid
        self._metrics = metrics

    def accepted_spans(self) -> float | None:
        """How many spans it took so far; None where it does not count."""
        if self._metrics is None:
            return None
        with urllib.request.urlopen(self._metrics, timeout=10) as answer:  # noqa: S310 - our own process
            return sum(float(count) for count in _ACCEPTED.findall(answer.read().decode()))


@contextmanager
def receiving(folder: Path, cores: Sequence[int]) -> Iterator[Receiver]:
    """Listening within the block; raises BenchError where it does not begin to."""
    folder.mkdir(parents=True, exist_ok=True)
    found = find(OTELCOL, os.environ)
    otlp, metrics = free_ports(2)
    collector = isinstance(found, Found)
    command: list[str | Path] = [sys.executable, "-m", "scripts.lib.bench.receiver", str(otlp)]
    about = BUILT_IN
    if isinstance(found, Found):
        configuration = folder / "collector.yaml"
        configuration.write_text(_CONFIGURATION.format(otlp=otlp, metrics=metrics), encoding="utf-8")
        command = [found.path, "--config", configuration]
        about = f"OpenTelemetry Collector {found.version} (from {found.origin}), which decodes all and keeps nothing"
    log = folder / "receiver.log"
    with log.open("wb") as said, running(command, clean_environment(), cores, stdout=said, stderr=said) as process:
        _wait_until_it_listens(process, otlp, log)
        url = f"http://127.0.0.1:{metrics}/metrics" if collector else None
        yield Receiver(f"http://127.0.0.1:{otlp}", about, process.pid, url)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _LISTENS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(_LOOK_EVERY_S)
    raise BenchError(f"the receiver of telemetry did not start:\n{log.read_text('utf-8', errors='replace')[-2000:]}")
