"""The verdict: which acknowledged alerts were lost, which were executed twice, what is told wrongly.

What was executed is the exchange's ledger, what was acknowledged the sender's record. What the service says is
compared with both and proves nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from scripts.lib.chaos.evidence import Evidence, Executed
from scripts.lib.chaos.operator import ENDED, filled_by_fills
from scripts.lib.chaos.places import PLACES, contract_sizes
from tests.simulator.ledger import Event, read

Order = Mapping[str, Any]

_STATUS_OF_LEDGER = {"filled": "FILLED", "canceled": "CANCELED", "expired": "EXPIRED", "rejected": "REJECTED"}
_WITHOUT_EXECUTION = frozenset({"DENIED", "REJECTED", "EXPIRED", "CANCELED", "ABSENT"})
_RESEND = "absent_resend"


class Verdict(NamedTuple):
    """Each entry names an alert or an order, and what is wrong with it.

    `not_filled`: orders that were to be filled and are not, and limits that nobody takes and that did not end
    CANCELED, each with the reason; no fault by itself.
    """

    lost: Sequence[str]
    doubled: Sequence[str]
    wrong: Sequence[str]
    not_filled: Sequence[str]

    @property
    def passed(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


def executed_by(ledgers: Sequence[Path], venue: str) -> tuple[Mapping[str, Executed], frozenset[str]]:
    """By client order id what the ledgers' files hold, in base units; and the ids that an exchange refused."""
    sizes = contract_sizes(venue)
    placed: defaultdict[str, list[Event]] = defaultdict(list)
    refused = set()
    for event in (event for ledger in ledgers for event in read(ledger)):
        if event.kind == "refused":
            refused.add(event.client_id or "")
        else:
            placed[event.client_id or ""].append(event)
    return {client_id: _executed(events, sizes) for client_id, events in placed.items()}, frozenset(refused)


def _executed(events: Sequence[Event], sizes: Mapping[str, Decimal]) -> Executed:
    filled = sum((event.quantity * sizes[event.symbol] for event in events if event.kind == "fill"), Decimal(0))
    return Executed(sum(event.kind == "placed" for event in events), filled, events[-1].status)


def judge(evidence: Evidence) -> Verdict:
    """All of it; the traces are judged apart."""
    by_id = {order["order_id"]: order for order in evidence.orders}
    known = {order["client_order_id"] for order in evidence.orders}
    strangers = (f"{client_id} is in the ledger, no order has it" for client_id in evidence.executed.keys() - known)
    orders = [order for order in evidence.orders if order["action"] == "place"]
    return Verdict(
        lost=[*_lost(evidence, by_id)],
        doubled=[*_doubled(evidence)],
        wrong=[
            *_misanswered(evidence, by_id),
            *strangers,
            *(_said(order, error) for order in orders for error in _wrong(order, evidence)),
            *(_said(order, error) for order in evidence.orders if (error := _wrong_cancel(order))),
        ],
        not_filled=[_said(order, _why(order, evidence)) for order in orders if not _as_meant(order)],
    )


def _lost(evidence: Evidence, by_id: Mapping[str, Order]) -> Iterator[str]:
    for alert, order_id in sorted({(told.alert, told.order_id) for told in evidence.sent.acknowledgements}):
        if order_id not in by_id:
            yield f"alert {alert} was acknowledged as order {order_id}, which the service does not know"
    for order_id in sorted(evidence.unfinished):
        yield f"order {order_id} has no end within the time it was given"


def _doubled(evidence: Evidence) -> Iterator[str]:
    for client_id, executed in evidence.executed.items():
        if executed.placed > 1:
            yield f"{client_id} was placed {executed.placed} times"
    alerts = Counter(order["comment"] for order in evidence.orders)
    yield from (f"alert {alert} became {count} orders" for alert, count in alerts.items() if count > 1)


