"""The state table, written here by hand from the design: the code must say the same."""

from __future__ import annotations

from decimal import Decimal

import pytest

from service.core.orders import (
    EXCHANGE_STATES,
    FINAL,
    RESTING,
    TRANSITIONS,
    UNCERTAIN,
    ImpossibleTransition,
    OrderStatus,
    is_allowed,
)
from tests.unit.core.samples import an_order

ANY_EXCHANGE_STATE = "ACCEPTED TRIGGERED PARTIALLY_FILLED FILLED REJECTED CANCELED EXPIRED"

TABLE = {
    "RECEIVED": "DENIED EXPIRED CANCELED SUBMITTED",
    "SUBMITTED": f"{ANY_EXCHANGE_STATE} IN_DOUBT RECEIVED",
    "IN_DOUBT": f"{ANY_EXCHANGE_STATE} ABSENT",
    "ABSENT": f"{ANY_EXCHANGE_STATE} SUBMITTED",
    "ACCEPTED": "TRIGGERED PARTIALLY_FILLED FILLED PENDING_CANCEL CANCELED REJECTED EXPIRED",
    "TRIGGERED": "PARTIALLY_FILLED FILLED PENDING_CANCEL CANCELED REJECTED EXPIRED",
    "PARTIALLY_FILLED": "TRIGGERED FILLED PENDING_CANCEL CANCELED REJECTED EXPIRED",
    "PENDING_CANCEL": "CANCELED FILLED EXPIRED REJECTED ACCEPTED TRIGGERED PARTIALLY_FILLED",
    "CANCELED": "FILLED",
    "EXPIRED": "FILLED",
    "DENIED": "",
    "REJECTED": "",
    "FILLED": "",
}


@pytest.mark.parametrize("from_status", OrderStatus)
@pytest.mark.parametrize("to_status", OrderStatus)
def test_a_step_is_allowed_where_the_design_says_so(from_status: OrderStatus, to_status: OrderStatus):
    assert is_allowed(from_status, to_status) is (to_status.value in TABLE[from_status].split())


def test_every_status_can_be_reached_from_received():
    reached, new = {OrderStatus.RECEIVED}, {OrderStatus.RECEIVED}
    while new:
        new = {to for status in new for to in TRANSITIONS[status]} - reached
        reached |= new

    assert reached == set(OrderStatus)


def test_from_every_status_that_is_not_final_a_final_one_can_be_reached():
    ending = set(FINAL)
    while more := {status for status in OrderStatus if TRANSITIONS[status] & ending} - ending:
        ending |= more

    assert ending == set(OrderStatus)


def test_a_denied_rejected_or_filled_order_never_moves_again():
    assert {status for status in OrderStatus if not TRANSITIONS[status]} == {
        OrderStatus.DENIED,
        OrderStatus.REJECTED,
        OrderStatus.FILLED,
    }


def test_the_groups_of_states_do_not_overlap():
    waiting = {OrderStatus.RECEIVED}

    assert not RESTING & UNCERTAIN
    assert not (RESTING | UNCERTAIN) & FINAL
    assert RESTING | UNCERTAIN | FINAL | waiting == set(OrderStatus)
    assert {state.value for state in EXCHANGE_STATES} == set(ANY_EXCHANGE_STATE.split())


def test_an_impossible_transition_says_what_would_be_possible():
    error = ImpossibleTransition("01", OrderStatus.RECEIVED, OrderStatus.FILLED)

    assert str(error) == (
        "order 01: RECEIVED -> FILLED is not a transition; allowed: CANCELED, DENIED, EXPIRED, SUBMITTED"
    )


@pytest.mark.parametrize(
    ("quantity", "filled", "leaves"), [(None, "0", None), ("2", "0.5", "1.5"), ("2", "2", "0"), ("2", "2.1", "0")]
)
def test_what_leaves_is_never_below_zero(quantity: str | None, filled: str, leaves: str | None):
    order = an_order(quantity=quantity and Decimal(quantity), filled_qty=Decimal(filled))

    assert order.leaves_qty == (leaves and Decimal(leaves))
