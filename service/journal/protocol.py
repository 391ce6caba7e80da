"""The Journal protocol: the only memory that decisions may rely on.

Every write is durable when its awaitable returns; many writes share one commit. Writes raise
`JournalUnavailable` when they are not on disk, and then nothing of them is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple, Protocol

import msgspec

from service.core.orders import Fill, Order, OrderStatus, Transition


class JournalUnavailable(Exception):  # noqa: N818 - named for what is the case
    """Nothing was written: disk full, read-only, failing, or the journal is closed. Try again later."""


class JournalLocked(Exception):  # noqa: N818
    """Another process holds this journal; the message names its pid."""


class JournalTooNew(Exception):  # noqa: N818
    """The journal was written by a newer version of Fillpath than this one."""


class JournalForeign(Exception):  # noqa: N818
    """The file is not a journal of Fillpath; it was left as it is."""


class JournalConflict(Exception):  # noqa: N818
    """A write contradicts what the journal holds (an id given twice, an unknown order): a defect of ours."""


class StaleVersion(Exception):  # noqa: N818
    """A change was based on an older version of the order than the journal holds: a defect of ours."""


class Commit(NamedTuple):
    """Which group commit a write was part of, and how many writes shared it."""

    id: int
    batch_size: int


class StoredAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a source was answered for an idempotency key; replayed word for word. Its times are `Journal.kept_ns`."""

    source: str
    key: str
    content_hash: str
    order_id: str
    trace_id: str
    span_id: str
    status: int
    body: bytes
    created_ns: int
    expires_ns: int


class Appended(msgspec.Struct, frozen=True):
    commit: Commit


class Duplicate(msgspec.Struct, frozen=True):
    """The key was taken: by the same content (replay `stored`) or by another (the caller compares the hashes)."""

    stored: StoredAnswer
    commit: Commit


class HaltLevel(IntEnum):
    """REDUCING refuses entries; STOP sends nothing, look-ups go on."""

    OFF = 0
    REDUCING = 1
    STOP = 2


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An authentication, an operator's action or a configuration load; never holds a secret."""

    ts_ns: int
    event_type: str
    client_ip: str
    result: str
    detail: str = ""
    trace_id: str | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account at an exchange differs from what we know, or holds what is not ours.

    `reference` is what the finding is about: a client or exchange order id, a symbol or a currency. It never holds a
    secret. The times (Unix nanoseconds) are the journal's: what `replace_findings` is given there does not count.
    """

    exchange: str
    account: str
    kind: str
    reference: str
    symbol: str | None
    detail: str
    first_seen_ns: int = 0
    last_seen_ns: int = 0


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; `after` is the id of the last order of the page before."""

    statuses: tuple[OrderStatus, ...] = ()
    symbol: str | None = None
    account: str | None = None
    after: str | None = None
    limit: int = 50


class Journal(Protocol):
    async def append(self, order: Order, answer: StoredAnswer) -> Appended | Duplicate:
        """One alert: its order, first transition, idempotency key and answer, all or nothing.

        A taken key that is not expired at `answer.created_ns` writes nothing; it is answered after the winner's
        commit. An expired one is replaced.
        """
        ...

    async def record(self, order: Order, transition: Transition | None, fills: Sequence[Fill] = ()) -> Commit:
        """The order as it is now. `order.version` is one more than the journal's, else `StaleVersion`.

        Fills already known by (exchange, account, symbol, id) are passed over; the others move what the order's
        source holds of the symbol, in the same transaction. Raises `JournalConflict` for fills of an order that
        has no side, and for amounts that are not finite.
        """
        ...

    async def record_anomaly(self, order_id: str, ts_ns: int, kind: str, detail: str) -> Commit:
        """A fact that fits no transition: stored, never dropped."""
        ...

    async def audit(self, event: AuditEvent) -> Commit: ...

    async def set_halt(self, account: str, level: HaltLevel, event: AuditEvent) -> Commit:
        """`account` "*" means all of them."""
        ...

    async def replace_findings(self, account: str, exchange: str, findings: Sequence[Finding], now_ns: int) -> Commit:
        """The account's findings are now exactly these.

        One that was there before, by kind and reference, keeps the time at which it was first seen. Of two with the
        same kind and reference the last is kept. Raises `JournalConflict` for a finding of another account.
        """
        ...

    def kept_ns(self) -> int:
        """The time now by which keys are kept, for `created_ns`, `expires_ns` and the `now_ns` of look-ups.

        Nanoseconds that only grow, from start to start too, whatever the wall clock does; no time of day.
        """
        ...

    async def forget_expired_answers(self, now_ns: int) -> int:
        """Remove idempotency keys whose time is over; how many there were."""
        ...

    def look_up_answer(self, source: str, key: str, now_ns: int) -> StoredAnswer | None:
        """A point read without waiting; None when unknown or expired."""
        ...

    def halts(self) -> Mapping[str, HaltLevel]: ...

    async def find_order(self, reference: str) -> Order | None:
        """By order id, client order id or exchange order id."""
        ...

    async def known_client_order_ids(self, exchange: str, account: str, ids: Sequence[str]) -> Mapping[str, Order]:
        """Which of these client order ids the account's orders have, each with its order; others are missing."""
        ...

    async def transitions(self, order_id: str) -> Sequence[Transition]: ...

    async def fills(self, order_id: str) -> Sequence[Fill]: ...

    async def newest_fill_ns(self, exchange: str, account: str) -> int | None:
        """`ts_event_ns` of the account's newest fill; None while it has none."""
        ...

    async def holding(self, *, source: str, exchange: str, account: str, symbol: str) -> Decimal:
        """Base units that the source's fills leave it with: bought less sold, on spot less the fees in the base.

        0 without fills; below 0 where it sold more than it had bought through us. Of a swap it is the part of the
        position that went through us, which funding, liquidation and other hands do not show in.
        """
        ...

    async def holdings(self, exchange: str, account: str) -> Mapping[str, Decimal]:
        """What the account holds through us by symbol, all sources together; symbols without fills are missing."""
        ...

    async def findings(self) -> Sequence[Finding]:
        """What the last comparisons found, by exchange, account, kind and reference."""
        ...

    async def anomalies(self, order_id: str) -> Sequence[str]: ...

    async def list_orders(self, query: OrderQuery) -> Sequence[Order]: ...

    async def unfinished(self, now_ns: int | None = None) -> Sequence[Order]:
        """Everything that a restart must look at, oldest first: what is not finished, or finished and not settled.

        ABSENT orders are among them while not settled, for a day after their last change, or for ever without
        `now_ns`.
        """
        ...

    @property
    def writable(self) -> bool:
        """Whether the last write or probe reached the disk."""
        ...

    async def probe(self) -> None:
        """Try a write; raises `JournalUnavailable`."""
        ...

    @property
    def free_bytes(self) -> int: ...

    async def close(self) -> None: ...
