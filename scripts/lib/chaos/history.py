"""What a venue's journal would hold of finished orders, so that the time of a restart over it can be measured."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from scripts.lib import history
from scripts.lib.chaos.places import PLACES, exchange_name

_PRICE = Decimal(50000)


def write_history(data: Path, venue: str, count: int) -> None:
    """So many filled orders of yesterday, over all lanes of the venue."""
    place = PLACES[venue]
    lanes = [
        history.Lane(exchange_name(venue, number), account, traded.symbol, Decimal(traded.quantity), _PRICE)
        for number in range(place.exchanges)
        for account in place.accounts_of(number)
        for traded in place.traded
    ]
    history.write_history(data, lanes, count)
