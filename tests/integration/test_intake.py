"""What a sender gets, over real HTTP."""

from __future__ import annotations

import asyncio
import time

import httpx
import msgspec
import pytest

from service.core.signatures import sign_hex
from tests.support.service import HMAC, TOKEN, Client, running

BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.01"}


async def test_a_signed_alert_is_acknowledged_with_its_order_and_trace(client: Client) -> None:
    response = await client.send(BUY)

    assert response.status_code == 202
    answer = response.json()
    assert answer["status"] == "RECEIVED"
    assert len(answer["trace_id"]) == 32
    assert (await client.order(answer["order_id"]))["client_order_id"] == answer["client_order_id"]


async def test_prefer_wait_answers_200_with_the_fill(client: Client) -> None:
    response = await client.send(BUY, wait=5)

    assert response.status_code == 200
    assert response.json()["status"] == "FILLED"
    assert response.json()["filled_qty"] == "0.01"


async def test_the_same_alert_50_times_at_once_is_one_order(client: Client) -> None:
    responses = await asyncio.gather(*(client.send(BUY, webhook_id="msg_once") for _ in range(50)))

    assert {response.status_code for response in responses} == {202}
    assert len({response.json()["order_id"] for response in responses}) == 1
    assert sum("idempotent-replayed" in response.headers for response in responses) == 49
    assert len((await client.operator.get("/orders")).json()["orders"]) == 1


async def test_a_replay_answers_word_for_word_and_links_its_trace_to_the_first(client: Client) -> None:
    first = await client.send(BUY, webhook_id="msg_again")
    again = await client.send(BUY, webhook_id="msg_again")

    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_used_key_with_another_body_is_409_and_explains_itself(client: Client) -> None:
    first = await client.send(BUY | {"id": "Long"}, source="tradingview_is_not_used_here", webhook_id="msg_x")
    assert first.status_code == 401

    await client.send(BUY, webhook_id="msg_key")
    other = await client.send(BUY | {"quantity": "0.02"}, webhook_id="msg_key")

    assert other.status_code == 409
    assert other.json()["reason"] == "key_reused"
    assert "{{strategy.order.id}}" in other.json()["detail"]


async def _tradingview(client: Client, alert: dict[str, object], content_type: str = "text/plain") -> httpx.Response:
    body = msgspec.json.encode(alert | {"token": TOKEN})
    return await client.public.post("/webhook/tradingview", content=body, headers={"content-type": content_type})


async def test_a_token_in_a_text_body_authenticates_and_is_kept_nowhere(client: Client) -> None:
    response = await _tradingview(client, BUY | {"id": "alert-1", "comment": "from a chart"})

    assert response.status_code == 202
    stored = (client.service.loaded.data_dir / "journal.sqlite").read_bytes()
    stored += (client.service.loaded.data_dir / "journal.sqlite-wal").read_bytes()
    assert b"from a chart" in stored
    assert TOKEN.encode() not in stored
    assert TOKEN not in str(await client.spans(response.json()["order_id"]))


async def test_the_same_body_without_key_or_time_is_a_re_send_for_25_seconds(client: Client) -> None:
    first = await _tradingview(client, BUY)
    again = await _tradingview(client, BUY)

    assert again.status_code == 202
    assert again.json()["duplicate_of"] == first.json()["order_id"]


async def test_a_hex_signature_of_the_raw_body_authenticates(client: Client) -> None:
    body = msgspec.json.encode(BUY)
    for header in ("X-Signature", "X-Webhook-Signature"):
        signature = sign_hex(HMAC.encode(), body)
        response = await client.public.post("/webhook/hex", content=body, headers={header: signature})
        assert response.status_code == 202


@pytest.mark.parametrize("source", ["default", "tradingview", "hex", "nobody"])
async def test_a_401_says_not_what_was_wrong(client: Client, source: str) -> None:
    response = await client.public.post(f"/webhook/{source}", json=BUY)

    assert response.status_code == 401
    assert response.json()["detail"] == "this request is not authenticated"
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quantity": "NaN"}, "not_a_number"),
        ({"quantity": ""}, "not_a_number"),
        ({"order_type": "limit"}, "invalid_field"),
        ({"quantiy": 1}, "unknown_field"),
        ({"symbol": "NOPE/USDT"}, "unknown_symbol"),
        ({"symbol": "BINANCE:BTCUSDT.P"}, "unknown_symbol"),
        ({"confidence": 0.2}, "low_confidence"),
        ({"quantity": "0.00000001"}, "below_minimum"),
        ({"account": "somebody-elses"}, "account_not_allowed"),
        ({"stop_loss": "1"}, "protection_unsupported"),
        ({"order_type": "limit", "price": "1000000000"}, "price_band"),
        ({"reduce_only": True}, "reduce_only_unsupported"),
    ],
)
async def test_what_an_alert_may_not_say_is_422_with_a_reason(client: Client, change: dict, reason: str) -> None:
    response = await client.send(BUY | change)

    assert response.status_code == 422, response.text
    assert response.json()["reason"] == reason
    assert response.json()["trace_id"]
    assert (await client.operator.get("/orders")).json()["orders"] == []


