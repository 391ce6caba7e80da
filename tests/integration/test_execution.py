"""Executed once, whatever the exchange answers; tried over real HTTP with a paper exchange that can lie."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from service.core.orders import OrderStatus
from service.core.outcomes import InDoubt, NotExecuted, Refused, RejectReason
from tests.support.exchanges import LyingExchange
from tests.support.service import Client, running
from tests.support.waiting import until

BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}
UNBROKEN = {"breaker_failures": 1000}
SELL = {"symbol": "BTC/USDT", "side": "sell", "quantity": "0.005"}


def _exchange(client: Client) -> LyingExchange:
    assert isinstance(client.service.exchanges[0], LyingExchange)
    return client.service.exchanges[0]


async def _reaches(client: Client, order_id: str, *statuses: str, within: float = 15.0) -> dict:
    async def reached():
        order = await client.order(order_id)
        return order if order["status"] in statuses else None

    return await until(reached, within=within)


async def _executed_but_no_answer(request, place):
    await place(request)
    return InDoubt(cause="connection closed")


async def _never_arrived(request, place):
    return InDoubt(cause="connection closed")


async def _refused_connection(request, place):
    return NotExecuted(cause="connection_refused")


async def _hangs(request, place):
    await place(request)
    await asyncio.sleep(3600)


async def _used_already(request, place):
    await place(request)
    return Refused(reason=RejectReason.DUPLICATE_CLIENT_ORDER_ID)


async def _raises(request, place):
    await place(request)
    raise RuntimeError("an adapter's defect")


@pytest.fixture
async def lying(tmp_path: Path):
    async with running(tmp_path, make_exchange=LyingExchange, execution=UNBROKEN | {"request_timeout": 2.0}) as client:
        yield client


@pytest.mark.parametrize("lie", [_executed_but_no_answer, _hangs, _raises, _used_already])
async def test_an_executed_order_whose_answer_is_lost_is_found_and_not_sent_again(lying: Client, lie) -> None:
    _exchange(lying).script.append(lie)

    order_id = (await lying.send(BUY)).json()["order_id"]
    order = await _reaches(lying, order_id, "FILLED")

    assert [step["to"] for step in order["transitions"]] == ["RECEIVED", "SUBMITTED", "IN_DOUBT", "FILLED"]
    assert len(_exchange(lying).placed) == 1
    names = [span["name"] for span in await lying.spans(order_id)]
    assert "order.reconcile" in names


async def test_a_request_that_never_arrived_is_proven_absent_and_sent_once_more(lying: Client) -> None:
    _exchange(lying).script.append(_never_arrived)

    order_id = (await lying.send(BUY)).json()["order_id"]
    order = await _reaches(lying, order_id, "FILLED")

    steps = [step["to"] for step in order["transitions"]]
    assert steps == ["RECEIVED", "SUBMITTED", "IN_DOUBT", "ABSENT", "SUBMITTED", "FILLED"]
    assert order["attempts"] == 2
    assert order["filled_qty"] == "0.01"
    metrics = await lying.metrics()
    assert metrics['execution_order_outcomes_total{exchange="paper",on_time="true",outcome="accepted"}'] == 1
    assert metrics['execution_order_outcomes_total{exchange="paper",on_time="true",outcome="absent"}'] == 0


async def test_proven_not_executed_goes_back_and_is_tried_again_while_fresh(lying: Client) -> None:
    _exchange(lying).script.append(_refused_connection)

    order_id = (await lying.send(BUY)).json()["order_id"]
    order = await _reaches(lying, order_id, "FILLED")

    assert [step["to"] for step in order["transitions"]] == ["RECEIVED", "SUBMITTED", "RECEIVED", "SUBMITTED", "FILLED"]


@pytest.mark.parametrize("lie", [_refused_connection, _never_arrived])
async def test_an_order_that_is_sent_again_counts_once_with_its_size(lying: Client, lie) -> None:
    _exchange(lying).script.append(lie)

    await _reaches(lying, (await lying.send(BUY)).json()["order_id"], "FILLED")

    metrics = await lying.metrics()
    assert metrics['execution_order_size_usd_count{exchange="paper",side="buy",symbol="BTC/USDT"}'] == 1
    assert metrics['execution_position_size_pct_count{method="explicit"}'] == 1


@pytest.mark.parametrize("lie", [_executed_but_no_answer, _refused_connection, _never_arrived])
async def test_an_orders_duration_is_measured_once_and_to_its_first_known_outcome(lying: Client, lie) -> None:
    _exchange(lying).script.append(lie)

    order = await _reaches(lying, (await lying.send(BUY)).json()["order_id"], "FILLED")

    submitted, filled = (
        datetime.fromisoformat(next(step["at"] for step in order["transitions"] if step["to"] == status))
        for status in ("SUBMITTED", "FILLED")
    )
    metrics = await lying.metrics()
    of_order = '{exchange="paper",order_type="market"}'
    assert metrics[f"execution_order_duration_seconds_count{of_order}"] == 1
    assert metrics[f"execution_order_duration_seconds_sum{of_order}"] >= (filled - submitted).total_seconds() > 0


async def test_a_refusal_ends_rejected_with_its_reason(lying: Client) -> None:
    async def refuse(request, place):
        return Refused(reason=RejectReason.INSUFFICIENT_FUNDS, message="too poor")

    _exchange(lying).script.append(refuse)
    answer = (await lying.send(BUY, wait=5)).json()

    assert (answer["status"], answer["reason"], answer["detail"]) == ("REJECTED", "insufficient_funds", "too poor")
    failures = 'execution_order_failures_total{exchange="paper",reason="insufficient_funds",symbol="BTC/USDT"}'
    assert (await lying.metrics())[failures] == 1


async def test_an_order_in_doubt_holds_its_lane_and_no_other(lying: Client) -> None:
    exchange = _exchange(lying)
    exchange.look_ups_fail = True
    exchange.script.append(_executed_but_no_answer)
    first = (await lying.send(BUY)).json()["order_id"]
    await _reaches(lying, first, "IN_DOUBT")

    behind = (await lying.send(BUY)).json()["order_id"]
    beside = await lying.send(BUY | {"symbol": "ETH/USDT", "quantity": "0.1"}, wait=5)

    assert beside.json()["status"] == "FILLED"
    assert (await lying.order(behind))["status"] == "RECEIVED"
    assert (await lying.metrics())['execution_orders_in_doubt{exchange="paper"}'] == 1
    exchange.look_ups_fail = False
    await _reaches(lying, first, "FILLED")
    await _reaches(lying, behind, "FILLED")


async def test_what_waits_behind_an_order_in_doubt_ages_and_expires(tmp_path: Path) -> None:
    sources = {"default": {"max_age_market": 1.5}}
    async with running(tmp_path, make_exchange=LyingExchange, sources=sources, execution=UNBROKEN) as client:
        exchange = _exchange(client)
        exchange.look_ups_fail = True
        exchange.script.append(_executed_but_no_answer)
        first = (await client.send(BUY)).json()["order_id"]
        await _reaches(client, first, "IN_DOUBT")

        behind = (await client.send(BUY)).json()["order_id"]
        order = await _reaches(client, behind, "EXPIRED")

        assert order["reason"] == "max_age"
        assert len(exchange.placed) == 1


async def test_an_order_in_doubt_can_be_resolved_by_the_operator_with_evidence(lying: Client) -> None:
    exchange = _exchange(lying)
    exchange.look_ups_fail = True
    exchange.script.append(_executed_but_no_answer)
    order_id = (await lying.send(BUY)).json()["order_id"]
    await _reaches(lying, order_id, "IN_DOUBT")

    without = await lying.operator.post(f"/orders/{order_id}/resolve", json={"status": "FILLED", "evidence": " "})
    resolved = await lying.operator.post(
        f"/orders/{order_id}/resolve",
        json={"status": "FILLED", "evidence": "seen in the exchange's web page", "average_price": "50000"},
    )

    assert without.status_code == 422
    assert resolved.json()["status"] == "FILLED"
    assert (await lying.order(order_id))["detail"] == "seen in the exchange's web page"


async def test_ten_alerts_at_one_bar_do_not_spend_the_same_balance_twice(client: Client) -> None:
    symbols = ["BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "LINK", "AVAX", "DOT"]
    known = client.service.exchanges[0].markets
    symbols = [f"{base}/USDT" for base in symbols if f"{base}/USDT" in known]
    assert len(symbols) >= 8

    alerts = [{"symbol": s, "side": "buy", "quote_amount": "30000"} for s in symbols]
    answers = await asyncio.gather(*(client.send(alert, wait=10) for alert in alerts))

    statuses = [answer.json()["status"] for answer in answers]
    assert statuses.count("FILLED") == 3
    assert set(statuses) == {"FILLED", "DENIED"}
    denied = [answer.json() for answer in answers if answer.json()["status"] == "DENIED"]
    assert {answer["reason"] for answer in denied} == {"insufficient_balance"}


async def test_an_order_executed_but_not_yet_answered_does_not_count_twice_against_the_balance(lying: Client) -> None:
    executed, answered = asyncio.Event(), asyncio.Event()

    async def answers_late(request, place):
        outcome = await place(request)
        executed.set()
        await answered.wait()
        return outcome

    _exchange(lying).script.append(answers_late)
    await lying.send({"symbol": "BTC/USDT", "side": "buy", "quote_amount": "60000"})
    async with asyncio.timeout(5):
        await executed.wait()

    affordable = asyncio.create_task(
        lying.send({"symbol": "ETH/USDT", "side": "buy", "quote_amount": "30000"}, wait=10)
    )
    too_much = await lying.send({"symbol": "SOL/USDT", "side": "buy", "quote_amount": "50000"}, wait=10)
    answered.set()

    assert too_much.json()["reason"] == "insufficient_balance"
    assert (await affordable).json()["status"] == "FILLED"


@pytest.mark.parametrize(
    ("size", "status"),
    [({"quantity": "1"}, 422), ({"quote_amount": "2000"}, 422), ({"equity_percent": "50"}, 200)],
)
async def test_no_order_is_larger_than_its_source_may_send(tmp_path: Path, size: dict, status: int) -> None:
    async with running(tmp_path, sources={"default": {"max_notional": 1000}}) as client:
        response = await client.send({"symbol": "BTC/USDT", "side": "buy"} | size, wait=5)

    assert response.status_code == status
    assert response.json()["reason"] == "above_maximum"


async def test_percent_of_equity_and_risk_are_sized_from_the_account(client: Client) -> None:
    price = client.service.exchanges[0].quote("ETH/USDT").ask
    percent = {"symbol": "ETH/USDT", "side": "buy", "equity_percent": "10"}
    bought = (await client.send(percent, wait=5)).json()
    assert Decimal(bought["quantity"]) * price == pytest.approx(Decimal(10_000), rel=Decimal("0.01"))

    stop = {"symbol": "BTC/USDT", "side": "buy", "risk_percent": "1", "stop_price": "54000"}
    risked = (await client.send(stop, wait=5)).json()
    distance = client.service.exchanges[0].quote("BTC/USDT").ask - 54_000
    assert Decimal(risked["quantity"]) * distance == pytest.approx(Decimal(900), rel=Decimal("0.05"))

    sold = (await client.send({"symbol": "ETH/USDT", "side": "sell", "equity_percent": "100"}, wait=5)).json()
    assert Decimal(sold["quantity"]) == pytest.approx(Decimal(bought["quantity"]), rel=Decimal("0.01"))


async def test_a_limit_rests_and_is_canceled(client: Client) -> None:
    quote = client.service.exchanges[0].quote("BTC/USDT")
    price = str((quote.bid * Decimal("0.5")).quantize(Decimal(1)))
    alert = BUY | {"order_type": "limit", "price": price}
    order_id = (await client.send(alert, wait=5)).json()["order_id"]
    await _reaches(client, order_id, "ACCEPTED")

    canceled = await client.operator.delete(f"/orders/{order_id}")
    again = await client.operator.delete(f"/orders/{order_id}")

    assert canceled.json()["status"] == "CANCELED"
    assert again.status_code == 409
    assert (await client.order(order_id))["transitions"][-2]["to"] == "PENDING_CANCEL"


async def test_a_cancel_whose_answer_is_lost_stays_pending_until_it_is_known(lying: Client) -> None:
    async def lost(ref, cancel):
        await cancel(ref)
        return InDoubt(cause="connection closed")

    exchange = _exchange(lying)
    quote = exchange.quote("BTC/USDT")
    price = str((quote.bid * Decimal("0.5")).quantize(Decimal(1)))
    order_id = (await lying.send(BUY | {"order_type": "limit", "price": price}, wait=5)).json()["order_id"]
    exchange.cancel_script.append(lost)

    pending = await lying.operator.delete(f"/orders/{order_id}")

    assert pending.json()["status"] == "PENDING_CANCEL"
    await _reaches(lying, order_id, "CANCELED")


async def test_a_cancel_of_an_order_on_its_way_is_sent_once_the_order_is_known(lying: Client) -> None:
    exchange = _exchange(lying)
    exchange.gate.clear()
    quote = exchange.quote("BTC/USDT")
    price = str((quote.bid * Decimal("0.5")).quantize(Decimal(1)))
    order_id = (await lying.send(BUY | {"order_type": "limit", "price": price})).json()["order_id"]
    await _reaches(lying, order_id, "SUBMITTED")

    stored = await lying.operator.delete(f"/orders/{order_id}")
    exchange.gate.set()

    assert stored.status_code == 202
    assert stored.json()["cancel_requested"] is True
    await _reaches(lying, order_id, "CANCELED")


async def test_halting_refuses_entries_expires_queued_ones_and_resume_releases_none(lying: Client) -> None:
    exchange = _exchange(lying)
    assert (await lying.send(BUY, wait=5)).json()["status"] == "FILLED"
    exchange.look_ups_fail = True
    exchange.script.append(_executed_but_no_answer)
    first = (await lying.send(BUY)).json()["order_id"]
    await _reaches(lying, first, "IN_DOUBT")
    queued_entry = (await lying.send(BUY)).json()["order_id"]
    queued_exit = (await lying.send(SELL)).json()["order_id"]

    halted = await lying.operator.post("/halt", json={"level": "reducing"})
    refused = await lying.send(BUY)

    assert halted.json() == {"halts": {"*": "reducing"}, "expired": 1}
    assert (refused.status_code, refused.json()["reason"]) == (422, "halted")
    expired = await lying.order(queued_entry)
    assert (expired["status"], expired["reason"]) == ("EXPIRED", "halted")
    await lying.operator.post("/resume", json={})
    exchange.look_ups_fail = False
    await _reaches(lying, queued_exit, "FILLED")
    assert (await lying.order(queued_entry))["status"] == "EXPIRED"


async def test_stop_sends_nothing_and_survives_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        assert (await client.send(BUY, wait=5)).json()["status"] == "FILLED"
        await client.operator.post("/halt", json={"level": "stop"})
        assert (await client.send(SELL)).json()["reason"] == "halted"
    async with running(tmp_path) as client:
        assert (await client.send(SELL)).json()["reason"] == "halted"
        await client.operator.post("/resume", json={})
        assert (await client.send(SELL, wait=5)).json()["status"] == "FILLED"


async def test_an_open_breaker_expires_entries_and_lets_exits_through(tmp_path: Path) -> None:
    execution = {"breaker_failures": 2}
    async with running(tmp_path, make_exchange=LyingExchange, execution=execution) as client:
        assert (await client.send(BUY, wait=5)).json()["status"] == "FILLED"
        exchange = _exchange(client)
        exchange.script += [_refused_connection] * 2
        blocked = (await client.send(BUY | {"symbol": "ETH/USDT", "quantity": "0.1"}, wait=5)).json()

        assert (blocked["status"], blocked["reason"]) == ("EXPIRED", "breaker_open")
        assert (await client.metrics())['execution_circuit_breaker_state{exchange="paper"}'] == 2
        assert (await client.send(SELL, wait=5)).json()["status"] == "FILLED"


async def test_one_trace_from_webhook_to_fill(client: Client) -> None:
    answer = (await client.send(BUY, wait=5)).json()

    spans = await client.spans(answer["order_id"])

    by_id = {span["spanId"]: span for span in spans}
    roots = [span for span in spans if span.get("parentSpanId", "") not in by_id]
    assert [root["name"] for root in roots] == ["POST /webhook/{source}"]
    assert {span["traceId"] for span in spans} == {answer["trace_id"]}
    names = [span["name"] for span in sorted(spans, key=lambda span: int(span["startTimeUnixNano"]))]
    assert names[:12] == [
        "POST /webhook/{source}",
        "webhook.address",
        "webhook.limit",
        "webhook.size",
        "webhook.decode",
        "webhook.authenticate",
        "webhook.idempotency",
        "webhook.source_limit",
        "order.validate",
        "order.normalize",
        "order.check_risk",
        "journal.append",
    ]
    rest = set(names[12:])
    assert {"order.execute", "exchange.limit", "order.size", "journal.append", "exchange.create_order"} <= rest


async def test_a_limit_that_fills_in_parts_shows_each_part_in_its_trace(tmp_path: Path) -> None:
    book = {"tick_interval": 0.2, "volatility": 0.0, "partial_fills": {"probability": 1.0, "parts": 3}}
    async with running(tmp_path, paper=book) as client:
        price = str(client.service.exchanges[0].quote("BTC/USDT").ask)
        order_id = (await client.send(BUY | {"order_type": "limit", "price": price})).json()["order_id"]
        order = await _reaches(client, order_id, "FILLED")
        spans = await client.spans(order_id)

    assert [fill["quantity"] for fill in order["fills"]].count("0") == 0
    assert len(order["fills"]) == 3
    assert sum(Decimal(fill["quantity"]) for fill in order["fills"]) == Decimal("0.01")
    assert "PARTIALLY_FILLED" in [step["to"] for step in order["transitions"]]
    assert [span["name"] for span in spans].count("order.update") >= 1


async def test_a_stop_rests_until_the_market_reaches_it(client: Client) -> None:
    assert (await client.send(BUY, wait=5)).json()["status"] == "FILLED"
    stop = SELL | {"order_type": "stop_loss", "stop_price": "30000"}
    answer = (await client.send(stop, wait=5)).json()

    assert answer["status"] == "ACCEPTED"
    assert (await client.operator.delete(f"/orders/{answer['order_id']}")).json()["status"] == "CANCELED"


async def test_a_process_that_stood_still_says_nothing_about_the_exchange(tmp_path: Path) -> None:
    """As on a machine that was suspended: what was on the wire is too old to be executed, and is sent again."""
    accounts = [f"paper-{n}" for n in range(1, 9)]
    sources = {"default": {"auth": "standard", "accounts": accounts}}
    paper = {"accounts": accounts, "latency": 0.4}
    async with running(tmp_path, sources=sources, paper=paper) as client:
        lives = client.service.execution.register.live.values()
        sending = [asyncio.create_task(client.send(BUY | {"account": account}, wait=15)) for account in accounts]

        async def all_on_the_wire() -> bool:
            return sum(live.order.status is OrderStatus.SUBMITTED for live in lives) == len(accounts)

        await until(all_on_the_wire)
        time.sleep(1.6)  # noqa: ASYNC251 - the event loop stands still, longer than a request is valid
        answers = [answer.json() for answer in await asyncio.gather(*sending)]
        orders = [await client.order(answer["order_id"]) for answer in answers]
        metrics = await client.metrics()

    assert {answer["status"] for answer in answers} == {"FILLED"}
    assert {order["attempts"] for order in orders} == {2}
    assert {step["reason"] for order in orders for step in order["transitions"] if step["from"] == "SUBMITTED"} == {
        "clock_skew",
        None,
    }
    assert metrics['execution_circuit_breaker_state{exchange="paper"}'] == 0
