"""The findings of a comparison are the last comparison's, each with the time at which it was first seen."""

from __future__ import annotations

import msgspec
import pytest

from service.journal.protocol import JournalConflict
from service.journal.sqlite import SqliteJournal
from tests.unit.journal.examples import a_finding


def seen(finding, first_ns, last_ns):
    return msgspec.structs.replace(finding, first_seen_ns=first_ns, last_seen_ns=last_ns)


async def test_findings_are_read_with_every_field_as_they_were(journal):
    order, balance = a_finding("x1"), a_finding("BTC", kind="balance", symbol=None, detail="")
    assert await journal.findings() == []
    await journal.replace_findings("main", "paper", [order, balance], 5)
    assert await journal.findings() == [seen(balance, 5, 5), seen(order, 5, 5)]


async def test_an_accounts_findings_are_exactly_the_last_ones_and_remember_when_they_began(journal):
    await journal.replace_findings("main", "paper", [a_finding("gone"), a_finding("stays"), a_finding("x")], 5)
    stays = a_finding("stays", detail="still", symbol="ETH/USDT", first_seen_ns=77, last_seen_ns=77)
    other_kind = a_finding("x", kind="missing_order")
    await journal.replace_findings("main", "paper", [stays, other_kind], 9)
    assert await journal.findings() == [seen(other_kind, 9, 9), seen(stays, 5, 9)]
    await journal.replace_findings("main", "paper", [], 10)
    assert await journal.findings() == []
    await journal.replace_findings("main", "paper", [stays], 11)
    assert await journal.findings() == [seen(stays, 11, 11)]


async def test_a_second_comparison_at_the_same_time_replaces_the_first(journal):
    await journal.replace_findings("main", "paper", [a_finding("first")], 5)
    await journal.replace_findings("main", "paper", [a_finding("second")], 5)
    assert [finding.reference for finding in await journal.findings()] == ["second"]


async def test_findings_of_other_accounts_stay(journal):
    of_exchange, of_account = a_finding("1", exchange="another"), a_finding("1", account="another")
    await journal.replace_findings("main", "another", [of_exchange], 1)
    await journal.replace_findings("another", "paper", [of_account], 2)
    await journal.replace_findings("main", "paper", [a_finding("1")], 3)
    await journal.replace_findings("main", "paper", [], 4)
    assert await journal.findings() == [seen(of_exchange, 1, 1), seen(of_account, 2, 2)]


async def test_an_id_that_is_found_twice_is_one_finding(journal):
    last = a_finding("1", symbol="ETH/USDT")
    await journal.replace_findings("main", "paper", [a_finding("1"), last], 3)
    assert await journal.findings() == [seen(last, 3, 3)]


@pytest.mark.parametrize("field", ["exchange", "account"])
async def test_a_finding_of_another_account_is_refused_with_all_of_its_group(journal, field):
    await journal.replace_findings("main", "paper", [a_finding("before")], 1)
    with pytest.raises(JournalConflict, match="a finding of account"):
        await journal.replace_findings("main", "paper", [a_finding("1"), a_finding("2", **{field: "another"})], 2)
    assert await journal.findings() == [seen(a_finding("before"), 1, 1)]


async def test_findings_outlive_a_restart(path):
    journal = SqliteJournal.open(path)
    await journal.replace_findings("main", "paper", [a_finding("1")], 1)
    await journal.close()
    journal = SqliteJournal.open(path)
    await journal.replace_findings("main", "paper", [a_finding("1")], 2)
    assert await journal.findings() == [seen(a_finding("1"), 1, 2)]
    await journal.close()
