"""Sends cases over many connections, several a connection, and judges every answer."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from scripts.lib.fuzz import answers
from scripts.lib.fuzz.alerts import Alerts
from scripts.lib.fuzz.answers import NotHttp, Reader
from scripts.lib.fuzz.cases import Case
from scripts.lib.fuzz.heads import Heads
from scripts.lib.fuzz.operators import Operators
from scripts.lib.fuzz.service import Service

WORKERS = 12
_BATCH = (1, 30)
_WITHIN_S = 120.0
_SHARE_OPERATOR = 0.03
_SHARE_ENDING = 0.9
_SHARE_PROXY = 0.4
_SHARE_LISTED = 0.85
_KEPT = 40
_SIGNATURES = 200
_SIGNATURE = re.compile(rb"(?:v1,|x-signature: )([A-Za-z0-9+/=]{40,})", re.IGNORECASE)
_READ = 1 << 20


class Driver:
    """Counts, findings and acknowledged orders of everything that was sent."""

    def __init__(self, service: Service, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - the same again is what is wanted
        self._chance = chance
        self._service = service
        self._alerts = Alerts(chance, service.secrets, f"run{seed}")
        self._heads = Heads(chance, self._alerts)
        self._operators = Operators(chance, service.secrets)
        self._left = 0
        self.sent: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.findings: list[str] = []
        self.found = 0
        self.acknowledged: set[str] = set()
        self.signatures: set[bytes] = set()
        self.cut = 0

    @property
    def total(self) -> int:
        return self.sent.total()

    async def run(self, requests: int, until: float = float("inf"), *, crowded: bool = False) -> None:
        """Send that many, or until the clock (monotonic) says; `crowded`: connections may be cut to make room."""
        self._left = requests
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work(until, crowded=crowded))

    async def _work(self, until: float, *, crowded: bool) -> None:
        while self._left > 0 and time.monotonic() < until and self._service.alive:
            operator = self._chance.random() < _SHARE_OPERATOR
            cases = self._batch(operator=operator)
            self._left -= len(cases)
            port = self._service.operator_port if operator else self._service.port
            address = self._address()
            if address.startswith("127.2"):
                cases = [case._replace(must_accept=False) for case in cases]
            self._remember(cases)
            try:
                received, whole = await _exchange(address, port, b"".join(case.data for case in cases))
            except TimeoutError:
                self._find(cases[-1], f"no end of the connection within {_WITHIN_S:g} s", b"")
                continue
            self.cut += not whole
            self._judge(cases, received, whole=whole or not crowded)

    def _batch(self, *, operator: bool) -> list[Case]:
        make: Callable[[], Case] = self._operators.make if operator else self._alerts.make
        cases = [make() for _ in range(self._chance.randint(*_BATCH))]
        if not operator and self._chance.random() < _SHARE_ENDING:
            cases.append(self._heads.make())
        return cases

    def _address(self) -> str:
        """The proxy, a listed sender or a stranger: some hundred of them."""
        drawn = self._chance.random()
        if drawn < _SHARE_PROXY:
            return "127.0.0.1"
        number = self._chance.randrange(1, 255)
        return f"127.0.1.{number}" if drawn < _SHARE_LISTED else f"127.200.1.{number}"

    def _remember(self, cases: list[Case]) -> None:
        self.sent.update(case.kind for case in cases)
        if len(self.signatures) < _SIGNATURES:
            self.signatures.update(found for case in cases for found in _SIGNATURE.findall(case.data))

    def _judge(self, cases: list[Case], received: bytes, *, whole: bool) -> None:
        if any(secret in received for secret in self._service.secret_texts):
            self._find(cases[-1], "a secret came back", received)
        reader = Reader(received)
        for case in cases:
            try:
                left = self._judge_case(case, reader)
            except NotHttp as error:
                if whole:
                    self._find(case, str(error), received)
                return
            if left and case.framed:
                if whole:
                    self._find(case, "no answer came", received[-2000:])
                return
        if reader.left:
            self._find(cases[-1], f"more came than was asked for: {reader.left[:200]!r}", received)

    def _judge_case(self, case: Case, reader: Reader) -> int:
        """How many of its answers did not come."""
        for number in range(case.most):
            answer = reader.next(head=case.head)
            if answer is None:
                return case.most - number
            reason = (answer.document or {}).get("reason", "")
            self.statuses[f"{answer.status} {reason}".strip()] += 1
            for fault in answers.faults(case, answer):
                self._find(case, fault, answer.body)
            if answer.accepted and answer.document is not None:
                self.acknowledged.add(str(answer.document["order_id"]))
        return 0

    def _find(self, case: Case, what: str, received: bytes) -> None:
        self.found += 1
        if len(self.findings) < _KEPT:
            self.findings.append(f"{what} | {case.kind} | sent {case.data[:1500]!r} | received {received[:1500]!r}")


async def _exchange(address: str, port: int, data: bytes) -> tuple[bytes, bool]:
    """Everything that comes back until the other side closes, and whether it closed without a reset."""
    received = bytearray()
    async with asyncio.timeout(_WITHIN_S):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0), limit=_READ)
        except OSError:
            return b"", False
        try:
            writer.write(data)
            writer.write_eof()
            while chunk := await reader.read(_READ):
                received += chunk
        except OSError:
            return bytes(received), False
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    return bytes(received), True
