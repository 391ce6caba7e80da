"""Each reason for a refusal has the HTTP status on which its sender does the right thing."""

from __future__ import annotations

import pytest

from service.core.refusals import DenialReason, Refusal

STATUSES = {
    "address": 403,
    "rate_limited": 429,
    "malformed": 400,
    "too_large": 413,
    "body_timeout": 408,
    "signature": 401,
    "operator_token": 401,
    "key_reused": 409,
    "journal_unavailable": 503,
    "overloaded": 503,
    "shutting_down": 503,
}


@pytest.mark.parametrize("reason", DenialReason)
def test_a_reason_has_its_status_and_all_about_the_alert_is_422(reason: DenialReason):
    assert Refusal(reason, "detail").status == STATUSES.get(reason.value, 422)


def test_a_refusal_reads_as_its_detail():
    assert str(Refusal(DenialReason.STALE, "too old", status=418)) == "too old"
    assert Refusal(DenialReason.STALE, "too old", status=418).status == 418
