"""The judge of the chaos run finds what it is there to find."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from scripts.lib.chaos.evidence import Acknowledgement, Evidence, Executed, Hit, Life, Sent, Span, Spans
from scripts.lib.chaos.judge import executed_by, judge
from scripts.lib.chaos.spans import judge_traces

S = 1_000_000_000
T0_NS = 1_800_000_000 * S
FILLED = Executed(1, Decimal("0.001"), "filled")


def at(seconds: float) -> str:
    """A time as the operator interface tells it."""
    return datetime.fromtimestamp(T0_NS // S + seconds, UTC).isoformat()


def an_order(status: str = "FILLED", *, steps: tuple[str, ...] = ("RECEIVED", "SUBMITTED"), **fields):
    """One order; its steps are a second apart, from second 0 on."""
    filled = fields.pop("filled", "0.001" if status == "FILLED" else "0")
    return {
        "order_id": "o1",
        "client_order_id": "c1",
        "comment": "a1",
        "trace_id": "t1",
        "action": "place",
        "tag": None,
        "status": status,
        "reason": None,
        "detail": None,
        "cancel_requested": False,
        "filled_qty": filled,
        "fills": [{"quantity": filled}],
        "anomalies": [],
        "attempts": 1,
        "transitions": [{"to": step, "reason": None, "at": at(second)} for second, step in enumerate((*steps, status))],
    } | fields


def evidence(*orders, venue: str = "binance", executed=None, told=(("a1", "o1", "c1", "t1"),), **fields) -> Evidence:
    return Evidence(
        venue=venue,
        sent=Sent(1, [Acknowledgement(*one) for one in told], 0, 0, fields.pop("refusals", ())),
        executed={"c1": FILLED} if executed is None else executed,
        refused=fields.pop("refused", frozenset()),
        hits=fields.pop("hits", ()),
        orders=orders,
        unfinished=fields.pop("unfinished", frozenset()),
        spans=fields.pop("spans", Spans((), ())),
        lives=fields.pop("lives", ()),
    )


def test_an_order_that_was_executed_once_and_says_so_passes():
    assert judge(evidence(an_order())).passed


def test_an_acknowledged_alert_that_the_service_does_not_know_is_lost():
    assert "a1" in judge(evidence(executed={})).lost[0]


def test_an_order_without_an_end_is_lost():
    found = judge(evidence(an_order("IN_DOUBT"), unfinished=frozenset({"o1"})))
    assert "o1" in found.lost[0]


def test_two_orders_at_the_exchange_under_one_id_are_doubled():
    assert judge(evidence(an_order(), executed={"c1": FILLED._replace(placed=2)})).doubled


def test_two_orders_of_one_alert_are_doubled():
    second = an_order() | {"order_id": "o2", "client_order_id": "c2"}
    assert judge(evidence(an_order(), second, executed={"c1": FILLED, "c2": FILLED})).doubled == [
        "alert a1 became 2 orders"
    ]


@pytest.mark.parametrize(
    ("order", "executed"),
    [
        (an_order(), {}),
        (an_order(filled="0.002"), {"c1": FILLED}),
        (an_order(fills=[]), {"c1": FILLED}),
        (an_order("CANCELED"), {"c1": FILLED}),
        (an_order("ABSENT"), {"c1": FILLED}),
        (an_order("ABSENT", steps=("RECEIVED",)), {}),
        (an_order("REJECTED"), {}),
        (an_order("CANCELED"), {}),
        (an_order("EXPIRED"), {}),
        (an_order(anomalies=["overfilled"]), {"c1": FILLED}),
        (an_order(trace_id="t2"), {"c1": FILLED}),
        (an_order(client_order_id="c2"), {"c1": FILLED}),
        (an_order("FILLED", action="cancel"), {}),
    ],
)
def test_an_order_that_tells_another_story_than_the_ledger_is_wrong(order, executed):
    assert judge(evidence(order, executed=executed)).wrong


@pytest.mark.parametrize(
    ("order", "fields"),
    [
        (an_order("ABSENT"), {}),
        (an_order("REJECTED"), {"refused": frozenset({"c1"})}),
        (an_order("REJECTED"), {"hits": [Hit("place", "c1", "rejected", False)]}),
        (an_order("CANCELED", cancel_requested=True), {}),
        (an_order("EXPIRED", reason="max_age"), {}),
        (an_order("DENIED", reason="insufficient_balance"), {}),
    ],
)
def test_an_order_that_was_not_executed_for_a_reason_passes_and_is_listed(order, fields):
    found = judge(evidence(order, executed={}, **fields))
    assert found.passed
    assert len(found.not_filled) == 1


def test_where_used_ids_are_refused_an_absent_order_must_say_why_it_was_not_sent_again():
    assert judge(evidence(an_order("ABSENT"), venue="bybit", executed={})).wrong
    said = an_order("ABSENT", detail="not sent again: max_age")
    said["transitions"][-1]["reason"] = "absent_resend"
    assert judge(evidence(said, venue="bybit", executed={})).passed


def test_a_ledger_is_read_in_base_units(tmp_path):
    ledger = tmp_path / "ledger.jsonl"
    row = {"ts_ns": 1, "order_id": "1", "client_id": "c1", "symbol": "BTC-USDT-SWAP", "price": None}
    rows = [
        row | {"kind": "placed", "quantity": "2", "status": "new"},
        row | {"kind": "fill", "quantity": "2", "status": "filled"},
        row | {"kind": "refused", "client_id": "c2", "quantity": "0"},
    ]
    ledger.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in rows))
    assert executed_by([ledger], "okx") == ({"c1": Executed(1, Decimal("0.02"), "filled")}, frozenset({"c2"}))


class TestTraces:
    """The order of `an_order` is received at second 0 and ends at second 2; the restart is at second 0.75."""

    LIVES = (
        Life(T0_NS - 9 * S, T0_NS - 8 * S, T0_NS + S // 2, killed=True),
        Life(T0_NS + 3 * S // 4, T0_NS + 3 * S, T0_NS + 9 * S),
    )

    def judged(self, *spans: Span, newest: float = 4, order=None):
        newest_ns = (T0_NS + int(newest * S),)
        return judge_traces(evidence(order or an_order(), spans=Spans(spans, newest_ns), lives=self.LIVES))

    def resume(self, second: float, trace_id: str = "t1") -> Span:
        return Span("order.resume", "o1", trace_id, T0_NS + int(second * S))

    def test_a_restart_that_goes_on_in_the_orders_trace_passes(self):
        found = self.judged(self.resume(1.5))
        assert (found.problems, found.checked) == ([], 1)
        assert [(restart.number, restart.seconds) for restart in found.restarts] == [(2, 0.25)]

    def test_a_restart_without_a_span_in_the_trace_is_found(self):
        assert "start 2" in self.judged().problems[0]

    def test_a_restart_that_goes_on_twice_is_found(self):
        assert self.judged(self.resume(1.5), self.resume(1.6)).problems

    def test_a_span_in_another_trace_is_found(self):
        assert any("in trace t2" in problem for problem in self.judged(self.resume(1.5, "t2")).problems)

    def test_nothing_is_demanded_of_a_restart_whose_spans_did_not_come_in(self):
        assert self.judged(newest=2).problems == []

    def test_nothing_is_demanded_for_an_order_that_had_ended(self):
        order = an_order()
        for step in order["transitions"]:
            step["at"] = at(0.2)
        assert self.judged(order=order).restarts == []
