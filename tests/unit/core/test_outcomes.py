"""When an order in doubt may be called absent, and when a second request can never execute twice."""

from __future__ import annotations

import pytest

from service.core.outcomes import ExchangeRules, UsedIds, absence_provable_at, may_resend_after_absence


def rules(*, looks_up: bool = True, used_ids: UsedIds = UsedIds.UNKNOWN) -> ExchangeRules:
    return ExchangeRules(
        looks_up_by_client_id=looks_up, used_ids=used_ids, request_validity_ns=10_000, visibility_delay_ns=500
    )


def test_absence_is_proven_after_the_requests_validity_and_the_visibility_delay():
    assert absence_provable_at(1_000, rules()) == 11_500


def test_absence_is_never_proven_where_our_id_cannot_be_looked_up():
    assert absence_provable_at(1_000, rules(looks_up=False)) is None


@pytest.mark.parametrize("used_ids", UsedIds)
def test_only_an_exchange_that_refuses_used_ids_for_ever_gets_a_second_request(used_ids: UsedIds):
    assert may_resend_after_absence(rules(used_ids=used_ids)) is (used_ids is UsedIds.REFUSED_FOREVER)
