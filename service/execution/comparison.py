"""The comparison of exchange and journal: what one side knows and the other does not.

At the start, after an outage and from time to time. Bringing an order up to the exchange's state is the follower's;
here is what cannot be explained by time alone. What does not carry our id is foreign: counted, and nobody's fault.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from service.clock import Clock
from service.core.markets import Balance, MarketType, Position
from service.core.orders import RESTING, Order, OrderStatus
from service.core.outcomes import ExchangeRules, OrderReport
from service.exchanges.protocol import ExchangeUnavailable, Priority
from service.execution.calls import ExchangeCalls
from service.execution.register import Register
from service.journal.protocol import Finding, Journal, JournalUnavailable

log = logging.getLogger(__name__)

MISSING_AT_EXCHANGE = "missing_at_exchange"
MISSING_IN_JOURNAL = "missing_in_journal"
IMPOSSIBLE = "impossible_transition"
FOREIGN = "foreign"

_TURN_S = 1.0
_EVERY_NS = 900 * 1_000_000_000
_OUTAGE_NS = 60 * 1_000_000_000
_MAY_BE_OPEN = frozenset({OrderStatus.RECEIVED, OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT, OrderStatus.ABSENT})


class Comparison:
    """`accounts` says at which exchange each account is; the last findings are `findings`, by account."""

    def __init__(
        self, *, register: Register, journal: Journal, accounts: Mapping[str, ExchangeCalls], clock: Clock
    ) -> None:
        self._register = register
        self._journal = journal
        self._accounts = accounts
        self._clock = clock
        self._compared_ns: dict[str, int] = {}
        self._answered_ns: dict[str, int] = {}
        self.findings: dict[str, Sequence[Finding]] = {}

    async def load(self) -> None:
        """What the last process found holds until this one has looked."""
        found: dict[str, list[Finding]] = {account: [] for account in self._accounts}
        for finding in await self._journal.findings():
            if finding.account in found:
                found[finding.account].append(finding)
        self.findings.update(found)

    def counts(self, exchange: str) -> Counter[str]:
        """Findings of an exchange by kind; facts that fit no state of an order are among them."""
        kinds = Counter(x.kind for found in self.findings.values() for x in found if x.exchange == exchange)
        kinds[IMPOSSIBLE] += self._register.impossible_facts.get(exchange, 0)
        return kinds

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(*(self._watch(account) for account in self._accounts))

    async def _watch(self, account: str) -> None:
        while True:
            try:
                if self._is_due(account):
                    await self.compare(account)
                    self._compared_ns[account] = self._clock.monotonic_ns()
            except (ExchangeUnavailable, JournalUnavailable) as error:
                log.warning("comparing %s: %s", account, error)
            except Exception:  # as the follower: a defect here must not end the comparisons to come
                log.exception("comparing %s failed", account)
                self._compared_ns[account] = self._clock.monotonic_ns()
            await asyncio.sleep(_TURN_S)

    def _is_due(self, account: str) -> bool:
        """At the start, every 15 minutes, and when an exchange answers again after a minute without an answer."""
        answered_ns = self._accounts[account].answered_ns
        before_ns = self._answered_ns.get(account)
        if answered_ns is not None:
            self._answered_ns[account] = answered_ns
        outage = answered_ns is not None and before_ns is not None and answered_ns - before_ns > _OUTAGE_NS
        compared_ns = self._compared_ns.get(account)
        return outage or compared_ns is None or self._clock.monotonic_ns() - compared_ns >= _EVERY_NS

    async def compare(self, account: str) -> Sequence[Finding]:
        """One comparison; raises ExchangeUnavailable where the exchange does not answer."""
        calls = self._accounts[account]
        findings = [
            *await self._open_orders(account, calls),
            *self._missing(account, calls.exchange.rules),
            *await self._holdings(account, calls),
        ]
        now_ns = self._clock.now_ns()
        await self._journal.replace_findings(account, calls.name, findings, now_ns)
        for finding in findings:
            if finding.kind != FOREIGN:
                log.error("%s at %s: %s", finding.kind, account, finding.detail, extra={"reference": finding.reference})
        self.findings[account] = findings
        return findings

    async def _open_orders(self, account: str, calls: ExchangeCalls) -> list[Finding]:
        await calls.exchange.slot(account, Priority.FOLLOW)
        reports = await calls.open_orders(account)
        ids = [report.client_order_id for report in reports if report.client_order_id]
        # Read after the exchange's answer: an order that came in meanwhile is in the journal by now.
        known = await self._journal.known_client_order_ids(calls.name, account, ids)
        findings = (self._judge(account, calls, report, known.get(report.client_order_id)) for report in reports)
        return [finding for finding in findings if finding is not None]

    def _judge(self, account: str, calls: ExchangeCalls, report: OrderReport, order: Order | None) -> Finding | None:
        make = _Maker(calls.name, account)
        filled = f"{report.status} (filled {report.filled_qty:f})"
        reference = report.client_order_id or report.exchange_order_id
        if order is None:
            ours = calls.exchange.is_ours(report.client_order_id)
            kind = MISSING_IN_JOURNAL if ours else FOREIGN
            return make(kind, reference, report.symbol, f"open at the exchange, {filled}, not in the journal")
        if order.exchange_order_id not in {None, report.exchange_order_id}:
            detail = f"{filled}, a second order under the id of {order.exchange_order_id}"
            return make(MISSING_IN_JOURNAL, report.exchange_order_id, report.symbol, detail)
        if order.status in RESTING | _MAY_BE_OPEN or order.id in self._register.live:
            return None  # followed, or looked up
        return make(IMPOSSIBLE, reference, report.symbol, f"{filled} at the exchange, {order.status} in the journal")

    def _missing(self, account: str, rules: ExchangeRules) -> list[Finding]:
        """Orders that rest by the journal and that the exchange, asked for longer than it may hide them, denies."""
        findings = []
        for live in self._register.resting(account):
            since_ns = live.missing_since_ns
            if since_ns is not None and self._clock.monotonic_ns() - since_ns > rules.visibility_delay_ns:
                order = live.order
                detail = f"{order.status} in the journal, unknown to the exchange"
                make = _Maker(order.exchange, account)
                findings.append(make(MISSING_AT_EXCHANGE, order.client_order_id, order.symbol, detail))
        return findings

    async def _holdings(self, account: str, calls: ExchangeCalls) -> list[Finding]:
        """Positions and balances carry no id: a difference to what went through us is shown as foreign."""
        held = await self._journal.holdings(calls.name, account)
        await calls.exchange.slot(account, Priority.FOLLOW)
        make = _Maker(calls.name, account)
        if calls.exchange.market_type(account) is MarketType.SWAP:
            positions = await calls.fetch_positions(account, None)
            moving = {symbol for symbol in positions.keys() | held.keys() if self._is_moving(account, symbol)}
            return [finding for finding in _positions(make, held, positions) if finding.symbol not in moving]
        balances = await calls.fetch_balances(account, None)
        if any(self._is_moving(account, symbol) for symbol in held):
            return []
        return _balances(make, held, balances)

    def _is_moving(self, account: str, symbol: str) -> bool:
        """Whether something was executed so lately, or is so little known yet, that the two sides may still differ."""
        live = self._register.of_symbol(account, symbol)
        if any(x.lacks_fills or x.uncertain or x.order.status in RESTING for x in live):
            return True
        settling_ns = self._accounts[account].exchange.rules.settling_ns
        return self._register.since_execution_ns(account, symbol) < settling_ns


class _Maker(msgspec.Struct, frozen=True):
    exchange: str
    account: str

    def __call__(self, kind: str, reference: str, symbol: str | None, detail: str) -> Finding:
        return Finding(
            exchange=self.exchange,
            account=self.account,
            kind=kind,
            reference=reference,
            symbol=symbol,
            detail=detail,
        )


def _positions(make: _Maker, held: Mapping[str, Decimal], positions: Mapping[str, Position]) -> list[Finding]:
    findings = []
    for symbol in sorted(positions.keys() | held.keys()):
        there = positions[symbol].quantity if symbol in positions else Decimal(0)
        ours = held.get(symbol, Decimal(0))
        if there != ours:
            detail = f"position {there:f} at the exchange, {ours:f} through us"
            findings.append(make(FOREIGN, f"position {symbol}", symbol, detail))
    return findings


def _balances(make: _Maker, held: Mapping[str, Decimal], balances: Mapping[str, Balance]) -> list[Finding]:
    """Only what is missing: coins that are there besides ours are nobody's business."""
    ours: defaultdict[str, Decimal] = defaultdict(Decimal)
    for symbol, quantity in held.items():
        ours[symbol.partition("/")[0]] += quantity
    findings = []
    for currency, quantity in sorted(ours.items()):
        there = balances[currency].total if currency in balances else Decimal(0)
        if there < quantity:
            detail = f"{there:f} {currency} at the exchange, {quantity:f} bought through us and not sold"
            findings.append(make(FOREIGN, f"balance {currency}", None, detail))
    return findings
