"""Every call to ccxt: recorded, bounded in time, and paid for at the exchange's limiter."""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from ccxt.base.errors import BaseError, RequestTimeout

from service.core.outcomes import CodeKind
from service.exchanges.ccxt.evidence import meaning_of
from service.exchanges.ccxt.guard import CallRecord, HttpRequest, SecondSend, recording
from service.exchanges.ccxt.profile import Profile
from service.exchanges.limiter import Limiter
from service.exchanges.protocol import ExchangeUnavailable, Priority
from service.secrets import Secret
from telemetry.facade import Attributes, Telemetry

_log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE_S = 10.0
"""How long nothing is sent after a 429 or 418 that does not say."""
_SHORT_PAUSE_S = 1.0
"""The same after an error code alone, which mostly counts one kind of request over a second or two."""
_LIMITED = frozenset({418, 429})
_SERVER_ERROR = 500
_MAX_PREPAID = 8
_MAX_TEXT = 200
_URL = re.compile(r"https?://\S+")


class Traffic:
    """`timeout` (seconds) bounds one call; a caller's own bound must be longer, or what was never sent ends in doubt.

    `hidden` are credentials that no error's text may show; `on_clock_skew` is called when an answer says that our
    clock is off.
    """

    def __init__(
        self,
        name: str,
        profile: Profile,
        limiter: Limiter,
        telemetry: Telemetry,
        *,
        timeout: float,
        hidden: Sequence[Secret],
        on_clock_skew: Callable[[], None],
    ) -> None:
        self.timeout = timeout
        self._name = name
        self._profile = profile
        self._limiter = limiter
        self._telemetry = telemetry
        self._hidden = hidden
        self._on_clock_skew = on_clock_skew
        self._prepaid = 0

    async def slot(self, priority: Priority) -> None:
        """Wait for the right to one request of nominal cost."""
        await self._limiter.take(priority)
        self._prepaid = min(self._prepaid + 1, _MAX_PREPAID)

    async def charge(self, cost: float | None = None) -> None:
        """Stands in for ccxt's own throttle, which is first-in-first-out: pay, without waiting, what no slot has paid.

        `cost` is in units of ccxt's `rateLimit`, known only once the request is being made.
        """
        paid = min(self._prepaid, 1)
        self._prepaid -= paid
        owed = (1.0 if cost is None else float(cost)) - paid
        if owed > 0:
            self._limiter.charge(owed)

    @contextmanager
    def recorded(self, client_order_id: str | None, *, placing: bool = False) -> Iterator[CallRecord]:
        """One ccxt call; it makes CLIENT spans where it belongs to a span, a poll makes none."""
        attributes: Attributes | None = None if self._telemetry.current() is None else {}
        with recording(client_order_id, attributes=attributes, placing=placing) as record:
            try:
                yield record
            finally:
                for request in record.requests:
                    self._learn(request)

    def _learn(self, request: HttpRequest) -> None:
        meaning = meaning_of(self._profile, request)
        kind = None if meaning is None else meaning.kind
        if request.status in _LIMITED or kind is CodeKind.RATE_LIMITED:
            pause = request.retry_after or (_PAUSE_S if request.status in _LIMITED else _SHORT_PAUSE_S)
            _log.warning("%s limits our requests: nothing is sent for %.1f s", self._name, pause)
            self._limiter.pause(pause)
        if kind is CodeKind.CLOCK_SKEW:
            self._on_clock_skew()

    async def read(
        self,
        call: Callable[[], Awaitable[Any]],
        parse: Callable[[Any], T],
        *,
        within: float | None = None,
        whole: bool = False,
    ) -> T:
        """The parsed answer; raises `ExchangeUnavailable` for whatever went wrong, a misread answer included.

        `within` (seconds) replaces the usual bound. `whole`: what is not told counts as not there, so that every
        answer must be the exchange's own. Of a page or an empty body most classes make "nothing".
        """
        with self.recorded(None) as record:
            try:
                async with asyncio.timeout(within or self.timeout):
                    answer = await call()
                parsed = parse(answer)
            except (BaseError, SecondSend, TimeoutError, OSError) as error:
                raise ExchangeUnavailable(f"{self._name}: {self.said(error)}") from None
            except Exception as error:  # noqa: BLE001 - ccxt's parsers fail in any way on a body they do not expect
                raise ExchangeUnavailable(f"{self._name}: unreadable answer, {_place(error)}") from None
        if whole and not _is_whole(record, found=bool(parsed)):
            raise ExchangeUnavailable(f"{self._name}: the answer is none of the exchange's own, nothing is known by it")
        return parsed

    def said(self, error: BaseException) -> str:
        """An error in one line without addresses, which hold signed queries, and without our credentials."""
        if isinstance(error, TimeoutError | RequestTimeout):
            return "timeout"
        text = _URL.sub("<address>", " ".join(str(error).split()))
        for secret in self._hidden:
            text = text.replace(secret.reveal(), "***")
        return f"{type(error).__name__}: {text[:_MAX_TEXT]}"


def _is_whole(record: CallRecord, *, found: bool) -> bool:
    """Whether all answers are JSON without a server's error and, where nothing was `found` in them, could say so."""
    answers = record.requests
    own = all(a.body_kind == "json" and a.status is not None and a.status < _SERVER_ERROR for a in answers)
    return own and (found or all(answer.has_room for answer in answers))


def _place(error: BaseException) -> str:
    """Where it was raised; its own text and what it came from may hold a signed address."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