@pytest.mark.parametrize(("seconds", "reason"), [(-400, "stale"), (120, "in_future")])
async def test_an_alert_out_of_its_time_is_422(client: Client, seconds: int, reason: str) -> None:
    response = await client.send(BUY | {"timestamp": int(time.time()) + seconds})

    assert (response.status_code, response.json()["reason"]) == (422, reason)


async def test_an_unknown_field_is_named_with_the_nearest_right_one(client: Client) -> None:
    response = await client.send(BUY | {"quantiy": 1})

    (error,) = response.json()["errors"]
    assert error["field"] == "quantiy"
    assert "quantity" in error["message"]


async def test_a_bare_nan_in_an_optional_field_is_as_if_absent_and_counted(client: Client) -> None:
    response = await client.send(b'{"symbol":"BTCUSDT","side":"buy","quantity":0.01,"confidence":NaN}')

    assert response.status_code == 202
    assert (await client.metrics())['execution_nan_replacements_total{field="confidence"}'] == 1


async def test_malformed_json_is_400_with_its_position(client: Client) -> None:
    response = await client.send(b'{"symbol": "BTC/USDT",, }')

    assert response.status_code == 400
    assert response.json()["reason"] == "malformed"
    assert response.json()["position"] == 22


async def test_a_large_body_is_413_before_it_is_read(client: Client) -> None:
    async def endless():
        for _ in range(1000):
            yield b"x" * 1024

    response = await client.public.post("/webhook/default", content=endless())

    assert response.status_code == 413
    assert response.json()["limit"] == 16_384


async def test_a_body_that_stalls_is_408(tmp_path) -> None:
    async with running(tmp_path, server={"body_timeout": 0.1}) as client:

        async def stalling():
            yield b'{"symbol":'
            await asyncio.sleep(0.5)
            yield b'"BTC/USDT"}'

        response = await client.public.post("/webhook/default", content=stalling())

    assert response.status_code == 408
    assert response.json()["reason"] == "body_timeout"


async def test_failures_use_up_an_addresss_allowance_but_not_a_configured_senders(tmp_path) -> None:
    async with running(tmp_path, server={"failure_burst": 3, "failures_per_minute": 0.1}) as client:
        statuses = [(await client.public.post("/webhook/default", json=BUY)).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]

    sources = {"default": {"addresses": ["127.0.0.1"]}}
    async with running(tmp_path, server={"failure_burst": 3, "failures_per_minute": 0.1}, sources=sources) as client:
        statuses = [(await client.public.post("/webhook/default", json=BUY)).status_code for _ in range(5)]
    assert statuses == [401] * 5


async def test_an_address_that_is_not_on_the_list_is_403(tmp_path) -> None:
    async with running(tmp_path, sources={"default": {"addresses": ["192.0.2.1"]}}) as client:
        response = await client.send(BUY)

    assert response.status_code == 403


async def test_forwarded_addresses_are_believed_from_trusted_proxies_only(tmp_path) -> None:
    sources = {"default": {"addresses": ["192.0.2.1"]}}
    forged = {"X-Forwarded-For": "192.0.2.1"}
    async with running(tmp_path / "a", sources=sources) as client:
        assert (await client.send(BUY, headers=forged)).status_code == 403
    async with running(tmp_path / "b", sources=sources, server={"trusted_proxies": ["127.0.0.1"]}) as client:
        assert (await client.send(BUY, headers=forged)).status_code == 202
        behind_a_forger = {"X-Forwarded-For": "192.0.2.1, 198.51.100.7"}
        assert (await client.send(BUY, headers=behind_a_forger)).status_code == 403


async def test_above_the_sources_rate_is_503_with_retry_after_and_replays_are_free(tmp_path) -> None:
    async with running(tmp_path, sources={"default": {"rate": 0.001, "burst": 2}}) as client:
        for n in range(2):
            assert (await client.send(BUY, webhook_id=f"msg_{n}")).status_code == 202
        refused = await client.send(BUY, webhook_id="msg_2")
        replayed = await client.send(BUY, webhook_id="msg_1")

    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert replayed.status_code == 202


async def test_an_alert_that_cannot_be_written_down_is_503_and_the_service_is_not_ready(tmp_path) -> None:
    async with running(tmp_path) as client:
        (tmp_path / "journal.sqlite").rename(tmp_path / "taken-away.sqlite")
        refused = await client.send(BUY)
        ready = await client.public.get("/readyz")
        metrics = await client.metrics()

    assert (refused.status_code, refused.json()["reason"]) == (503, "journal_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert (ready.status_code, ready.json()["checks"]["journal_writable"]) == (503, False)
    assert metrics["execution_journal_writable"] == 0
    assert metrics['execution_alert_acks_total{on_time="false",source="default"}'] == 1


async def test_the_public_listener_serves_webhooks_and_health_and_nothing_else(client: Client) -> None:
    assert (await client.public.get("/healthz")).status_code == 200
    assert (await client.public.get("/readyz")).status_code == 200
    for path in ("/metrics", "/orders", "/status", "/"):
        assert (await client.public.get(path)).status_code == 404
    assert (await client.public.get("/webhook/default")).status_code == 405