def _misanswered(evidence: Evidence, by_id: Mapping[str, Order]) -> Iterator[str]:
    """Every answer to one alert names the same order, and what it says of it holds."""
    yield from (f"refused: {refusal}" for refusal in evidence.sent.refused)
    for told in evidence.sent.acknowledgements:
        order = by_id.get(told.order_id)
        if order is not None and (order["comment"], order["client_order_id"], order["trace_id"]) != (
            told.alert,
            told.client_order_id,
            told.trace_id,
        ):
            yield f"alert {told.alert} was answered {told}, the order says {order['comment']} {order['trace_id']}"


def _wrong(order: Order, evidence: Evidence) -> Iterator[str]:
    executed = evidence.executed.get(order["client_order_id"], Executed(0, Decimal(0), None))
    if order["status"] not in ENDED:
        return  # told as lost
    if executed.placed:
        expected = _STATUS_OF_LEDGER.get(executed.status or "", f"open: {executed.status}")
        if order["status"] != expected:
            yield f"{order['status']}, the ledger says {expected}"
    else:
        yield from _wrong_unexecuted(order, evidence)
    if Decimal(order["filled_qty"]) != executed.filled:
        yield f"filled {order['filled_qty']}, the ledger says {executed.filled:f}"
    if filled_by_fills(order) != executed.filled:
        yield f"its fills add up to {filled_by_fills(order):f}, the ledger says {executed.filled:f}"
    yield from order["anomalies"]


def _wrong_unexecuted(order: Order, evidence: Evidence) -> Iterator[str]:
    """What an order that the ledger does not know may have ended as."""
    status, steps = order["status"], [step["to"] for step in order["transitions"]]
    if status not in _WITHOUT_EXECUTION:
        yield f"{status}, the ledger does not know it"
    if status == "ABSENT" and "SUBMITTED" not in steps:
        yield "ABSENT, but it was never submitted"
    if (
        status == "ABSENT"
        and PLACES[evidence.venue].refuses_used_ids
        and not (_was_to_be_resent(order) and order["detail"])
    ):
        yield "ABSENT without a re-send, and without the reason why none was possible"
    if status == "REJECTED" and not _was_refused(order, evidence):
        yield "REJECTED, but the exchange refused nothing"
    if status == "CANCELED" and not order["cancel_requested"] and order["reason"] != "cancel_requested":
        yield f"CANCELED ({order['reason']}), but nobody cancelled it"
    if status in {"DENIED", "EXPIRED"} and not order["reason"]:
        yield f"{status} without a reason"


def _wrong_cancel(order: Order) -> str | None:
    if order["action"] == "cancel" and order["status"] != "CANCELED":
        return f"an alert that cancels ended {order['status']}"
    return None


def _was_to_be_resent(order: Order) -> bool:
    return any(step["reason"] == _RESEND for step in order["transitions"])


def _was_refused(order: Order, evidence: Evidence) -> bool:
    """By its own word in the ledger, or by a fault that says so to the sender and to nobody else."""
    client_id = order["client_order_id"]
    hit = any(hit.kind == "rejected" for hit in evidence.hits if hit.client_order_id == client_id)
    return hit or client_id in evidence.refused


def _as_meant(order: Order) -> bool:
    """Limits that nobody takes carry a tag, by which they are cancelled."""
    return bool(order["status"] == ("FILLED" if order["tag"] is None else "CANCELED"))


def _why(order: Order, evidence: Evidence) -> str:
    """Its end and the reasons: the service's own, and the faults that hit its order requests."""
    kinds = Counter(
        hit.kind for hit in evidence.hits if hit.endpoint == "place" and hit.client_order_id == order["client_order_id"]
    )
    faults = ", ".join(f"{kind} x{count}" for kind, count in kinds.items()) or "no fault"
    said = ": ".join(filter(None, (order["reason"], order["detail"])))
    return f"{order['status']} ({said or 'no reason'}; {faults})"


def _said(order: Order, text: str) -> str:
    return f"order {order['order_id']} (alert {order['comment']}, {order['client_order_id']}): {text}"
