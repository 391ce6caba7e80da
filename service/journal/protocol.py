"""The Journal protocol: the only memory that decisions may rely on.

Every write is durable when its awaitable returns; many writes share one commit. Writes raise
`JournalUnavailable` when they are not on disk, and then nothing of them is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """What a source was answered for an idempotency key; replayed word for word."""

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

        Fills already known by (exchange, account, symbol, id) are passed over.
        """
        ...

    async def record_anomaly(self, order_id: str, ts_ns: int, kind: str, detail: str) -> Commit:
        """A fact that fits no transition: stored, never dropped."""
        ...

    async def audit(self, event: AuditEvent) -> Commit: ...

    async def set_halt(self, account: str, level: HaltLevel, event: AuditEvent) -> Commit:
        """`account` "*" means all of them."""
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

    async def transitions(self, order_id: str) -> Sequence[Transition]: ...

    async def fills(self, order_id: str) -> Sequence[Fill]: ...

    async def anomalies(self, order_id: str) -> Sequence[str]: ...

    async def list_orders(self, query: OrderQuery) -> Sequence[Order]: ...

    async def unfinished(self, now_ns: int | None = None) -> Sequence[Order]:
        """Everything that a restart must look at, oldest first.

        ABSENT orders are among them for a day after their last change, or for ever without `now_ns`.
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
