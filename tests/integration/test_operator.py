"""The operator's interface."""

from __future__ import annotations

import pytest

from tests.support.service import Client

BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}


@pytest.mark.parametrize("path", ["/orders", "/orders/x", "/orders/x/trace", "/status"])
@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
async def test_everything_but_metrics_and_health_needs_the_token(client: Client, path: str, header: dict) -> None:
    client.operator.headers.pop("Authorization", None)
    response = await client.operator.get(path, headers=header)

    assert response.status_code == 401
    assert response.json()["reason"] == "operator_token"
    for free in ("/metrics", "/healthz", "/readyz"):
        assert (await client.operator.get(free)).status_code == 200


async def test_orders_are_listed_newest_first_by_pages_and_filters(client: Client) -> None:
    ids = [(await client.send(BUY, wait=5)).json()["order_id"] for _ in range(5)]
    other = (await client.send(BUY | {"symbol": "ETHUSDT", "quantity": "0.1", "account": "paper-2"}, wait=5)).json()

    first = (await client.operator.get("/orders", params={"limit": 4})).json()
    second = (await client.operator.get("/orders", params={"limit": 4, "after": first["next"]})).json()
    listed = [order["order_id"] for page in (first, second) for order in page["orders"]]
    assert listed == sorted([*ids, other["order_id"]], reverse=True)
    assert second["next"] is None
    by_symbol = (await client.operator.get("/orders", params={"symbol": "ETH/USDT"})).json()["orders"]
    assert [order["order_id"] for order in by_symbol] == [other["order_id"]]
    by_account = (await client.operator.get("/orders", params={"account": "paper-1", "status": "filled"})).json()
    assert len(by_account["orders"]) == 5


@pytest.mark.parametrize(
    "query", [{"status": "DONE"}, {"limit": "0"}, {"limit": "x"}, {"limit": "501"}, {"symbol_": "x"}]
)
async def test_a_wrong_query_is_422(client: Client, query: dict) -> None:
    response = await client.operator.get("/orders", params=query)

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


async def test_an_order_shows_its_history_fills_and_fees(client: Client) -> None:
    sent = (await client.send(BUY | {"tag": "Long", "comment": "breakout"}, wait=5)).json()
    for reference in ("order_id", "client_order_id", "exchange_order_id"):
        order = await client.order(sent[reference])
        assert order["order_id"] == sent["order_id"]

    assert [step["to"] for step in order["transitions"]] == ["RECEIVED", "SUBMITTED", "FILLED"]
    assert [fill["quantity"] for fill in order["fills"]] == ["0.01"]
    assert order["fees"] == {"BTC": "0.00001"}
    assert (order["tag"], order["comment"]) == ("Long", "breakout")


async def test_an_unknown_order_is_404(client: Client) -> None:
    for method, path in (("GET", "/orders/nope"), ("GET", "/orders/nope/trace"), ("DELETE", "/orders/nope")):
        assert (await client.operator.request(method, path)).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/halt", {"level": "off"}, 422),
        ("/halt", {"account": "nobody"}, 422),
        ("/halt", {"lvel": "stop"}, 422),
        ("/resume", {"account": "nobody"}, 422),
    ],
)
async def test_a_wrong_action_changes_nothing(client: Client, path: str, body: dict, status: int) -> None:
    assert (await client.operator.post(path, json=body)).status_code == status
    assert (await client.send(BUY, wait=5)).json()["status"] == "FILLED"


async def test_one_account_can_be_halted_alone(client: Client) -> None:
    await client.operator.post("/halt", json={"account": "paper-2", "level": "reducing"})

    assert (await client.send(BUY | {"account": "paper-2"})).json()["reason"] == "halted"
    assert (await client.send(BUY | {"account": "paper-1"}, wait=5)).json()["status"] == "FILLED"


async def test_openmetrics_carries_exemplars_that_name_a_known_trace(client: Client) -> None:
    answer = (await client.send(BUY, wait=5)).json()
    text = (await client.operator.get("/metrics", headers={"Accept": "application/openmetrics-text"})).text

    lines = [line for line in text.splitlines() if line.startswith("execution_fill_latency_seconds_bucket")]
    assert any(answer["trace_id"] in line for line in lines)
    assert text.endswith("# EOF\n")
