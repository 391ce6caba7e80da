"""Gauges of the execution, read at each collection from what the service knows at that moment.

The reads run on a telemetry thread: they copy what they look at and change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from service.clock import Clock
from service.core.orders import RESTING, OrderStatus
from service.execution.calls import ExchangeCalls
from service.execution.comparison import Comparison
from service.execution.halts import ALL, Halts
from service.execution.monitor import Monitor
from service.execution.register import LiveOrder, Register
from service.execution.sweeper import Sweeper
from service.journal.protocol import Journal
from telemetry import conventions as c
from telemetry.facade import Labels, Telemetry

Points = Iterable[tuple[float, Labels]]


class Gauges:
    def __init__(
        self,
        *,
        register: Register,
        exchanges: Mapping[str, ExchangeCalls],
        accounts: Iterable[str],
        halts: Halts,
        monitor: Monitor,
        sweeper: Sweeper,
        comparison: Comparison,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._register = register
        self._exchanges = exchanges
        self._accounts = (ALL, *accounts)
        self._halts = halts
        self._monitor = monitor
        self._sweeper = sweeper
        self._comparison = comparison
        self._journal = journal
        self._clock = clock

    def register_with(self, telemetry: Telemetry) -> None:
        reads: Mapping[c.Gauge, Callable[[], Points]] = {
            c.ORDERS_IN_DOUBT: lambda: self._count(lambda live: live.order.status is OrderStatus.IN_DOUBT),
            c.ORDERS_IN_DOUBT_OLDEST: self._oldest_in_doubt,
            c.ORDERS_OPEN: lambda: self._count(lambda live: live.order.status in RESTING),
            c.RECONCILIATION_FINDINGS: self._findings,
            c.CIRCUIT_BREAKER_STATE: lambda: self._each(lambda calls: float(calls.breaker_state())),
            c.EXCHANGE_CONNECTIONS: lambda: self._each(lambda calls: float(self._monitor.connected(calls))),
            c.EXCHANGE_CLOCK_SKEW: lambda: self._each(lambda calls: calls.clock_skew),
            c.JOURNAL_BACKLOG: lambda: [(float(len(self._unsent())), {})],
            c.JOURNAL_OLDEST_PENDING: self._oldest_pending,
            c.JOURNAL_WRITABLE: lambda: [(float(self._journal.writable), {})],
            c.JOURNAL_FREE: lambda: [(float(self._journal.free_bytes), {})],
            c.KILL_SWITCH_ENGAGED: self._kill_switch,
            c.HEARTBEAT_TIMESTAMP: lambda: [(self._sweeper.last_turn_ns / 1e9, {})],
        }
        for gauge, read in reads.items():
            telemetry.observe(gauge, read)

    def _live(self) -> list[LiveOrder]:
        return list(self._register.live.values())

    def _count(self, counts: Callable[[LiveOrder], bool]) -> Points:
        found = Counter(live.order.exchange for live in self._live() if counts(live))
        return [(float(found[name]), {"exchange": name}) for name in self._exchanges]

    def _each(self, value: Callable[[ExchangeCalls], float]) -> Points:
        return [(value(calls), {"exchange": name}) for name, calls in self._exchanges.items()]

    def _oldest_in_doubt(self) -> Points:
        now_ns = self._clock.monotonic_ns()
        ages = dict.fromkeys(self._exchanges, 0.0)
        for live in self._live():
            if live.order.status is OrderStatus.IN_DOUBT:
                # Counted from receipt: it survives a restart and is never too small.
                age = (now_ns - live.received_monotonic_ns) / 1e9
                ages[live.order.exchange] = max(ages[live.order.exchange], age)
        return [(age, {"exchange": name}) for name, age in ages.items()]

    def _findings(self) -> Points:
        points = []
        for name in self._exchanges:
            counts = self._comparison.counts(name)
            points += [(float(counts[kind]), {"exchange": name, "kind": kind}) for kind in c.FINDING_KIND.values]
        return points

    def _unsent(self) -> list[LiveOrder]:
        return [live for live in self._live() if live.order.status is OrderStatus.RECEIVED]

    def _oldest_pending(self) -> Points:
        now_ns = self._clock.monotonic_ns()
        oldest = min((live.received_monotonic_ns for live in self._unsent()), default=now_ns)
        return [((now_ns - oldest) / 1e9, {})]

    def _kill_switch(self) -> Points:
        levels = self._halts.levels
        return [(float(levels.get(account, 0)), {"account": account}) for account in self._accounts]
