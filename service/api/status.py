"""What `/status` answers: the service at a glance, for people and for `fillpath check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from service.core.orders import FINAL, OrderStatus
from service.execution.assembly import Execution
from service.execution.calls import ExchangeCalls
from service.journal.protocol import Journal


def status(execution: Execution, journal: Journal, checks: Mapping[str, bool], version: str) -> dict[str, object]:
    """As a JSON object; `orders` counts those that are not done, ABSENT ones among them."""
    unfinished = (live.order.status for live in execution.register.live.values())
    counted = Counter(state.value for state in unfinished if state not in FINAL or state is OrderStatus.ABSENT)
    return {
        "version": version,
        "checks": dict(checks),
        "orders": dict(counted),
        "halts": execution.halts.names(),
        "exchanges": {name: _exchange(execution, calls) for name, calls in execution.calls.items()},
        "journal": {"writable": journal.writable, "free_bytes": journal.free_bytes},
    }


def _exchange(execution: Execution, calls: ExchangeCalls) -> dict[str, object]:
    return {
        "connected": execution.monitor.connected(calls),
        "circuit_breaker": calls.breaker_state().name.lower(),
        "clock_skew_seconds": calls.clock_skew,
        "markets": len(calls.exchange.markets),
        "findings": dict(execution.comparison.counts(calls.name)),
        "notes": {account: list(notes) for account, notes in calls.exchange.notes.items()},
    }
