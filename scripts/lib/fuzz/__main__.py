"""`python -m scripts.lib.fuzz`: hostile input against a service of its own on loopback; the exit status is the verdict.

Three parts: cases over many connections, then connections that are held, with cases beside them, then cases again. A
sender that does everything right is at work all the time. Bounded in requests and in time; Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.lib.fuzz.books import executed
from scripts.lib.fuzz.driver import Driver
from scripts.lib.fuzz.sender import Sender
from scripts.lib.fuzz.service import Service
from scripts.lib.fuzz.slow import Slow

CONNECTIONS = 400
_SAMPLE_EVERY_S = 1.0
_PROGRESS_EVERY_S = 10.0
_INTERRUPTED = 130
_WARM = 0.3
"""The share of the requests after which memory is held to what it is."""

_GROWTH_MIB = 64.0
_MOST_SERIES = 2_500
"""Whatever is sent: every label has a closed list of values, or a fixed number of places."""

_MOST_P99_MS = 10_000.0
_ALL_REQUESTS = 10**12


class Watch:
    """Samples the service's memory and says how far things are."""

    def __init__(self, service: Service, driver: Driver, requests: int) -> None:
        self._service = service
        self._driver = driver
        self._requests = requests
        self.samples: list[tuple[int, float]] = []
        self.series_warm = 0

    async def run(self) -> None:
        began = shown = time.monotonic()
        while self._service.alive:
            self.samples.append((self._driver.total, self._service.rss_mib()))
            if not self.series_warm and self._driver.total >= _WARM * self._requests:
                self.series_warm = len(await asyncio.to_thread(self._service.metrics))
            if time.monotonic() - shown >= _PROGRESS_EVERY_S:
                shown = time.monotonic()
                speed = self._driver.total / (shown - began)
                print(
                    f"{self._driver.total:,} of {self._requests:,} requests, {speed:.0f}/s, "
                    f"{self.samples[-1][1]:.0f} MiB, {self._driver.found} findings",
                    flush=True,
                )
            await asyncio.sleep(_SAMPLE_EVERY_S)

    def plateau(self, begin: float, end: float) -> float:
        """The median MiB between two shares of what was sent."""
        last = self.samples[-1][0]
        window = [rss for sent, rss in self.samples if begin * last <= sent <= end * last]
        return statistics.median(window or [self.samples[-1][1]])


async def attack(
    service: Service, requests: int, seed: int, slow_seconds: float, most_seconds: float
) -> dict[str, Any]:
    """The report of one run, without what is only known after the service has stopped."""
    driver = Driver(service, seed)
    watch = Watch(service, driver, requests)
    slow = Slow(service.port, CONNECTIONS * 2, seed)
    deadline = time.monotonic() + most_seconds
    began = time.monotonic()
    series_before = len(service.metrics())
    watching = asyncio.create_task(watch.run())
    sender = Sender(service, per_second=10)
    try:
        await driver.run(requests // 2, deadline)
        seconds, first = time.monotonic() - began, driver.total
        holding = asyncio.create_task(slow.run(slow_seconds))
        await driver.run(_ALL_REQUESTS, time.monotonic() + slow_seconds, crowded=True)
        await holding
        again = time.monotonic()
        before = driver.total
        await driver.run(max(0, requests - driver.total), deadline)
        seconds += time.monotonic() - again
        uncrowded = first + driver.total - before
        series_after = len(service.metrics()) if service.alive else 0
    finally:
        watching.cancel()
        good = await asyncio.to_thread(sender.stop)
    return {
        "driver": driver,
        "seed": seed,
        "requests": driver.total,
        "requests_per_second": round(uncrowded / seconds),
        "sent": dict(driver.sent.most_common()),
        "answers": dict(driver.statuses.most_common()),
        "acknowledged": len(driver.acknowledged),
        "cut": driver.cut,
        "held": {"opened": slow.opened, "refused": slow.refused, "seconds": slow_seconds},
        "sender": good,
        "rss_mib": {
            "start": round(watch.samples[0][1]),
            "warm": round(watch.plateau(_WARM, _WARM + 0.1)),
            "end": round(watch.plateau(0.9, 1.0)),
            "most": round(max(rss for _, rss in watch.samples)),
        },
        "series": {"before": series_before, "warm": watch.series_warm, "after": series_after},
        "alive": service.alive,
    }


def judged(report: dict[str, Any], service: Service) -> list[str]:
    """All findings: of the driver, and those that only the whole run shows."""
    driver: Driver = report.pop("driver")
    good = report["sender"]
    books = executed(service.folder / "data", driver.acknowledged | set(good["order_ids"]))
    latencies = sorted(good.pop("latencies_ms")) or [float("nan")]
    report["journal"] = {"orders": books.orders, "placed": books.placed}
    report["exported_mib"] = round(service.receiver.received / 2**20, 1)
    report["sender"] = {
        "acknowledged": len(good.pop("order_ids")),
        "failures": good["failures"][:10],
        "broken_connections": len(good["broken"]),
        "p50_ms": round(statistics.median(latencies), 1),
        "p99_ms": round(latencies[int(len(latencies) * 0.99)], 1),
        "most_ms": round(latencies[-1], 1),
    }
    findings = [*driver.findings, *books.findings, *service.receiver.leaks[:10]]
    findings += service.log_faults(driver.signatures)[:20]
    findings += [f"the good sender failed: {failure}" for failure in good["failures"][:10]]
    if not report["alive"] or service.process.returncode != 0:
        findings.append(f"the service ended with {service.process.returncode}")
    rss, series = report["rss_mib"], report["series"]
    if rss["end"] > rss["warm"] + _GROWTH_MIB:
        findings.append(f"memory grew from {rss['warm']} to {rss['end']} MiB after the warm-up")
    if series["after"] > _MOST_SERIES:
        findings.append(f"the metrics have {series['after']} series, more than {_MOST_SERIES}")
    if report["sender"]["p99_ms"] > _MOST_P99_MS:
        findings.append(f"the good sender waited {report['sender']['p99_ms']} ms (P99)")
    report["found"] = driver.found + len(findings) - len(driver.findings)
    return findings


def fuzz(requests: int, seed: int, slow_seconds: float, most_seconds: float, folder: Path) -> dict[str, Any]:
    """Run it all; the report with its `findings`."""
    service = Service(folder, CONNECTIONS)
    with service.running():
        report = asyncio.run(attack(service, requests, seed, slow_seconds, most_seconds))
    report["findings"] = judged(report, service)
    return report


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.lib.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=20_000, help="how many (20,000)")
    parser.add_argument("--seed", type=int, default=1, help="of what is sent (1)")
    parser.add_argument("--slow-seconds", type=float, default=20.0, help="of held connections (20)")
    parser.add_argument("--most-seconds", type=float, default=3600.0, help="then it ends, whatever was sent (3,600)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="fillpath-fuzz-") as folder:
        try:
            report = fuzz(given.requests, given.seed, given.slow_seconds, given.most_seconds, Path(folder))
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            return _INTERRUPTED
    text = json.dumps(report, indent=2, ensure_ascii=True)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", "utf-8")
    print(f"{report['requests']:,} requests, {report['found']} findings (seed {given.seed})")
    return 1 if report["findings"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
