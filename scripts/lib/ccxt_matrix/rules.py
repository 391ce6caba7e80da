"""What may never be said: the rules by which a verdict is held against what the exchange did. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from service.core.outcomes import Accepted, Found, InDoubt, LookUp, NotExecuted, NotFound, Outcome, Refused


class Verdict(StrEnum):
    """What our adapter made of a call to place an order."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_EXECUTED = "not executed"
    IN_DOUBT = "in doubt"


def verdict_of(outcome: Outcome) -> Verdict:
    match outcome:
        case Accepted():
            return Verdict.ACCEPTED
        case Refused():
            return Verdict.REFUSED
        case NotExecuted():
            return Verdict.NOT_EXECUTED
        case InDoubt():
            return Verdict.IN_DOUBT


def answer_of(found: LookUp) -> str:
    """In a word, for tables."""
    match found:
        case Found():
            return "found"
        case NotFound():
            return "absent"
        case _:
            return "unanswered"


def said(outcome: Outcome | LookUp) -> str:
    """The reason that goes with a verdict."""
    match outcome:
        case Accepted(report) | Found(report):
            return f"id {report.exchange_order_id}"
        case Refused():
            return f"{outcome.reason.value} {outcome.message}".strip()
        case NotFound():
            return outcome.message
        case _:
            return outcome.cause


def broken_by_order(
    outcome: Outcome, *, executed: int, arrived: int, reaches: bool, must: Verdict | None, answered_id: str | None
) -> Iterator[str]:
    """Each rule that is broken, as a sentence.

    `executed` and `arrived` count what the exchange did with this one order; `reaches`: it must have arrived, or the
    fault was not met; `must` is the only right verdict, if
    there is one; `answered_id` the id that the exchange gave in its answer, if it gave one.
    """
    verdict = verdict_of(outcome)
    if arrived > 1:
        yield f"the order was sent {arrived} times"
    if reaches and not arrived:
        yield "the order did not arrive"
    if executed and verdict in {Verdict.REFUSED, Verdict.NOT_EXECUTED}:
        yield f"called {verdict}, and it was executed"
    if isinstance(outcome, Accepted):
        if not executed:
            yield "called accepted, and it was not executed"
        if outcome.report.exchange_order_id != answered_id:
            yield f"accepted with the id {outcome.report.exchange_order_id}, the answer's is {answered_id}"
    if must is not None and verdict is not must:
        yield f"called {verdict}, expected {must}"


def broken_by_look_up(found: LookUp) -> Iterator[str]:
    """The answer said nothing about the order: every word on it is one too many."""
    if isinstance(found, NotFound):
        yield "called absent by an answer that does not say so"
    elif isinstance(found, Found):
        yield "found in an answer that holds no order"
