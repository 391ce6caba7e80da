"""The paper exchange's books in a SQLite file of their own: written and committed before anything is answered."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from service.core.markets import Balance
from service.core.orders import Fill, OrderStatus, OrderType, Side, Trade
from service.core.outcomes import RejectReason
from service.exchanges.paper.orders import PaperOrder
from service.statements import statements

_VERSION = 1
_LOCK_WAIT_SECONDS = 1.0

_Row = tuple[object, ...]


class BooksUnusable(Exception):  # noqa: N818 - named for what is the case
    """The file cannot be opened, is held by another process, or was written by a newer version."""


class Price(NamedTuple):
    """A symbol's mid price (quote units) and the number of the tick at which it was reached."""

    mid: Decimal
    tick: int


Key = tuple[str, str]
"""Account and client order id."""


class Step(NamedTuple):
    """An order before (None: it is new) and after."""

    before: PaperOrder | None
    after: PaperOrder


class Changes(NamedTuple):
    """What is written in one transaction, all or nothing; balances by account and currency, prices by symbol."""

    orders: Sequence[Step] = ()
    balances: Mapping[tuple[str, str], Balance] = {}
    prices: Mapping[str, Price] = {}
    accounts: Sequence[str] = ()


class Contents(NamedTuple):
    """What an exchange must know to go on; finished orders stay in the file until they are asked for."""

    open_orders: Sequence[PaperOrder]
    balances: Mapping[tuple[str, str], Balance]
    prices: Mapping[str, Price]
    accounts: frozenset[str]
    last_number: int


def _queries() -> Mapping[str, str]:
    text = resources.files(__package__).joinpath("books.sql").read_text(encoding="utf-8")
    blocks = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(blocks[::2], (block.strip() for block in blocks[1::2]), strict=True))


_SQL = _queries()


