"""The journal's SQL by name: `SQL.insert_order` is the block `-- name: insert_order` of queries.sql.

The migrations are in schema.sql.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from itertools import chain

import msgspec

_BLOCK = re.compile(r"^-- (name|migration): (\w+)$", re.MULTILINE)


class Queries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field a named block, so that a misspelt name is a type error, and a missing block one at import.

    `migrations` are scripts of several statements; the first makes version 1. `configure` is a script too.
    """

    migrations: tuple[str, ...]

    application_id: str
    user_version: str
    count_objects: str
    use_wal: str
    configure: str
    empty_log: str

    begin: str
    begin_read: str
    commit: str
    rollback: str
    savepoint: str
    release: str
    rollback_to: str

    claim_answer: str
    answer: str
    keys: str
    forget_answers: str
    insert_order: str
    update_orders: str
    insert_transition: str
    insert_fill: str
    put_holding: str
    insert_anomaly: str
    insert_audit: str
    forget_findings: str
    put_finding: str
    set_halt: str
    halts: str
    beat: str
    last_beat: str

    order_by_id: str
    order_by_client_order_id: str
    order_of_account: str
    order_by_exchange_order_id: str
    transitions: str
    fills: str
    newest_fill_ns: str
    holding: str
    holdings_of: str
    holdings_of_account: str
    findings: str
    findings_of_account: str
    anomalies: str
    unfinished_orders: str
    newest_ids: str
    unfinished_ids: str
    finished_ids: str
    finished_ids_of_account: str
    finished_ids_of_symbol: str
    accounts_of_symbol: str


def parse(*texts: str) -> Queries:
    """Raises ValueError for a name given twice and for migrations out of order, msgspec.ValidationError for others."""
    named: dict[str, object] = {}
    migrations: list[str] = []
    for kind, name, sql in chain.from_iterable(map(_blocks, texts)):
        if kind == "migration":
            migrations.append(sql)
            if int(name) != len(migrations):
                raise ValueError(f"schema.sql: migration {name} stands where {len(migrations)} was expected")
        elif name in named:
            raise ValueError(f"queries.sql: the name {name} is given twice; give one of them another name")
        else:
            named[name] = sql
    return msgspec.convert({"migrations": migrations, **named}, Queries)


def _blocks(text: str) -> Iterator[tuple[str, str, str]]:
    pieces = iter(_BLOCK.split(text)[1:])
    return ((kind, name, sql.strip()) for kind, name, sql in zip(pieces, pieces, pieces, strict=True))


_FOLDER = resources.files("service.journal")

SQL = parse(*(_FOLDER.joinpath(name).read_text(encoding="utf-8") for name in ("schema.sql", "queries.sql")))
