"""Since when an order's request may have left, as far as a new process can know it."""

from __future__ import annotations

import pytest

from service.core.orders import OrderStatus
from service.execution.register import Register
from tests.unit.core.samples import an_order

S = 1_000_000_000
NOW_NS = 1_800_000_000 * S
MONOTONIC_NS = 500 * S


class Clock:
    def now_ns(self) -> int:
        return NOW_NS

    def monotonic_ns(self) -> int:
        return MONOTONIC_NS


def test_an_order_that_was_in_doubt_before_the_restart_is_in_doubt_since_then():
    assert _doubt_since_ns(OrderStatus.IN_DOUBT, NOW_NS - 7 * S) == MONOTONIC_NS - 7 * S


def test_of_an_order_that_was_submitted_only_the_end_of_its_process_is_known():
    assert _doubt_since_ns(OrderStatus.SUBMITTED, NOW_NS - 7 * S) == MONOTONIC_NS


def test_a_clock_that_was_set_back_makes_no_doubt_begin_later_than_now():
    assert _doubt_since_ns(OrderStatus.IN_DOUBT, NOW_NS + 7 * S) == MONOTONIC_NS


@pytest.mark.parametrize("status", [OrderStatus.RECEIVED, OrderStatus.ACCEPTED, OrderStatus.ABSENT])
def test_no_other_order_is_in_doubt(status: OrderStatus):
    assert _doubt_since_ns(status, NOW_NS) is None


def _doubt_since_ns(status: OrderStatus, updated_ns: int) -> int | None:
    register = Register(None, None, Clock(), {})  # type: ignore[arg-type]
    return register.track(an_order(status=status, updated_ns=updated_ns)).doubt_since_ns
