"""Starts exchanges; one that does not answer holds up neither the service nor the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from service.errors import FillpathError
from service.exchanges.protocol import Exchange, ExchangeUnavailable

log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


async def start_exchanges(exchanges: Sequence[Exchange]) -> Sequence[Exchange]:
    """Start them all at once; those that did not answer, to be started later. Raises FillpathError."""
    results = await asyncio.gather(*(_start(exchange) for exchange in exchanges))
    return [exchange for exchange, started in zip(exchanges, results, strict=True) if not started]


async def start_late(exchange: Exchange) -> None:
    """Try again until it answers. What the user must mend is logged then: the service works on without it."""
    pause = _FIRST_PAUSE_S
    while True:
        await asyncio.sleep(pause)
        try:
            if await _start(exchange):
                log.info("%s answers, its markets are loaded", exchange.name)
                return
        except FillpathError as error:
            log.error("%s is not used: %s", exchange.name, error)  # noqa: TRY400 - a message for the user
            return
        pause = min(pause * 2, _LONGEST_PAUSE_S)


async def _start(exchange: Exchange) -> bool:
    try:
        await exchange.start()
    except ExchangeUnavailable as error:
        log.warning("%s does not answer: %s", exchange.name, error)
        return False
    return True
