"""The only place where parts are put together: settings in, a running service out."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from service.api.authorization import RequireToken
from service.api.operator import Operator, operator_application
from service.api.public import public_application
from service.api.servers import Servers, address_of, bind
from service.api.webhook import Webhook
from service.cli.banner import banner
from service.clock import Clock, SystemClock
from service.core.breaker import Breaker
from service.core.limits import KeyedBuckets
from service.core.refusals import DenialReason, Refusal
from service.core.symbols import SymbolTable
from service.errors import ConfigurationError
from service.exchanges.paper import PaperExchange
from service.exchanges.protocol import Exchange
from service.execution.calls import ExchangeCalls
from service.execution.change_log import log_change
from service.execution.executor import Executor
from service.execution.follower import Follower
from service.execution.funds import AccountFunds
from service.execution.gauges import Gauges
from service.execution.halts import Halts
from service.execution.measures import OrderMeasures
from service.execution.monitor import Monitor
from service.execution.operations import Operations
from service.execution.reconciler import Reconciler
from service.execution.register import Register
from service.execution.resume import resume
from service.execution.sweeper import Sweeper
from service.identity import instance_id, service_version
from service.intake.address import CheckAddress, LimitFailures
from service.intake.append import Append
from service.intake.authenticate import Authenticate, Decode
from service.intake.check_risk import CheckRisk
from service.intake.idempotency import LimitSource, LookUpKey
from service.intake.normalize import Normalize
from service.intake.pipeline import Pipeline
from service.intake.size import ReadBody
from service.intake.sources import load_sources
from service.intake.validate import Validate
from service.journal.protocol import AuditEvent, JournalUnavailable
from service.journal.sqlite import CommitStats, SqliteJournal
from service.secrets import Secret, SecretStore
from service.settings import Loaded
from telemetry import conventions as c
from telemetry.facade import Telemetry
from telemetry.logs import configure_logging
from telemetry.setup import TelemetryConfig, build_telemetry

log = logging.getLogger(__name__)

_EXECUTOR_ALIVE_NS = 5_000_000_000
_CLEAN_EVERY_S = 600.0
_PROBE_EVERY_S = 15.0
_PROBE_AGAIN_S = 1.0


def telemetry_config(loaded: Loaded) -> TelemetryConfig:
    settings = loaded.settings
    return TelemetryConfig(
        engine=settings.telemetry.engine,
        service_version=service_version(),
        instance_id=instance_id(loaded.data_dir),
        environment=settings.telemetry.environment,
        otlp_endpoint=settings.telemetry.otlp_endpoint or None,
        sources=tuple(settings.sources),
        exchanges=("paper",),
        accounts=settings.accounts,
        symbols=tuple(market.symbol for market in settings.paper.symbols),
        sender_addresses=tuple(address for source in settings.sources.values() for address in source.addresses),
    )


def _paper(loaded: Loaded, clock: Clock) -> Exchange:
    return PaperExchange("paper", loaded.settings.paper, loaded.data_dir / "paper.sqlite", clock)


class Service:
    """Everything that runs; `start` in the order in which parts need each other, `stop` the other way round."""

    def __init__(
        self,
        loaded: Loaded,
        telemetry: Telemetry,
        clock: Clock,
        environ: Mapping[str, str],
        make_exchange: Callable[[Loaded, Clock], Exchange] = _paper,
    ) -> None:
        self.loaded = loaded
        self.settings = loaded.settings
        self.telemetry = telemetry
        self.clock = clock
        self._secrets = SecretStore(loaded.data_dir, environ)
        self._make_exchange = make_exchange
        self._stack = AsyncExitStack()
        self._stopping = False

    async def start(self) -> None:
        """Raises FillpathError for what the user must mend; whatever was begun is then undone."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Refuse what comes, finish what is on the wire, write the rest down."""
        self._stopping = True
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        server = self.settings.server
        self.loaded.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        public = bind(server.host, server.port, "port")
        stack.callback(public.close)
        private = bind(server.operator_host, server.operator_port, "operator_port")
        stack.callback(private.close)
        self.sources = load_sources(self.settings, self._secrets)
        token = self._secrets.operator(create=True)
        self.journal = SqliteJournal.open(self.loaded.data_dir / "journal.sqlite", on_commit=self._measure_commit)
        stack.push_async_callback(self.journal.close)
        self.exchange = self._make_exchange(self.loaded, self.clock)
        await self.exchange.start()
        stack.push_async_callback(self.exchange.close)
        self._build_execution()
        stack.push_async_callback(self.executor.stop, self.settings.server.shutdown_timeout)
        await self.journal.audit(
            AuditEvent(
                ts_ns=self.clock.now_ns(),
                event_type="configuration_load",
                client_ip="local",
                result="success",
                detail=str(self.loaded.file or "defaults"),
            )
        )
        self.telemetry.add(c.AUDIT_EVENTS, event_type="configuration_load", client_ip="unknown", result="success")
        await resume(
            journal=self.journal,
            register=self.register,
            executor=self.executor,
            funds=self.funds,
            exchanges={self.exchange.name: self.exchange},
            telemetry=self.telemetry,
            clock=self.clock,
        )
        self._start_loops(stack)
        await self._start_servers(stack, public, private, token)

    def _measure_commit(self, stats: CommitStats) -> None:
        self.telemetry.record(c.JOURNAL_COMMIT_DURATION, stats.duration_s)
        self.telemetry.record(c.JOURNAL_BATCH_SIZE, stats.batch_size)

    def _build_execution(self) -> None:
        execution, telemetry, clock = self.settings.execution, self.telemetry, self.clock
        breaker = Breaker(
            failures=execution.breaker_failures, open_s=execution.breaker_open, successes=execution.breaker_successes
        )
        self.calls = ExchangeCalls(self.exchange, telemetry, clock, breaker, timeout=execution.request_timeout)
        by_name = {self.calls.name: self.calls}
        by_account = dict.fromkeys(self.settings.accounts, self.calls)
        self.funds = {account: AccountFunds(clock) for account in self.settings.accounts}
        self.halts = Halts(self.journal)
        self.register = Register(self.journal, telemetry, clock)
        measures = OrderMeasures(telemetry, clock)
        self.register.observe(measures)
        self.register.observe(log_change)
        reconciler = Reconciler(
            register=self.register,
            exchanges=by_name,
            telemetry=telemetry,
            clock=clock,
            first_delay=execution.reconcile_first_delay,
            max_delay=execution.reconcile_max_delay,
        )
        self.executor = Executor(
            register=self.register,
            exchanges=by_name,
            funds=self.funds,
            reconciler=reconciler,
            halts=self.halts,
            max_notional={name: source.max_notional for name, source in self.settings.sources.items()},
            measures=measures,
            telemetry=telemetry,
            clock=clock,
        )
        self.follower = Follower(
            register=self.register,
            accounts=by_account,
            telemetry=telemetry,
            clock=clock,
            interval=execution.follow_interval,
        )
        self.sweeper = Sweeper(self.register, self.halts, telemetry, clock)
        self.monitor = Monitor([self.calls], clock)
        Gauges(
            register=self.register,
            exchanges=by_name,
            accounts=self.settings.accounts,
            halts=self.halts,
            monitor=self.monitor,
            sweeper=self.sweeper,
            journal=self.journal,
            clock=clock,
        ).register_with(telemetry)
        telemetry.set(c.BUILD_INFO, 1, version=service_version())

    def _start_loops(self, stack: AsyncExitStack) -> None:
        for loop in (self.follower.run, self.sweeper.run, self.monitor.run, self._clean, self._probe_journal):
            task = asyncio.create_task(loop(), name=loop.__qualname__)
            stack.push_async_callback(_cancel, task)

    async def _probe_journal(self) -> None:
        """A disk that fills up or comes back is noticed without an alert that finds out."""
        while True:
            await asyncio.sleep(_PROBE_EVERY_S if self.journal.writable else _PROBE_AGAIN_S)
            try:
                await self.journal.probe()
            except JournalUnavailable as error:
                log.warning("the journal is not writable: %s", error)

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(_CLEAN_EVERY_S)
            try:
                forgotten = await self.journal.forget_expired_answers(self.clock.now_ns())
            except JournalUnavailable:
                continue  # the probe says so; keys can wait
            log.debug("forgot %d expired idempotency keys", forgotten)

    async def _start_servers(
        self, stack: AsyncExitStack, public: socket.socket, private: socket.socket, token: Secret
    ) -> None:
        servers = Servers(
            max_connections=self.settings.server.max_connections,
            shutdown_timeout=self.settings.server.shutdown_timeout,
        )
        stack.push_async_callback(servers.stop)
        await servers.start(operator_application(self._operator(), self._authorization(token), self._checks), private)
        await servers.start(public_application(self._webhook(), self._checks), public)
        self.public_address, self.operator_address = address_of(public), address_of(private)

    def _refuses(self) -> Refusal | None:
        if self._stopping:
            return Refusal(DenialReason.SHUTTING_DOWN, "the service is stopping; send it again", retry_after=5)
        if len(self.register.live) >= self.settings.execution.max_waiting:
            detail = "too many orders wait for their exchange; send it again"
            return Refusal(DenialReason.OVERLOADED, detail, retry_after=5)
        return None

    def _checks(self) -> dict[str, bool]:
        turned_ns = self.clock.monotonic_ns() - self.sweeper.last_turn_monotonic_ns
        return {
            "journal_writable": self.journal.writable,
            "executor_alive": turned_ns < _EXECUTOR_ALIVE_NS,
            "accepting": not self._stopping,
        }

    def _webhook(self) -> Webhook:
        server, telemetry, clock = self.settings.server, self.telemetry, self.clock
        failures = KeyedBuckets(server.failures_per_minute / 60, server.failure_burst, max_keys=10_000)
        limit = LimitFailures(failures, self.sources.values(), telemetry, clock)
        accounts = dict.fromkeys(self.settings.accounts, self.exchange)
        symbols = {self.exchange.name: SymbolTable(self.exchange.markets.values())}
        steps = (
            CheckAddress(telemetry),
            limit,
            ReadBody(server.max_body_bytes, server.body_timeout),
            Decode(),
            Authenticate(telemetry, clock),
            LookUpKey(self.journal, clock),
            LimitSource(clock, self._refuses),
            Validate(telemetry),
            Normalize(accounts, symbols, telemetry),
            CheckRisk(self.halts, telemetry, clock),
            Append(self.journal, telemetry, clock),
        )
        return Webhook(
            pipeline=Pipeline(steps, limit, telemetry, clock),
            sources=self.sources,
            trusted_proxies=[ipaddress.ip_network(proxy, strict=False) for proxy in server.trusted_proxies],
            register=self.register,
            executor=self.executor,
            telemetry=telemetry,
            clock=clock,
        )

    def _operator(self) -> Operator:
        operations = Operations(
            journal=self.journal,
            register=self.register,
            follower=self.follower,
            sweeper=self.sweeper,
            halts=self.halts,
            accounts=frozenset(self.settings.accounts),
            telemetry=self.telemetry,
            clock=self.clock,
        )
        return Operator(
            journal=self.journal,
            operations=operations,
            telemetry=self.telemetry,
            trace_url=self.settings.telemetry.trace_url,
            status=self._status,
        )

    def _authorization(self, token: Secret) -> Callable[..., RequireToken]:
        return functools.partial(RequireToken, token=token, telemetry=self.telemetry)

    def _status(self) -> dict[str, object]:
        return {
            "version": service_version(),
            "checks": self._checks(),
            "orders": dict(Counter(live.order.status.value for live in self.register.live.values())),
            "halts": self.halts.names(),
            "exchanges": {
                self.calls.name: {
                    "connected": self.monitor.connected(self.calls),
                    "circuit_breaker": self.calls.breaker_state().name.lower(),
                    "clock_skew_seconds": self.calls.clock_skew,
                }
            },
            "journal": {"writable": self.journal.writable, "free_bytes": self.journal.free_bytes},
        }


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def serve(loaded: Loaded, environ: Mapping[str, str] = os.environ) -> int:
    """Run until SIGTERM or SIGINT; the exit status. Raises FillpathError for what the user must mend."""
    try:
        telemetry = build_telemetry(telemetry_config(loaded), environ)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    configure_logging(
        telemetry,
        level=loaded.settings.telemetry.log_level.upper(),
        service={"service.name": "fillpath", "service.version": service_version()},
    )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(loaded, telemetry, environ))
    finally:
        telemetry.close(timeout=5.0)
    return 0


async def _serve(loaded: Loaded, telemetry: Telemetry, environ: Mapping[str, str]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(loaded, telemetry, SystemClock(), environ)
    await service.start()
    try:
        for line in banner(service.public_address, service.operator_address, loaded.data_dir / "secrets", None):
            print(line, flush=True)  # noqa: T201 - what the person who started it reads
        await stop.wait()
        log.info("stopping")
    finally:
        await service.stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
