"""One class through all faults: one order, or one look-up, a cell."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

import aiohttp

from scripts.lib.ccxt_matrix.answers import success, success_without_id
from scripts.lib.ccxt_matrix.faults import LOOKING_UP, NO_FAULT, PLACING, Does, Fault, Where, Words
from scripts.lib.ccxt_matrix.fence import NOWHERE
from scripts.lib.ccxt_matrix.funds import Funds, funds_of
from scripts.lib.ccxt_matrix.rules import Verdict, answer_of, broken_by_look_up, broken_by_order, said, verdict_of
from scripts.lib.ccxt_matrix.subject import MARK, Subject, make_subject
from scripts.lib.ccxt_matrix.wire import FaultServer, Plan, Received, Reply
from service.errors import ConfigurationError
from service.exchanges.ccxt.session import open_session
from telemetry.facade import Telemetry

_CONNECT_S = 60.0
_ENOUGH_S = 120.0
"""For an answer that comes: far above what a busy machine needs."""
_HANG_S = 1.0

_order_ids = count(900_000_001)


class Cell(NamedTuple):
    """What one fault did. `arrived` and `executed` count order requests; `problems` are the broken rules."""

    fault: str
    verdict: str
    executed: int
    arrived: int
    said: str
    problems: tuple[str, ...]


class Driven(NamedTuple):
    """A class after its run; `unreached` says why no order of it reached the server: then there are no cells."""

    ccxt_id: str
    group: str
    unreached: str
    knows_success: bool
    funds: str
    note: str
    placing: Sequence[Cell] = ()
    looking_up: Sequence[Cell] = ()


async def drive(ccxt_id: str, telemetry: Telemetry, seed: int) -> Driven:
    """All faults for this class, in the order that the seed gives."""
    server = FaultServer()
    await server.start()
    try:
        async with open_session(telemetry, connect_timeout=_CONNECT_S) as session:
            return await _driven(ccxt_id, server, session, telemetry, seed)
    finally:
        await server.close()


async def _driven(
    ccxt_id: str, server: FaultServer, session: aiohttp.ClientSession, telemetry: Telemetry, seed: int
) -> Driven:
    try:
        subject = make_subject(ccxt_id, server.url, session, telemetry)
    except (ConfigurationError, ValueError) as error:
        return Driven(ccxt_id, "", str(error), knows_success=False, funds="", note="")
    try:
        return await _Run(subject, server, random.Random(f"{seed} {ccxt_id}")).all()  # noqa: S311 - an order of faults
    finally:
        await subject.api.close()


class _Run:
    def __init__(self, subject: Subject, server: FaultServer, chance: random.Random) -> None:
        self._subject = subject
        self._server = server
        self._chance = chance
        self._funds = funds_of(subject.api, subject.profile, f"{server.url}/order")

    async def all(self) -> Driven:
        first = await self._placed(NO_FAULT)
        driven = self._driven()
        if first is None or not first.arrived:
            said = "" if first is None else f"{first.verdict}: {first.said}"
            return driven._replace(unreached=said or "nothing was sent")
        placing = [first]
        for fault in self._shuffled([fault for fault in PLACING if fault is not NO_FAULT]):
            cell = await self._placed(fault)
            if cell is not None:
                placing.append(cell)
        looking_up = [await self._looked_up(fault) for fault in self._shuffled(LOOKING_UP)]
        return driven._replace(placing=placing, looking_up=looking_up)

    def _driven(self) -> Driven:
        subject = self._subject
        group = "refused at start" if subject.refusal else "curated" if subject.curated else "generic"
        funds = "" if self._funds is None else _known_by(self._funds)
        known = success(subject.ccxt_id, 0, "") is not None
        return Driven(subject.ccxt_id, group, "", known, funds, subject.peculiar.note)

    def _shuffled(self, faults: Sequence[Fault]) -> list[Fault]:
        return self._chance.sample(list(faults), len(faults))

    async def _placed(self, fault: Fault) -> Cell | None:
        """None where the fault does not apply to the class."""
        subject, server = self._subject, self._server
        client_order_id, order_id = subject.new_id(), next(_order_ids)
        words = self._words(order_id)
        answer = fault.answer(words)
        if answer is None:
            return None
        if fault.reused:
            await self._use_a_connection()
        server.begin(
            Plan(
                answer,
                executes=self._executes(fault.does),
                is_order=lambda received: self._is_order(received, client_order_id),
                helpers=subject.peculiar.helpers,
                keeps_alive=fault.reused,
            )
        )
        subject.bound(_HANG_S if fault.hangs else _ENOUGH_S)
        with self._pointed_at(fault.where):
            try:
                outcome = await subject.place(client_order_id)
            except Exception as error:  # noqa: BLE001 - that it never raises is one of the rules
                return Cell(fault.name, "raised", server.executed, server.arrived, repr(error), (f"raised {error!r}",))
        problems = broken_by_order(
            outcome,
            executed=server.executed,
            arrived=server.arrived,
            reaches=fault.where is Where.SERVER and not fault.hangs,
            must=self._must(fault, words),
            answered_id=str(order_id) if str(order_id) in _body(answer) else None,
        )
        return Cell(fault.name, verdict_of(outcome), server.executed, server.arrived, said(outcome), tuple(problems))

    def _executes(self, does: Does) -> bool:
        match does:
            case Does.EXECUTES:
                return True
            case Does.NOTHING:
                return False
            case Does.AS_DOCUMENTED:
                return not self._subject.profile.http_429_not_executed
            case Does.UNLESS_CERTAIN:
                return self._funds is None or not self._funds.certain

    def _must(self, fault: Fault, words: Words) -> Verdict | None:
        if fault is NO_FAULT:
            return fault.must if words.with_id is not None else None
        return Verdict.REFUSED if fault.in_words and words.funds is not None and words.funds.certain else fault.must

    async def _looked_up(self, fault: Fault) -> Cell:
        subject, server = self._subject, self._server
        client_order_id = subject.new_id()
        answer = fault.answer(self._words(next(_order_ids)))
        assert answer is not None, "what meets a look-up applies to every class"
        server.begin(Plan(answer, helpers=subject.peculiar.helpers, keeps_alive=False, all_alike=True))
        subject.bound(_HANG_S if fault.hangs else _ENOUGH_S)
        with self._pointed_at(fault.where):
            try:
                found = await subject.look_up(client_order_id)
            except Exception as error:  # noqa: BLE001 - that it never raises is one of the rules
                return Cell(fault.name, "raised", 0, 0, repr(error), (f"raised {error!r}",))
        return Cell(fault.name, answer_of(found), 0, 0, said(found), tuple(broken_by_look_up(found)))

    def _words(self, order_id: int) -> Words:
        subject = self._subject
        ccxt_id, market_id = subject.ccxt_id, str(subject.api.market(subject.symbol)["id"])
        return Words(
            url=self._server.url,
            with_id=_json(success(ccxt_id, order_id, market_id)),
            without_id=_json(success_without_id(ccxt_id, market_id, empty=False)),
            empty_id=_json(success_without_id(ccxt_id, market_id, empty=True)),
            funds=self._funds,
        )

    def _is_order(self, received: Received, client_order_id: str) -> bool:
        path = self._subject.peculiar.order_path
        if path:
            return path in received.path
        return client_order_id in received.text or any(mark in received.text for mark in MARK)

    async def _use_a_connection(self) -> None:
        """Leave one in the session's pool that was answered once."""
        self._server.begin(Plan(Reply(), keeps_alive=True))
        async with self._subject.session.get(f"{self._server.url}/used") as response:
            await response.read()

    @contextmanager
    def _pointed_at(self, where: Where) -> Iterator[None]:
        api = self._subject.api
        usual, below = api.urls["api"], api.only_at
        with _nobody(where) as url:
            if url is not None:
                api.urls["api"], api.only_at = _replaced(usual, self._server.url, url), url
            try:
                yield
            finally:
                api.urls["api"], api.only_at = usual, below


@contextmanager
def _nobody(where: Where) -> Iterator[str | None]:
    """An address at which no connection comes about, where one is wanted."""
    if where is Where.NOWHERE:
        yield f"http://{NOWHERE}"
    elif where is Where.NOBODY:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            # Bound and not listening: nobody else can take the port meanwhile, and every connection is refused.
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    else:
        yield None


def _known_by(funds: Funds) -> str:
    return "code" if funds.whole else "listed words" if funds.certain else "words"


def _replaced(urls: Any, old: str, new: str) -> Any:
    if isinstance(urls, dict):
        return {key: _replaced(value, old, new) for key, value in urls.items()}
    return urls.replace(old, new) if isinstance(urls, str) else urls


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _body(answer: object) -> str:
    return answer.body if isinstance(answer, Reply) and not answer.missing else ""
