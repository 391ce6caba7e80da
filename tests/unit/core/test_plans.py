"""What an alert wants done beside an order: a position to end with, a close, a cancel."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core import plans
from service.core.alerts import Alert, decode_document, parse_alert
from service.core.fields import FieldReader
from service.core.orders import Action, OrderType, Side, Sizing, SizingMethod
from service.core.refusals import DenialReason, Refusal

CLOSE = {"symbol": "BTC-USDT", "action": "close"}
CANCEL = {"symbol": "BTC-USDT", "action": "cancel"}
LONG = {"symbol": "BTC-USDT", "target_position": "long", "target_quantity": 2}
FLAT = {"symbol": "BTC-USDT", "target_position": "flat"}
BUY = {"symbol": "BTC-USDT", "side": "buy", "quantity": 1}
FLATTENED = Alert(
    symbol="BTC-USDT", side=None, sizing=Sizing(method=SizingMethod.TARGET, value=Decimal(0)), reduce_only=True
)


def alert_of(document: dict[str, object]) -> Alert:
    return parse_alert(document, source="default").alert


def refusal_of(document: dict[str, object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        alert_of(document)
    return caught.value


def errors_of(document: dict[str, object]) -> set[tuple[str, str]]:
    return {(error.field, error.kind) for error in refusal_of(document).errors}


def target(value: str) -> Alert:
    return Alert(symbol="BTC-USDT", side=None, sizing=Sizing(method=SizingMethod.TARGET, value=Decimal(value)))


@pytest.mark.parametrize(
    "document",
    [
        CLOSE,
        CLOSE | {"action": " Close "},
        CLOSE | {"order_type": "market", "reduce_only": True},
        FLAT,
        FLAT | {"target_quantity": 0},
        FLAT | {"target_quantity": "0.0", "reduce_only": "false", "side": "sell", "price": 67_000},
    ],
)
def test_a_close_and_a_target_of_flat_only_reduce_to_nothing(document: dict[str, object]):
    assert alert_of(document) == FLATTENED


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({}, "2"),
        ({"target_quantity": "0.5"}, "0.5"),
        ({"target_position": "SHORT"}, "-2"),
        ({"target_position": "short", "side": "buy", "price": "67000", "order_type": "market"}, "-2"),
        ({"side": ""}, "2"),
        ({"reduce_only": False}, "2"),
        ({"action": None}, "2"),
    ],
)
def test_a_target_is_the_signed_position_and_its_side_is_not_the_alerts(fields: dict[str, object], value: str):
    assert alert_of(LONG | fields) == target(value)


def test_a_target_keeps_every_digit():
    digits = "1." + "123456789" * 4

    assert alert_of(LONG | {"target_position": "short", "target_quantity": digits}).sizing.value == Decimal(
        f"-{digits}"
    )


def test_a_tradingview_template_for_positions_is_read():
    body = b"""{"symbol": "BINANCE:BTCUSDT.P", "side": "sell", "target_position": "flat", "target_quantity": "0",
        "price": 67123.45, "timestamp": "2026-01-31T12:00:00Z", "tag": "Long"}"""

    alert = parse_alert(decode_document(body), source="default").alert

    assert (alert.side, alert.sizing.value, alert.reduce_only, alert.tag) == (None, 0, True, "Long")


def test_a_cancel_places_nothing():
    alert = alert_of(CANCEL | {"tag": "Long", "comment": "enough"})

    assert alert.action is Action.CANCEL
    assert (alert.side, alert.order_type, alert.tag) == (None, OrderType.MARKET, "Long")
    assert alert.sizing == Sizing(method=SizingMethod.EXPLICIT, value=Decimal(0))
    assert not alert.reduce_only


@pytest.mark.parametrize("word", ["buy", "SELL", " sell "])
@pytest.mark.parametrize("also", [{}, {"side": "buy"}])
def test_an_action_that_means_a_side_is_told_so(word: str, also: dict[str, object]):
    (error,) = refusal_of({"symbol": "BTC-USDT", "action": word, "quantity": 1} | also).errors

    assert (error.field, error.kind) == ("action", "range")
    assert f'write "side": "{word.strip().lower()}"' in error.message


@pytest.mark.parametrize(
    "field",
    [
        *("side", "price", "stop_price", "quantity", "quote_amount", "equity_percent", "risk_percent", "atr"),
        *("atr_multiple", "stop_loss", "take_profit", "target_quantity", "target_position"),
    ],
)
@pytest.mark.parametrize("base", [CLOSE, CANCEL], ids=["close", "cancel"])
@pytest.mark.parametrize("value", ["NaN", 1])
def test_what_a_close_or_a_cancel_does_not_listen_to_is_refused(base: dict[str, object], field: str, value: object):
    assert errors_of(base | {field: value}) == {(field, "conflict")}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (CANCEL | {"order_type": "market"}, ("order_type", "conflict")),
        (CANCEL | {"reduce_only": True}, ("reduce_only", "conflict")),
        (CLOSE | {"order_type": "limit"}, ("order_type", "conflict")),
        (CLOSE | {"order_type": "stop"}, ("order_type", "range")),
        (CLOSE | {"reduce_only": "maybe"}, ("reduce_only", "type")),
        (CLOSE | {"symbol": None}, ("symbol", "missing")),
        (CLOSE | {"action": ""}, ("action", "range")),
        (CLOSE | {"action": "exit"}, ("action", "range")),
        (CLOSE | {"action": 1}, ("action", "range")),
        (LONG | {"order_type": "limit", "price": 100}, ("order_type", "conflict")),
        (LONG | {"quantity": 2}, ("quantity", "conflict")),
        (LONG | {"equity_percent": ""}, ("equity_percent", "conflict")),
        (LONG | {"stop_price": 90}, ("stop_price", "conflict")),
        (LONG | {"reduce_only": True}, ("reduce_only", "conflict")),
        (LONG | {"side": "long"}, ("side", "range")),
        (LONG | {"target_quantity": 0}, ("target_quantity", "range")),
        (LONG | {"target_quantity": -2}, ("target_quantity", "range")),
        (LONG | {"target_position": "both"}, ("target_position", "range")),
        (LONG | {"target_position": ""}, ("target_position", "range")),
        (LONG | {"target_position": None}, ("target_position", "missing")),
        (FLAT | {"target_quantity": 2}, ("target_quantity", "conflict")),
        (FLAT | {"target_position": "long"}, ("target_quantity", "missing")),
        (BUY | {"target_quantity": 2}, ("target_position", "missing")),
    ],
)
def test_one_mistake_is_one_error(document: dict[str, object], error: tuple[str, str]):
    assert errors_of(document) == {error}


@pytest.mark.parametrize("blank", ["NaN", "Infinity", "", None])
@pytest.mark.parametrize("base", [LONG, FLAT], ids=["long", "flat"])
def test_a_target_quantity_that_is_no_number_is_refused(base: dict[str, object], blank: object):
    assert refusal_of(base | {"target_quantity": blank}).reason is DenialReason.NOT_A_NUMBER


def test_a_target_with_protection_is_not_traded_without():
    assert refusal_of(LONG | {"stop_loss": 1}).reason is DenialReason.PROTECTION_UNSUPPORTED
    assert refusal_of(LONG | {"stop_loss": "NaN"}).reason is DenialReason.NOT_A_NUMBER


def test_without_the_fields_of_a_position_an_alert_is_an_order():
    nothing = {"action": None, "target_position": None, "target_quantity": None}

    assert alert_of(BUY | nothing).side is Side.BUY


amounts = st.none() | st.decimals() | st.integers() | st.booleans() | st.text(max_size=4) | st.lists(st.none())
plain = st.fixed_dictionaries(
    {"quantity": amounts | st.sampled_from(["1", " 0.5", "1e-3", "NaN", "-1"])},
    optional={
        "side": st.sampled_from(["buy", "sell", " BUY", "long", "", None, 1]),
        **dict.fromkeys(("symbol", "account", "id", "tag", "comment", "timestamp", "confidence", "source"), amounts),
    },
)


@given(plain)
@settings(max_examples=300)
def test_an_alert_of_nothing_but_a_quantity_is_read_like_any_other(document: dict[str, object]):
    short, long = FieldReader(document), FieldReader(document)

    assert plans.read_plan(short) == plans._read_any_plan(long)
    assert (short.errors, short.operations, short.nan_replaced) == (long.errors, long.operations, long.nan_replaced)


def test_every_field_that_a_plan_reads_beside_side_and_quantity_is_asked_for():
    class Asked(dict[str, object]):
        def get(self, field, default=None):
            asked.add(field)
            return super().get(field, default)

        def __contains__(self, field):
            asked.add(field)
            return super().__contains__(field)

    asked: set[object] = set()
    plans._read_any_plan(FieldReader(Asked(side="buy", quantity="1")))
    assert asked - {"side", "quantity"} <= plans._BEYOND_A_QUANTITY
