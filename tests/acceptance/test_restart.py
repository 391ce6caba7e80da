"""`kill -9` and a restart, as an operator sees them."""

from __future__ import annotations

import json

BUY = ("send", "--symbol", "BTC/USDT", "--side", "buy", "--quantity", "0.01", "--json", "--no-trace")


def order(installation, *arguments):
    return json.loads(installation.fillpath(*arguments).stdout)


def spans(installation, order_id):
    document = json.loads(installation.fillpath("trace", order_id, "--json").stdout)
    return [
        span for resource in document["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]
    ]


def test_orders_and_their_traces_survive_kill_9(installation):
    with installation.serving() as running:
        filled = order(installation, *BUY)["order"]
        resting = order(installation, *BUY, "--order-type", "limit", "--price", "20000")["order"]
        running.kill()

    with installation.serving():
        found = {each["order_id"]: each for each in order(installation, "orders", "--json")["orders"]}
        drawn = installation.fillpath("trace", filled["order_id"]).stdout
        traced = spans(installation, resting["order_id"])
        canceled = installation.fillpath("cancel", resting["order_id"])

    assert found[filled["order_id"]]["status"] == "FILLED"
    assert found[resting["order_id"]]["status"] == "ACCEPTED"
    assert "POST /webhook/{source} *" in drawn
    assert "rebuilt from the journal" in drawn
    assert {span["traceId"] for span in traced} == {resting["trace_id"]}
    assert "order.resume" in {span["name"] for span in traced}
    assert canceled.returncode == 0, canceled.stderr


def test_an_alert_sent_again_after_a_crash_is_not_executed_again(installation):
    with installation.serving() as running:
        first = order(installation, *BUY, "--id", "before-the-crash")["order"]
        running.kill()

    with installation.serving():
        again = order(installation, *BUY, "--id", "before-the-crash")["order"]
        everything = order(installation, "orders", "--json")["orders"]

    assert again["order_id"] == first["order_id"]
    assert again["trace_id"] == first["trace_id"]
    assert len(everything) == 1
