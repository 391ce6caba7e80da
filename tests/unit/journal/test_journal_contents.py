"""What is written is what is read."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import get_args, get_type_hints
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.core.orders import Fill, Order, OrderStatus, Side, Transition
from service.journal.protocol import AuditEvent, Duplicate, HaltLevel, JournalConflict, OrderQuery, StaleVersion
from service.journal.reads import ABSENT_LOOK_UPS_NS, FINISHED
from service.journal.sqlite import SqliteJournal
from tests.unit.journal.examples import EVENT, a_fill, an_order, its_answer, journaled, moved

PLAIN = {
    str: st.text(max_size=20),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    Decimal: st.decimals(allow_nan=False) | st.sampled_from([Decimal("1e999999999"), Decimal("-0.00")]),
}


def values(hint):
    """Every value that a field of this type can hold, so that a new field is tested from its first day."""
    if hint in PLAIN:
        return PLAIN[hint]
    if NoneType in get_args(hint):
        return st.none() | st.one_of(values(arg) for arg in get_args(hint) if arg is not NoneType)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return structs(hint)


def structs(kind, **fixed):
    return st.builds(kind, **({name: values(hint) for name, hint in get_type_hints(kind).items()} | fixed))


def fresh():
    return st.builds(lambda: uuid4().hex)


# What can be added up exactly, because the sum of fills is kept.
finite = st.decimals(-(10**20), 10**20) | st.just(Decimal("-0.00"))

# Every example has ids of its own, so that one journal serves all.
over_one_journal = settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@over_one_journal
@given(order=structs(Order, id=fresh(), client_order_id=fresh()))
async def test_an_appended_order_is_read_with_every_field_as_it_was(journal, order):
    await journal.append(order, its_answer(order))
    found = await journal.find_order(order.id)
    # Representations, because 1.0 equals 1 and 1.00, and must not become either.
    assert repr(found) == repr(order)


@over_one_journal
@given(order=structs(Order, id=fresh(), client_order_id=fresh(), version=st.integers(0, 9)))
async def test_a_recorded_order_is_read_with_every_moved_field_as_it_was(journal, order):
    before = msgspec.structs.replace(
        an_order(id=order.id, version=order.version),
        **{name: getattr(order, name) for name in Order.__struct_fields__[: Order.__struct_fields__.index("status")]},
    )
    await journal.append(before, its_answer(before))
    after = msgspec.structs.replace(order, version=order.version + 1)
    await journal.record(after, None)
    assert repr(await journal.find_order(order.id)) == repr(after)


@over_one_journal
@given(transition=structs(Transition, version=st.just(1)), fill=structs(Fill, id=fresh(), quantity=finite, fee=finite))
async def test_transitions_and_fills_are_read_with_every_field_as_they_were(journal, transition, fill):
    order = await journaled(journal)
    transition = msgspec.structs.replace(transition, order_id=order.id)
    after, _ = moved(order, OrderStatus.SUBMITTED)
    await journal.record(after, transition, [fill])
    assert repr((await journal.transitions(order.id))[1]) == repr(transition)
    assert repr(await journal.fills(order.id)) == repr([fill])


async def test_an_append_writes_the_first_transition_under_the_span_that_appends(journal):
    order = await journaled(journal, last_span_id="d" * 16)
    (first,) = await journal.transitions(order.id)
    assert first == Transition(
        order_id=order.id,
        version=0,
        ts_ns=order.updated_ns,
        from_status=None,
        to_status=OrderStatus.RECEIVED,
        span_id="d" * 16,
    )


async def test_an_answer_is_replayed_word_for_word_until_it_expires(journal):
    order = an_order()
    answer = its_answer(order, body=b"\x00\xff{}", expires_ns=2_000)
    await journal.append(order, answer)
    assert journal.look_up_answer(answer.source, answer.key, 1_999) == answer
    assert journal.look_up_answer(answer.source, answer.key, 2_000) is None
    assert journal.look_up_answer("another", answer.key, 1_999) is None


async def test_a_taken_key_writes_nothing(journal):
    first, second = an_order(), an_order()
    await journal.append(first, its_answer(first, key="k"))
    result = await journal.append(second, its_answer(second, key="k"))
    assert isinstance(result, Duplicate)
    assert result.stored == its_answer(first, key="k")
    assert await journal.find_order(second.id) is None
    assert await journal.transitions(second.id) == []


async def test_an_expired_key_is_replaced(journal):
    first, second = an_order(), an_order()
    await journal.append(first, its_answer(first, key="k", expires_ns=2_000))
    replacing = its_answer(second, key="k", created_ns=2_000, expires_ns=3_000)
    await journal.append(second, replacing)
    assert journal.look_up_answer(second.source, "k", 2_500) == replacing
    assert await journal.find_order(first.id) == first
    assert await journal.find_order(second.id) == second


@pytest.mark.parametrize("taken", ["id", "client_order_id"])
async def test_an_id_given_twice_is_a_conflict_and_leaves_no_key(journal, taken):
    first = await journaled(journal)
    second = an_order(**{taken: getattr(first, taken)})
    answer = its_answer(second, key=f"second {taken}")
    with pytest.raises(JournalConflict, match=taken):
        await journal.append(second, answer)
    assert journal.look_up_answer(answer.source, answer.key, 1_500) is None


async def test_a_client_order_id_may_be_used_once_at_each_account(journal):
    first = await journaled(journal, account="main")
    second = await journaled(journal, account="other", client_order_id=first.client_order_id)
    assert await journal.find_order(first.client_order_id) == second


@pytest.mark.parametrize("version", [0, 2])
async def test_a_change_of_another_version_than_the_journals_is_stale_and_writes_nothing(journal, version):
    order = await journaled(journal)
    stale, transition = moved(order, OrderStatus.SUBMITTED)
    stale = msgspec.structs.replace(stale, version=version)
    with pytest.raises(StaleVersion, match=f"order {order.id}: version {version}"):
        await journal.record(stale, transition, [a_fill(order, "stale")])
    assert await journal.find_order(order.id) == order
    assert await journal.fills(order.id) == []


@pytest.mark.parametrize("another", [{}, {"account": "other"}, {"side": Side.SELL}])
async def test_a_fill_is_known_by_its_order_and_trade_id(journal, another):
    order, other = await journaled(journal), await journaled(journal, **another)
    after, transition = moved(order, OrderStatus.SUBMITTED)
    await journal.record(after, transition, [a_fill(order, "t1"), a_fill(order, "t2", ts_event_ns=4_000)])
    again, transition = moved(after, OrderStatus.FILLED)
    await journal.record(again, transition, [a_fill(order, "t1", price=Decimal(1))])
    of_other, transition = moved(other, OrderStatus.SUBMITTED)
    await journal.record(of_other, transition, [a_fill(other, "t1")])
    assert await journal.fills(order.id) == [a_fill(order, "t2", ts_event_ns=4_000), a_fill(order, "t1")]
    assert await journal.fills(other.id) == [a_fill(other, "t1")]


async def test_an_order_is_found_by_each_of_its_references(journal):
    order = await journaled(journal)
    after, transition = moved(order, OrderStatus.ACCEPTED, exchange_order_id="X-1")
    await journal.record(after, transition)
    for reference in (order.id, order.client_order_id, "X-1"):
        assert await journal.find_order(reference) == after
    assert await journal.find_order("unknown") is None


async def test_an_exchange_order_id_of_several_orders_finds_the_newest(journal):
    older = await journaled(journal, exchange_order_id="7")
    newer = await journaled(journal, exchange_order_id="7", exchange="other")
    assert newer.id > older.id
    assert await journal.find_order("7") == newer


async def test_anomalies_of_an_unknown_order_are_kept_too(journal):
    await journal.record_anomaly("nobody", 2, "impossible_transition", "FILLED -> ACCEPTED")
    await journal.record_anomaly("nobody", 1, "foreign", "a fill")
    assert await journal.anomalies("nobody") == ["foreign: a fill", "impossible_transition: FILLED -> ACCEPTED"]


async def test_unfinished_orders_come_oldest_first_and_settled_ones_do_not(journal):
    orders = {status: await journaled(journal, status=status, settled=status in FINISHED) for status in OrderStatus}
    expected = [order for status, order in orders.items() if status not in FINISHED]
    assert await journal.unfinished(1_000) == expected


@pytest.mark.parametrize("status", sorted(FINISHED))
async def test_an_order_that_is_finished_is_looked_at_until_it_is_settled(journal, status):
    order = await journaled(journal, status=status)
    assert await journal.unfinished(10**18) == [order]
    await journal.record(msgspec.structs.replace(order, version=1, settled=True), None)
    assert await journal.unfinished(10**18) == []


async def test_an_order_that_is_called_settled_before_its_end_is_looked_at(journal):
    order = await journaled(journal, status=OrderStatus.IN_DOUBT, settled=True)
    assert await journal.unfinished(1_000) == [order]


async def test_an_absent_order_is_unfinished_for_a_day_after_its_last_change(journal):
    order = await journaled(journal, status=OrderStatus.ABSENT, updated_ns=7)
    assert await journal.unfinished(7 + ABSENT_LOOK_UPS_NS - 1) == [order]
    assert await journal.unfinished(7 + ABSENT_LOOK_UPS_NS) == []
    assert await journal.unfinished() == [order]
    await journal.record(msgspec.structs.replace(order, version=1, settled=True), None)
    assert await journal.unfinished() == []


@pytest.mark.parametrize("settled", [True, False])
async def test_a_listing_has_every_order_once_whether_settled_or_not(journal, settled):
    orders = [await journaled(journal, status=status, settled=settled) for status in OrderStatus]
    newest_first = orders[::-1]
    assert await journal.list_orders(OrderQuery()) == newest_first
    assert await journal.list_orders(OrderQuery(account="main")) == newest_first
    assert await journal.list_orders(OrderQuery(symbol="BTC/USDT")) == newest_first
    for order in orders:
        assert await journal.list_orders(OrderQuery(statuses=(order.status,))) == [order]


async def test_client_order_ids_are_known_at_their_exchange_and_account_only(journal, monkeypatch):
    monkeypatch.setattr("service.journal.sqlite._LOOK_UP_CHUNK", 2)
    orders = [await journaled(journal) for _ in range(5)]
    ids = [order.client_order_id for order in orders]
    found = await journal.known_client_order_ids("paper", "main", ["theirs", *ids, "", ids[0]])
    assert found == dict(zip(ids, orders, strict=True))
    assert await journal.known_client_order_ids("paper", "other", ids) == {}
    assert await journal.known_client_order_ids("other", "main", ids) == {}
    assert await journal.known_client_order_ids("paper", "main", []) == {}


async def test_the_newest_fill_is_the_one_that_happened_last_at_the_account(journal):
    assert await journal.newest_fill_ns("paper", "main") is None
    order, other = await journaled(journal), await journaled(journal, account="other", symbol="ETH/USDT")
    after, transition = moved(order, OrderStatus.SUBMITTED)
    await journal.record(after, transition, [a_fill(order, str(ns), ts_event_ns=ns) for ns in (7, 9, 8)])
    after, transition = moved(other, OrderStatus.SUBMITTED)
    await journal.record(after, transition, [a_fill(other, "11", ts_event_ns=11)])
    assert await journal.newest_fill_ns("paper", "main") == 9
    assert await journal.newest_fill_ns("paper", "other") == 11
    assert await journal.newest_fill_ns("other", "main") is None


async def test_halts_are_there_at_once_and_after_a_restart(path):
    journal = SqliteJournal.open(path)
    assert journal.halts() == {}
    await journal.set_halt("*", HaltLevel.STOP, EVENT)
    await journal.set_halt("main", HaltLevel.REDUCING, EVENT)
    await journal.set_halt("*", HaltLevel.OFF, EVENT)
    assert journal.halts() == {"*": HaltLevel.OFF, "main": HaltLevel.REDUCING}
    await journal.close()

    journal = SqliteJournal.open(path)
    assert journal.halts() == {"*": HaltLevel.OFF, "main": HaltLevel.REDUCING}
    await journal.close()


async def test_audit_events_and_halts_are_written_down(journal):
    event = AuditEvent(ts_ns=9, event_type="login", client_ip="::1", result="refused", detail="d", trace_id="e" * 32)
    await journal.audit(event)
    await journal.set_halt("main", HaltLevel.STOP, EVENT)
    rows = journal._points.execute("SELECT * FROM audit ORDER BY rowid").fetchall()
    assert [tuple(row) for row in rows] == [msgspec.structs.astuple(event), msgspec.structs.astuple(EVENT)]


async def test_expired_keys_are_forgotten_all_and_only_they(journal, monkeypatch):
    monkeypatch.setattr("service.journal.writes.FORGET_CHUNK", 2)
    for expires_ns in (10, 20, 20, 20, 20, 30):
        order = an_order()
        await journal.append(order, its_answer(order, created_ns=0, expires_ns=expires_ns))
    kept = order
    assert await journal.forget_expired_answers(20) == 5
    assert await journal.forget_expired_answers(20) == 0
    assert journal.look_up_answer(kept.source, kept.id, 0) is not None
