"""The only place where parts are put together: settings in, a running service out."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from service.api.authorization import RequireToken
from service.api.operator import Operator, operator_application
from service.api.public import public_application
from service.api.servers import Servers, address_of, bind
from service.api.status import status
from service.api.webhook import Webhook
from service.cli.banner import banner
from service.clock import Clock, SystemClock
from service.core.limits import KeyedBuckets
from service.core.refusals import DenialReason, Refusal
from service.errors import ConfigurationError
from service.exchanges.paper import PaperExchange
from service.exchanges.protocol import Exchange
from service.exchanges.settings import ExchangeSettings
from service.exchanges.starting import start_exchanges, start_late
from service.execution.assembly import Loop, build_execution
from service.execution.operations import Operations
from service.folders import make_folder
from service.garbage import collect_calmly
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
from service.settings import PAPER, Loaded
from telemetry import conventions as c
from telemetry.choice import Choice, choose
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
        exchanges=settings.exchange_names,
        accounts=tuple(settings.accounts),
        symbols=settings.symbols,
        sender_addresses=tuple(address for source in settings.sources.values() for address in source.addresses),
    )


def make_exchanges(loaded: Loaded, secrets: SecretStore, telemetry: Telemetry, clock: Clock) -> Sequence[Exchange]:
    """Every configured exchange; raises ConfigurationError or SecretError for what the user must mend."""
    settings = loaded.settings
    exchanges: list[Exchange] = []
    if settings.paper.accounts:
        exchanges.append(PaperExchange(PAPER, settings.paper, loaded.data_dir / "paper.sqlite", clock))
    if settings.exchanges:
        # Imported here: it takes most of a second, which a service with the paper exchange alone need not spend.
        from service.exchanges.ccxt.factory import make_ccxt_exchanges  # noqa: PLC0415 - see above

        exchanges += make_ccxt_exchanges(settings, secrets, telemetry, clock)
    return exchanges


def check_keys(name: str, account: str, exchange: ExchangeSettings, keys: Mapping[str, Secret]) -> None:
    """Whether an account's keys are all that its exchange asks for; raises ConfigurationError where they are not."""
    from service.exchanges.ccxt.factory import check_keys as check  # noqa: PLC0415 - as above

    check(name, account, exchange, keys)


MakeExchanges = Callable[[Loaded, SecretStore, Telemetry, Clock], Sequence[Exchange]]


