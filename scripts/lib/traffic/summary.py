"""What a run showed, against its targets."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from scripts.lib.traffic.records import Batch, Example

P95_BELOW_MS = 100.0
SUCCESS_ABOVE = 0.95
RATE_PER_S = 1000.0
_RATE_TOLERANCE = 0.99
"""A run of a minute ends within some milliseconds of it, not on the dot."""

LATE_S = 0.02
_LATE_SHARE = 0.01


class Figure(NamedTuple):
    """One target: what was wanted, what was measured, and whether that is good enough."""

    name: str
    wanted: str
    measured: str
    met: bool


class Summary(NamedTuple):
    """Latencies are milliseconds; `rate` is answers a second; `asked_rate` None where as fast as answers came.

    `cpu_us` is what the sender itself took of a core, microseconds a request.
    """

    title: str
    seconds: float
    sent: int
    answered: int
    right: int
    lanes: int
    asked_rate: float | None
    latencies: dict[str, float]
    statuses: dict[str, int]
    kinds: dict[str, dict[str, int]]
    examples: Sequence[Example]
    queued: int
    cpu_us: float
    late_share: float
    late_most_ms: float
    interrupted: bool

    @property
    def success(self) -> float:
        """The share that was answered as it should be: 202 for what is good, its refusal for the rest."""
        return self.right / self.sent if self.sent else 0.0

    @property
    def rate(self) -> float:
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def fell_behind(self) -> bool:
        """Whether the sender itself, not the service, was late with more than a hundredth of the requests."""
        return self.late_share > _LATE_SHARE

    @property
    def figures(self) -> list[Figure]:
        """The targets that this run can be held to; the rate is one only where a rate was asked for."""
        p95 = self.latencies["p95"]
        found = [
            Figure(
                "answered as expected",
                f"above {SUCCESS_ABOVE:.0%}",
                f"{self.success:.2%}",
                self.success > SUCCESS_ABOVE,
            ),
            Figure("P95", f"below {P95_BELOW_MS:g} ms", f"{p95:.1f} ms", p95 < P95_BELOW_MS),
        ]
        if self.asked_rate is not None:
            met = self.rate >= self.asked_rate * _RATE_TOLERANCE
            found.append(Figure("rate", f"{self.asked_rate:,.0f}/s", f"{self.rate:,.1f}/s", met))
        return found

    @property
    def passed(self) -> bool:
        return self.sent > 0 and all(figure.met for figure in self.figures)

    @property
    def notes(self) -> list[str]:
        """What a reader has to know to judge the figures."""
        found = []
        if self.interrupted:
            found.append("interrupted: these are the figures so far")
        if self.fell_behind:
            found.append(
                f"the sender fell behind: {self.late_share:.1%} of the requests left more than {LATE_S * 1000:g} ms "
                f"late ({self.late_most_ms:.0f} ms at worst) for want of CPU here; the latencies contain that"
            )
        if self.queued:
            found.append(f"{self.queued} requests waited because every connection was busy; more: --concurrent")
        if self.asked_rate is not None and self.asked_rate < RATE_PER_S:
            found.append(f"{RATE_PER_S:,.0f}/s is the target of a load test; {self.asked_rate:,.0f}/s were asked for")
        return found

    @property
    def document(self) -> dict[str, Any]:
        """All of it for a program."""
        plain = {key: value for key, value in self._asdict().items() if key != "examples"}
        return plain | {
            "success": self.success,
            "rate": self.rate,
            "fell_behind": self.fell_behind,
            "unexpected": [example._asdict() for example in self.examples],
            "targets": [figure._asdict() for figure in self.figures],
            "passed": self.passed,
            "notes": self.notes,
        }


def summarize(
    title: str,
    batch: Batch,
    seconds: float,
    *,
    cpu_seconds: float = 0.0,
    asked_rate: float | None = None,
    interrupted: bool = False,
) -> Summary:
    """The figures of what was recorded."""
    statuses: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {}
    for outcome, count in batch.outcomes.items():
        status = str(outcome.status or "no answer")
        statuses[status] += count
        kinds.setdefault(outcome.kind, Counter())[status] += count
    late = sum(1 for seconds_late in batch.late if seconds_late > LATE_S)
    return Summary(
        title=title,
        seconds=seconds,
        sent=batch.finished,
        answered=batch.answered,
        right=batch.right,
        lanes=len(batch.lanes),
        asked_rate=asked_rate,
        latencies=percentiles(batch.latencies),
        statuses=dict(sorted(statuses.items())),
        kinds={kind: dict(sorted(counts.items())) for kind, counts in sorted(kinds.items())},
        examples=batch.examples,
        queued=batch.queued,
        cpu_us=cpu_seconds / batch.finished * 1e6 if batch.finished else 0.0,
        late_share=late / len(batch.late) if batch.late else 0.0,
        late_most_ms=max(batch.late, default=0.0) * 1000,
        interrupted=interrupted,
    )


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """P50, P95, P99 and the largest, in milliseconds; infinite where nothing was measured."""
    ordered = sorted(seconds)
    found = {f"p{share}": percentile(ordered, share / 100) * 1000 for share in (50, 95, 99)}
    return found | {"max": percentile(ordered, 1) * 1000}


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of all values does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else math.inf
