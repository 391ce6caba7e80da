"""Puts the parts of the execution together, over a journal and exchanges that are given."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from service.clock import Clock
from service.core.breaker import Breaker
from service.exchanges.protocol import Exchange
from service.execution.calls import ExchangeCalls
from service.execution.cancels import Cancels
from service.execution.change_log import log_change
from service.execution.checks import SendChecks
from service.execution.comparison import Comparison
from service.execution.executor import Executor
from service.execution.follower import Follower
from service.execution.funds import AccountFunds
from service.execution.gauges import Gauges
from service.execution.halts import Halts
from service.execution.measures import OrderMeasures
from service.execution.monitor import Monitor
from service.execution.reconciler import Reconciler
from service.execution.register import Register
from service.execution.resume import resume
from service.execution.sweeper import Sweeper
from service.journal.protocol import Journal
from service.settings import PAPER, ExecutionSettings, Settings
from telemetry.facade import Telemetry

Loop = Callable[[], Coroutine[None, None, None]]
"""Runs until it is cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The parts that others use; `calls` by exchange, `accounts` by account."""

    calls: Mapping[str, ExchangeCalls]
    accounts: Mapping[str, ExchangeCalls]
    funds: Mapping[str, AccountFunds]
    halts: Halts
    register: Register
    executor: Executor
    follower: Follower
    sweeper: Sweeper
    monitor: Monitor
    comparison: Comparison

    def loops(self) -> Sequence[Loop]:
        """What runs beside the lanes until the service stops."""
        return (self.follower.run, self.sweeper.run, self.monitor.run, self.comparison.run)

    async def resume(self, journal: Journal, telemetry: Telemetry, clock: Clock) -> int:
        """Continue what the last process left unfinished; how many orders."""
        await self.comparison.load()
        return await resume(
            journal=journal,
            register=self.register,
            executor=self.executor,
            funds=self.funds,
            exchanges={name: calls.exchange for name, calls in self.calls.items()},
            telemetry=telemetry,
            clock=clock,
        )


def build_execution(
    settings: Settings, journal: Journal, exchanges: Sequence[Exchange], telemetry: Telemetry, clock: Clock
) -> Execution:
    """Everything is built, nothing runs yet."""
    calls = {exchange.name: _calls(exchange, settings.execution, telemetry, clock) for exchange in exchanges}
    accounts = {account: calls[name] for account, name in settings.accounts.items()}
    funds = {account: AccountFunds(clock) for account in accounts}
    halts = Halts(journal)
    settling = {exchange.name: exchange.rules.settling_ns for exchange in exchanges}
    register = Register(journal, telemetry, clock, settling)
    measures = OrderMeasures(telemetry, clock)
    register.observe(measures)
    register.observe(log_change)
    reconciler = Reconciler(
        register=register,
        exchanges=calls,
        telemetry=telemetry,
        clock=clock,
        first_delay=settings.execution.reconcile_first_delay,
        max_delay=settings.execution.reconcile_max_delay,
    )
    follower = Follower(
        register=register, accounts=accounts, telemetry=telemetry, clock=clock, intervals=_intervals(settings)
    )
    checks = SendChecks(
        register=register,
        journal=journal,
        funds=funds,
        halts=halts,
        max_notional={name: source.max_notional for name, source in settings.sources.items()},
        telemetry=telemetry,
        clock=clock,
    )
    executor = Executor(
        register=register,
        exchanges=calls,
        funds=funds,
        checks=checks,
        reconciler=reconciler,
        cancels=Cancels(register, follower, telemetry),
        measures=measures,
        telemetry=telemetry,
        clock=clock,
    )
    execution = Execution(
        calls=calls,
        accounts=accounts,
        funds=funds,
        halts=halts,
        register=register,
        executor=executor,
        follower=follower,
        sweeper=Sweeper(register, halts, telemetry, clock),
        monitor=Monitor(list(calls.values()), clock),
        comparison=Comparison(register=register, journal=journal, accounts=accounts, clock=clock),
    )
    _observe(execution, journal, telemetry, clock)
    return execution


def _calls(exchange: Exchange, settings: ExecutionSettings, telemetry: Telemetry, clock: Clock) -> ExchangeCalls:
    breaker = Breaker(
        failures=settings.breaker_failures, open_s=settings.breaker_open, successes=settings.breaker_successes
    )
    # The adapter bounds its requests itself, and knows then whether one had left: this is the bound behind it.
    return ExchangeCalls(exchange, telemetry, clock, breaker, timeout=settings.request_timeout * 1.5)


def _intervals(settings: Settings) -> Mapping[str, float]:
    paper = settings.execution.follow_interval
    return {
        account: paper if name == PAPER else settings.exchanges[name].follow_interval
        for account, name in settings.accounts.items()
    }


def _observe(execution: Execution, journal: Journal, telemetry: Telemetry, clock: Clock) -> None:
    Gauges(
        register=execution.register,
        exchanges=execution.calls,
        accounts=execution.accounts,
        halts=execution.halts,
        monitor=execution.monitor,
        sweeper=execution.sweeper,
        comparison=execution.comparison,
        journal=journal,
        clock=clock,
    ).register_with(telemetry)