class Service:
    """Everything that runs; `start` in the order in which parts need each other, `stop` the other way round."""

    def __init__(
        self,
        loaded: Loaded,
        telemetry: Telemetry,
        clock: Clock,
        environ: Mapping[str, str],
        make: MakeExchanges = make_exchanges,
    ) -> None:
        self.loaded = loaded
        self.settings = loaded.settings
        self.telemetry = telemetry
        self.clock = clock
        self._secrets = SecretStore(loaded.data_dir, environ)
        self._make_exchanges = make
        self._commit_duration = telemetry.histogram(c.JOURNAL_COMMIT_DURATION)
        self._batch_size = telemetry.histogram(c.JOURNAL_BATCH_SIZE)
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
        make_folder(self.loaded.data_dir)
        public = bind(server.host, server.port, "port")
        stack.callback(public.close)
        private = bind(server.operator_host, server.operator_port, "operator_port")
        stack.callback(private.close)
        self.sources = load_sources(self.settings, self._secrets)
        token = self._secrets.operator(create=True)
        self.journal = SqliteJournal.open(
            self.loaded.data_dir / "journal.sqlite", clock=self.clock, on_commit=self._measure_commit
        )
        stack.push_async_callback(self.journal.close)
        self.exchanges = self._make_exchanges(self.loaded, self._secrets, self.telemetry, self.clock)
        for exchange in self.exchanges:
            stack.push_async_callback(exchange.close)
        late = await start_exchanges(self.exchanges)
        self.execution = build_execution(self.settings, self.journal, self.exchanges, self.telemetry, self.clock)
        self.telemetry.set(c.BUILD_INFO, 1, version=service_version())
        stack.push_async_callback(self.execution.executor.stop, self.settings.server.shutdown_timeout)
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
        await self.execution.resume(self.journal, self.telemetry, self.clock)
        self._start_loops(stack, late)
        await self._start_servers(stack, public, private, token)

    def _measure_commit(self, stats: CommitStats) -> None:
        self._commit_duration.record(stats.duration_s)
        self._batch_size.record(stats.batch_size)

    def _start_loops(self, stack: AsyncExitStack, late: Sequence[Exchange]) -> None:
        starts = (functools.partial(start_late, exchange) for exchange in late)
        loops: Sequence[Loop] = (*self.execution.loops(), self._clean, self._probe_journal, *starts)
        for loop in loops:
            task = asyncio.create_task(loop())
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
                forgotten = await self.journal.forget_expired_answers(self.journal.kept_ns())
            except JournalUnavailable:
                continue  # the probe says so; keys can wait
            log.debug("forgot %d expired idempotency keys", forgotten)

    async def _start_servers(
        self, stack: AsyncExitStack, public: socket.socket, private: socket.socket, token: Secret
    ) -> None:
        servers = Servers(
            max_connections=self.settings.server.max_connections,
            body_timeout=self.settings.server.body_timeout,
            shutdown_timeout=self.settings.server.shutdown_timeout,
            refused=self._count_refused_connection,
        )
        stack.push_async_callback(servers.stop)
        await servers.start(operator_application(self._operator(), self._authorization(token), self._checks), private)
        await servers.start(public_application(self._webhook(), self._checks), public)
        self.public_address, self.operator_address = address_of(public), address_of(private)

    def _count_refused_connection(self, reason: DenialReason) -> None:
        self.telemetry.add(c.DENIALS, source="unknown", reason=reason.value)

    def _refuses(self) -> Refusal | None:
        if self._stopping:
            return Refusal(DenialReason.SHUTTING_DOWN, "the service is stopping; send it again", retry_after=5)
        if len(self.execution.register.live) >= self.settings.execution.max_waiting:
            detail = "too many orders wait for their exchange; send it again"
            return Refusal(DenialReason.OVERLOADED, detail, retry_after=5)
        return None

    def _checks(self) -> dict[str, bool]:
        turned_ns = self.clock.monotonic_ns() - self.execution.sweeper.last_turn_monotonic_ns
        return {
            "journal_writable": self.journal.writable,
            "executor_alive": turned_ns < _EXECUTOR_ALIVE_NS,
            "accepting": not self._stopping,
        }

    def _webhook(self) -> Webhook:
        server, telemetry, clock = self.settings.server, self.telemetry, self.clock
        failures = KeyedBuckets(server.failures_per_minute / 60, server.failure_burst, max_keys=10_000)
        limit = LimitFailures(failures, self.sources.values(), telemetry, clock)
        accounts = {account: calls.exchange for account, calls in self.execution.accounts.items()}
        steps = (
            CheckAddress(telemetry),
            limit,
            ReadBody(server.max_body_bytes, server.body_timeout),
            Decode(),
            Authenticate(telemetry, clock),
            LookUpKey(self.journal),
            LimitSource(clock, self._refuses),
            Validate(telemetry),
            Normalize(accounts, telemetry, clock),
            CheckRisk(self.execution.halts, telemetry, clock),
        )
        return Webhook(
            pipeline=Pipeline(steps, Append(self.journal, telemetry), limit, telemetry, clock),
            sources=self.sources,
            trusted_proxies=[ipaddress.ip_network(proxy, strict=False) for proxy in server.trusted_proxies],
            register=self.execution.register,
            executor=self.execution.executor,
            telemetry=telemetry,
            clock=clock,
        )

    def _operator(self) -> Operator:
        operations = Operations(
            journal=self.journal,
            register=self.execution.register,
            follower=self.execution.follower,
            sweeper=self.execution.sweeper,
            halts=self.execution.halts,
            comparison=self.execution.comparison,
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
        return status(self.execution, self.journal, self._checks(), service_version())


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def serve(loaded: Loaded, environ: Mapping[str, str] = os.environ) -> int:
    """Run until SIGTERM or SIGINT; the exit status. Raises FillpathError for what the user must mend."""
    config = telemetry_config(loaded)
    try:
        choice = choose(config.engine, config.otlp_endpoint, environ)
        telemetry = build_telemetry(config, environ, choice)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    configure_logging(
        telemetry,
        level=loaded.settings.telemetry.log_level.upper(),
        service={"service.name": "fillpath", "service.version": service_version()},
    )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(loaded, telemetry, environ, choice))
    finally:
        telemetry.close(timeout=5.0)
    return 0


async def _serve(loaded: Loaded, telemetry: Telemetry, environ: Mapping[str, str], choice: Choice) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(loaded, telemetry, SystemClock(), environ)
    await service.start()
    collect_calmly()
    # Not before: a start that is refused says why, in one line, and nothing else.
    _say(choice)
    try:
        for line in banner(service.public_address, service.operator_address, loaded.data_dir / "secrets", None):
            print(line, flush=True)  # noqa: T201 - what the person who started it reads
        await stop.wait()
        log.info("stopping")
    finally:
        await service.stop()


def _say(choice: Choice) -> None:
    engine, declaration = choice
    log.log(logging.WARNING if engine.because else logging.INFO, "telemetry engine: %s", engine)
    if declaration is not None:
        log.log(logging.WARNING if declaration.left_out else logging.INFO, "%s", declaration)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