class Books:
    """One connection, used on one thread. Except for the constructor, methods raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, timeout=_LOCK_WAIT_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise BooksUnusable(f"cannot open {path}: {error}; its folder must exist and be writable") from error
        try:
            self._prepare(path)
        except sqlite3.Error as error:
            self._db.close()
            raise BooksUnusable(f"cannot use {path}: {error}; is another process using these books?") from error
        except BooksUnusable:
            self._db.close()
            raise

    def _prepare(self, path: Path) -> None:
        self._db.executescript(_SQL["settings"])
        (version,) = self._db.execute(_SQL["version"]).fetchone()
        if version > _VERSION:
            raise BooksUnusable(f"{path} has version {version}, this program knows {_VERSION}; use a newer one")
        if version == 0:
            self._db.executescript(_SQL["schema"])
        (self.id,) = self._db.execute(_SQL["books_id"]).fetchone()

    def close(self) -> None:
        self._db.close()

    def exchange_order_id(self, number: int) -> str:
        return f"{self.id}-{number}"

    def load(self) -> Contents:
        (last_number,) = self._db.execute(_SQL["last_number"]).fetchone()
        balances = self._db.execute(_SQL["balances"]).fetchall()
        return Contents(
            open_orders=[self._order(row) for row in self._db.execute(_SQL["open_orders"]).fetchall()],
            balances={(row[0], row[1]): Balance(free=Decimal(row[2]), used=Decimal(row[3])) for row in balances},
            prices={row[0]: Price(Decimal(row[1]), row[2]) for row in self._db.execute(_SQL["prices"])},
            accounts=frozenset(row[0] for row in self._db.execute(_SQL["accounts"])),
            last_number=last_number,
        )

    def write(self, changes: Changes) -> None:
        """Commit `changes`; when it raises, none of them is in the file."""
        self._db.execute(_SQL["begin"])
        try:
            self._write_all(changes)
            self._db.execute(_SQL["commit"])
        except BaseException:  # whatever it was, the transaction must not stay open
            if self._db.in_transaction:
                self._db.execute(_SQL["rollback"])
            raise

    def _write_all(self, changes: Changes) -> None:
        added = [order for before, order in changes.orders if before is None]
        moved = [order for before, order in changes.orders if before is not None]
        self._put("add_account", [(name,) for name in changes.accounts])
        self._put("add_order", [_row(order) for order in added])
        if moved:
            self._db.executemany(_SQL["update_order"], [_moved(order) for order in moved])
        self._put("add_fill", [row for step in changes.orders for row in _fill_rows(step)])
        self._put("put_balance", [(*of, str(held.free), str(held.used)) for of, held in changes.balances.items()])
        self._put("put_price", [(symbol, str(price.mid), price.tick) for symbol, price in changes.prices.items()])

    def _put(self, name: str, rows: Sequence[_Row]) -> None:
        for sql, values in statements(_SQL[name], rows):
            self._db.execute(sql, values)

    def used(self, keys: Sequence[Key]) -> frozenset[Key]:
        """Those of `keys` that some order has."""
        asked = statements(_SQL["used"], keys)
        return frozenset(key for sql, values in asked for key in self._db.execute(sql, values).fetchall())

    def find_order(self, account: str, client_order_id: str) -> PaperOrder | None:
        row = self._db.execute(_SQL["find_order"], (account, client_order_id)).fetchone()
        return None if row is None else self._order(row)

    def fills_since(self, account: str, symbols: Collection[str], since_ns: int) -> list[Trade]:
        rows = self._db.execute(_SQL["fills_since"], (account, since_ns)).fetchall()
        return [self._trade(row) for row in rows if row[-1] in symbols]

    def _trade(self, row: tuple[Any, ...]) -> Trade:
        *columns, client_order_id, symbol = row
        fill = self._fill(tuple(columns), client_order_id=client_order_id)
        exchange_order_id = self.exchange_order_id(columns[0])
        return Trade(exchange_order_id=exchange_order_id, symbol=symbol, **msgspec.structs.asdict(fill))

    def _order(self, row: tuple[Any, ...]) -> PaperOrder:
        number, account, client_order_id, symbol, side, order_type, quantity, price, stop_price = row[:9]
        status, reason, created_ns, updated_ns = row[9:]
        fills = self._db.execute(_SQL["fills_of_order"], (number,)).fetchall()
        return PaperOrder(
            number=number,
            exchange_order_id=self.exchange_order_id(number),
            account=account,
            client_order_id=client_order_id,
            symbol=symbol,
            side=Side(side),
            order_type=OrderType(order_type),
            quantity=Decimal(quantity),
            price=None if price is None else Decimal(price),
            stop_price=None if stop_price is None else Decimal(stop_price),
            status=OrderStatus(status),
            created_ns=created_ns,
            updated_ns=updated_ns,
            fills=tuple(self._fill(fill, client_order_id=client_order_id) for fill in fills),
            reject_reason=None if reason is None else RejectReason(reason),
        )

    def _fill(self, row: tuple[Any, ...], *, client_order_id: str) -> Fill:
        number, part, quantity, price, fee, fee_currency, ts_event_ns = row
        return Fill(
            id=f"{self.exchange_order_id(number)}-{part}",
            client_order_id=client_order_id,
            quantity=Decimal(quantity),
            price=Decimal(price),
            fee=Decimal(fee),
            fee_currency=fee_currency,
            ts_event_ns=ts_event_ns,
        )


def _row(order: PaperOrder) -> _Row:
    return (
        order.number,
        order.account,
        order.client_order_id,
        order.symbol,
        order.side.value,
        order.order_type.value,
        str(order.quantity),
        None if order.price is None else str(order.price),
        None if order.stop_price is None else str(order.stop_price),
        order.status.value,
        _reason(order),
        order.created_ns,
        order.updated_ns,
        order.is_open,
    )


def _moved(order: PaperOrder) -> _Row:
    return order.status.value, _reason(order), order.updated_ns, order.is_open, order.number


def _reason(order: PaperOrder) -> str | None:
    return None if order.reject_reason is None else order.reject_reason.value


def _fill_rows(step: Step) -> Iterator[_Row]:
    """The fills that `step` brought."""
    before, order = step
    known = len(before.fills) if before else 0
    for part, fill in enumerate(order.fills[known:], known + 1):
        amounts = (str(fill.quantity), str(fill.price), str(fill.fee), fill.fee_currency, fill.ts_event_ns)
        yield order.number, part, order.account, *amounts
