"""What a worker tells while it sends: counts and latencies since it last did."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

EXAMPLES = 5


class Outcome(NamedTuple):
    """One kind with one status; 0 where no answer came."""

    kind: str
    status: int
    right: bool


class Example(NamedTuple):
    """An answer that was not the right one."""

    kind: str
    expected: int
    status: int
    said: str


@dataclass(slots=True)
class Batch:
    """`latencies` are seconds, without the requests that asked to wait for the outcome.

    `late` are seconds by which the sender itself was behind at worst; `queued` are requests that waited because every
    connection was busy. `sent` counts those under way too.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    latencies: array[float] = field(default_factory=lambda: array("d"))
    lanes: set[tuple[str, str]] = field(default_factory=set)
    examples: list[Example] = field(default_factory=list)
    sent: int = 0
    queued: int = 0
    late: array[float] = field(default_factory=lambda: array("d"))

    def add(self, other: Batch) -> None:
        self.outcomes.update(other.outcomes)
        self.latencies.extend(other.latencies)
        self.lanes |= other.lanes
        self.examples = [*self.examples, *other.examples][:EXAMPLES]
        self.sent += other.sent
        self.queued += other.queued
        self.late.extend(other.late)

    @property
    def answered(self) -> int:
        return sum(count for outcome, count in self.outcomes.items() if outcome.status)

    @property
    def finished(self) -> int:
        """Answered, or known to stay without an answer."""
        return self.outcomes.total()

    @property
    def right(self) -> int:
        return sum(count for outcome, count in self.outcomes.items() if outcome.right)
