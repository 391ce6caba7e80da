"""What the record of a call says about the answers: status, body, waiting time, and the code that ccxt recognised."""

from __future__ import annotations

import ccxt
import pytest

from tests.unit.exchanges.ccxt.wire_lab import API_KEY, attempt, exchange, reply

EXCHANGES = ["binance", "okx", "deribit"]


@pytest.mark.parametrize(
    ("behaviour", "status", "body_kind"),
    [
        (reply(200, ""), 200, "empty"),
        (reply(524, "<html>A timeout occurred</html>"), 524, "text"),
        (reply(200, '{"orderId": 28', length=500), 200, None),
        (reply(200, '{"orderId": 28'), 200, "text"),
        (reply(400, {"code": -99999, "msg": "what is this"}), 400, "json"),
    ],
    ids=["empty", "524 page", "truncated", "half a document", "unknown code"],
)
@pytest.mark.parametrize("ccxt_id", EXCHANGES)
async def test_what_came_back_is_recorded(ccxt_id, behaviour, status, body_kind, server, session):
    server.otherwise = behaviour

    record, _, _ = await attempt(exchange(ccxt_id, session, server.url))

    (request,) = record.requests
    assert (request.sent, request.status, request.body_kind) == (True, status, body_kind)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7\r\n", 7.0),
        ("Retry-After: 0.5\r\n", 0.5),
        ("Retry-After: -3\r\n", 0.0),
        ("Retry-After: nan\r\n", None),
        ("Retry-After: soon\r\n", None),
        ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 0.0),
        ("", None),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait(header, seconds, server, session):
    server.otherwise = reply(429, {"code": -1003, "msg": "Too many requests."}, headers=header)

    record, _, _ = await attempt(exchange("binance", session, server.url))

    assert record.requests[0].status == 429
    assert record.requests[0].retry_after == seconds


@pytest.mark.parametrize(
    ("ccxt_id", "answer", "key", "exact", "kind"),
    [
        (
            "binance",
            {"code": -2010, "msg": "Account has insufficient balance for requested action."},
            "Account has insufficient balance for requested action.",
            True,
            ccxt.InsufficientFunds,
        ),
        (
            "binance",
            {"code": -98765, "msg": "it has no operation privilege"},
            "has no operation privilege",
            False,
            ccxt.PermissionDenied,
        ),
        ("binance", {"code": -1013, "msg": "Filter failure: LOT_SIZE"}, "-1013", True, None),
        ("binance", {"code": -1021, "msg": "Timestamp is ahead."}, "-1021", True, ccxt.InvalidNonce),
        (
            "okx",
            {"code": "1", "msg": "", "data": [{"sCode": "51008", "sMsg": "Insufficient balance"}]},
            "51008",
            True,
            ccxt.InsufficientFunds,
        ),
        ("deribit", {"error": {"code": 10009, "message": "not_enough_funds"}}, "10009", True, ccxt.InsufficientFunds),
    ],
)
async def test_the_code_that_ccxt_recognised_is_recorded(ccxt_id, answer, key, exact, kind, server, session):
    server.otherwise = reply(400, answer)

    record, _, error = await attempt(exchange(ccxt_id, session, server.url))

    (request,) = record.requests
    assert (request.error_key, request.error_exact, request.error_class) == (key, exact, kind)
    assert isinstance(error, kind or ccxt.ExchangeError)


async def test_what_an_exchange_repeats_of_our_key_is_masked(server, session):
    server.otherwise = reply(400, {"code": -2015, "msg": f"Invalid API-key {API_KEY}"})

    record, _, _ = await attempt(exchange("binance", session, server.url))

    assert "Invalid API-key [redacted]" in record.requests[0].error_text
    assert API_KEY not in repr(record)
