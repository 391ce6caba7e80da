"""Every field of an alert: what is taken, what is taken as absent, what is refused and how."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.alerts import FIELDS, Alert, ParsedAlert, decode_document, parse_alert
from service.core.orders import OrderType, Side, Sizing, SizingMethod
from service.core.refusals import DenialReason, Refusal

MARKET = {"symbol": "BTC-USDT", "side": "buy", "quantity": Decimal("0.01")}
LIMIT = MARKET | {"order_type": "limit", "price": 100}
STOP = MARKET | {"order_type": "stop_loss", "stop_price": 90}
BARE = {"symbol": "BTC-USDT", "side": "buy"}
NOON_NS = 1_769_860_800_000_000_000  # 2026-01-31T12:00:00Z


def parse(document: dict[str, object]) -> ParsedAlert:
    return parse_alert(document, source="default")


def alert_of(document: dict[str, object]) -> Alert:
    return parse(document).alert


def refusal_of(document: dict[str, object]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse(document)
    return caught.value


def errors_of(document: dict[str, object]) -> set[tuple[str, str]]:
    return {(error.field, error.kind) for error in refusal_of(document).errors}


def test_the_least_alert_is_a_market_order():
    assert alert_of(MARKET) == Alert(
        symbol="BTC-USDT",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        sizing=Sizing(method=SizingMethod.EXPLICIT, value=Decimal("0.01")),
    )


def test_every_field_that_the_schema_names_is_known():
    errors = errors_of({field: [1] for field in FIELDS})

    assert not [field for field, kind in errors if kind == "unknown_field"]


def test_a_tradingview_alert_with_placeholders_is_read():
    body = b"""{"symbol": "BINANCE:BTCUSDT.P", "side": "Sell", "quantity": "0.5", "price": 67123.45, "confidence": NaN,
        "timestamp": "2026-01-31T12:00:00Z", "tag": "Long", "comment": ""}"""

    parsed = parse_alert(decode_document(body), source="tradingview")

    assert parsed.alert.side is Side.SELL
    assert parsed.alert.price is None, "the chart's close beside a market order is only information"
    assert parsed.alert.confidence is None
    assert parsed.alert.timestamp_ns == NOON_NS
    assert (parsed.alert.tag, parsed.alert.comment) == ("Long", None)
    assert parsed.nan_replaced == ("confidence",)
    assert sorted(parsed.operations) == [
        "enum_case",
        "nan_replaced",
        "number_from_string",
        "timestamp",
    ]


@pytest.mark.parametrize(
    ("given_", "number"),
    [
        (1, "1"),
        (Decimal("0.01"), "0.01"),
        ("0.01", "0.01"),
        (" 1 ", "1"),
        ("1e-3", "0.001"),
        (".5", "0.5"),
        ("+2.", "2"),
    ],
)
def test_numbers_come_as_numbers_or_as_texts(given_: object, number: str):
    assert alert_of(MARKET | {"quantity": given_}).sizing.value == Decimal(number)


@pytest.mark.parametrize("wrong", ["1,000", "1_000", "0x10", "ten", "1 2", "\u0661", "--1", True, [1], {"a": 1}, 0.5])
def test_what_is_no_plain_number_is_refused(wrong: object):
    assert errors_of(MARKET | {"quantity": wrong}) == {("quantity", "type")}


@pytest.mark.parametrize("wrong", [0, "-1", "0.0", "-0", "1e31", "1e999999999", "9" * 41, 10**50, Decimal("1e-31")])
def test_a_number_out_of_range_is_refused(wrong: object):
    assert errors_of(MARKET | {"quantity": wrong}) == {("quantity", "range")}


@pytest.mark.parametrize("blank", ["NaN", "nan", " Infinity", "-inf", "", "  ", None, Decimal("NaN")])
@pytest.mark.parametrize("field", ["quantity", "quote_amount", "equity_percent", "risk_percent", "price", "stop_price"])
def test_nan_null_and_empty_are_refused_where_they_decide_about_money(field: str, blank: object):
    refusal = refusal_of(LIMIT | {field: blank})

    assert refusal.reason is DenialReason.NOT_A_NUMBER
    assert (field, "not_a_number") in {(error.field, error.kind) for error in refusal.errors}


@pytest.mark.parametrize("blank", ["NaN", "Infinity"])
@pytest.mark.parametrize("field", ["stop_loss", "take_profit"])
def test_a_protection_that_is_nan_is_refused(field: str, blank: str):
    assert refusal_of(MARKET | {field: blank}).reason is DenialReason.NOT_A_NUMBER


@pytest.mark.parametrize("blank", ["NaN", "-Infinity", ""])
@pytest.mark.parametrize("field", ["confidence", "timestamp"])
def test_nan_in_an_optional_number_counts_as_absent_and_is_told(field: str, blank: str):
    parsed = parse(MARKET | {field: blank})

    assert parsed.alert == alert_of(MARKET)
    assert parsed.nan_replaced == (field,)
    assert parsed.operations == ("nan_replaced",)


@pytest.mark.parametrize("field", ["confidence", "timestamp", "id", "tag", "comment", "account", "source"])
def test_null_in_an_optional_field_is_simply_absent(field: str):
    assert parse(MARKET | {field: None}) == parse(MARKET)


def test_all_errors_are_told_at_once():
    document = {"symbol": 7, "side": "long", "quantity": "x", "order_type": "limit", "confidence": 2, "colour": "red"}

    assert errors_of(document) == {
        ("symbol", "type"),
        ("side", "range"),
        ("quantity", "type"),
        ("price", "missing"),
        ("confidence", "range"),
        ("colour", "unknown_field"),
    }


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"quantity": "NaN", "colour": 1}, DenialReason.NOT_A_NUMBER),
        ({"side": "x", "colour": 1}, DenialReason.UNKNOWN_FIELD),
        ({"side": "x"}, DenialReason.INVALID_FIELD),
        ({"colour": 1, "stop_loss": 1}, DenialReason.UNKNOWN_FIELD),
        ({"stop_loss": 1}, DenialReason.PROTECTION_UNSUPPORTED),
        ({"take_profit": "2"}, DenialReason.PROTECTION_UNSUPPORTED),
    ],
)
def test_the_reason_is_that_of_the_worst_error(wrong: dict[str, object], reason: DenialReason):
    refusal = refusal_of(MARKET | wrong)

    assert refusal.reason is reason
    assert refusal.status == 422


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_protection_that_is_null_or_empty_is_not_asked_for(nothing: object):
    assert alert_of(MARKET | {"stop_loss": nothing, "take_profit": nothing}) == alert_of(MARKET)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("quantitty", "quantity"),
        ("Quantity", "quantity"),
        ("qty", "quantity"),
        ("market_position", "target_position"),
        ("stopprice", "stop_price"),
    ],
)
def test_an_unknown_field_is_told_with_the_nearest_right_one(name: str, right: str):
    (error,) = refusal_of(MARKET | {name: 1}).errors

    assert (error.field, error.kind) == (name, "unknown_field")
    assert f"did you mean {right}?" in error.message


def test_thousands_of_unknown_fields_cost_few_errors():
    refusal = refusal_of(MARKET | {f"field{n}": n for n in range(5000)})

    assert len(refusal.errors) == 11
    assert "4989 more" in refusal.errors[-1].message
    assert len(refusal.detail) < 5000


@pytest.mark.parametrize("side", ["buy", "BUY", " Buy "])
def test_case_and_spaces_do_not_matter_in_words(side: str):
    assert alert_of(MARKET | {"side": side}).side is Side.BUY


@pytest.mark.parametrize("order_type", ["stop", "LIMITED", "", "NaN", 1])
def test_an_order_type_is_never_guessed(order_type: object):
    assert ("order_type", "range") in errors_of(MARKET | {"order_type": order_type})


@pytest.mark.parametrize(
    ("document", "price", "stop_price"),
    [
        (MARKET | {"price": 100}, None, None),
        (LIMIT, Decimal(100), None),
        (STOP, None, Decimal(90)),
        (STOP | {"price": 89}, Decimal(89), Decimal(90)),
        (STOP | {"order_type": "take_profit"}, None, Decimal(90)),
    ],
)
def test_prices_mean_what_the_order_type_says(
    document: dict[str, object], price: Decimal | None, stop_price: Decimal | None
):
    alert = alert_of(document)

    assert (alert.price, alert.stop_price) == (price, stop_price)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (MARKET | {"order_type": "limit"}, ("price", "missing")),
        (MARKET | {"order_type": "stop_loss"}, ("stop_price", "missing")),
        (MARKET | {"order_type": "take_profit"}, ("stop_price", "missing")),
        (MARKET | {"stop_price": 90}, ("stop_price", "conflict")),
        (LIMIT | {"stop_price": 90}, ("stop_price", "conflict")),
        (BARE, ("quantity", "missing")),
        (MARKET | {"quote_amount": 100}, ("quote_amount", "conflict")),
        (MARKET | {"equity_percent": 5}, ("equity_percent", "conflict")),
        (MARKET | {"atr": 5}, ("atr", "conflict")),
        (MARKET | {"atr_multiple": 5}, ("atr_multiple", "conflict")),
        (BARE | {"risk_percent": 1}, ("stop_price", "missing")),
        (BARE | {"risk_percent": 1, "stop_price": 90, "atr": 5}, ("atr", "conflict")),
        (BARE | {"risk_percent": 1, "stop_price": 90, "atr_multiple": 5}, ("atr_multiple", "conflict")),
        (BARE | {"risk_percent": 1, "order_type": "stop_loss", "stop_price": 90}, ("atr", "missing")),
        (BARE | {"equity_percent": 101}, ("equity_percent", "range")),
        (BARE | {"risk_percent": "100.1", "atr": 1}, ("risk_percent", "range")),
        (MARKET | {"confidence": "-0.1"}, ("confidence", "range")),
        (MARKET | {"source": "another"}, ("source", "conflict")),
        (MARKET | {"side": None}, ("side", "missing")),
        (MARKET | {"symbol": "  "}, ("symbol", "missing")),
        (MARKET | {"symbol": "X" * 65}, ("symbol", "range")),
        (MARKET | {"id": "x" * 129}, ("id", "range")),
        (MARKET | {"id": True}, ("id", "type")),
        (MARKET | {"tag": ["Long"]}, ("tag", "type")),
        (MARKET | {"comment": "two\nlines"}, ("comment", "range")),
        (MARKET | {"comment": 5}, ("comment", "type")),
        (MARKET | {"account": "x" * 65}, ("account", "range")),
        (MARKET | {"reduce_only": ""}, ("reduce_only", "type")),
        (MARKET | {"reduce_only": 1}, ("reduce_only", "type")),
    ],
)
def test_one_mistake_is_one_error(document: dict[str, object], error: tuple[str, str]):
    assert errors_of(document) == {error}


@pytest.mark.parametrize(
    ("fields", "sizing"),
    [
        ({"quote_amount": 100}, Sizing(method=SizingMethod.QUOTE_AMOUNT, value=Decimal(100))),
        ({"equity_percent": 100}, Sizing(method=SizingMethod.FIXED_PERCENTAGE, value=Decimal(100))),
        (
            {"risk_percent": 1, "stop_price": 90},
            Sizing(method=SizingMethod.RISK_BASED, value=Decimal(1), stop=Decimal(90)),
        ),
        (
            {"risk_percent": 1, "atr": 5, "atr_multiple": ""},
            Sizing(method=SizingMethod.VOLATILITY_ADJUSTED, value=Decimal(1), atr=Decimal(5), atr_multiple=Decimal(2)),
        ),
        (
            {"risk_percent": 1, "atr": 5, "atr_multiple": 3, "order_type": "stop_loss", "stop_price": 90},
            Sizing(method=SizingMethod.VOLATILITY_ADJUSTED, value=Decimal(1), atr=Decimal(5), atr_multiple=Decimal(3)),
        ),
    ],
)
def test_an_alert_says_how_much_in_one_way(fields: dict[str, object], sizing: Sizing):
    assert alert_of(BARE | fields).sizing == sizing


def test_the_stop_of_a_risk_based_size_is_no_trigger():
    assert alert_of(BARE | {"risk_percent": 1, "stop_price": 90}).stop_price is None


@pytest.mark.parametrize(
    ("time", "nanoseconds"),
    [
        (1_769_860_800, NOON_NS),
        ("1769860800", NOON_NS),
        (1_769_860_800_000, NOON_NS),
        ("1769860800.5", NOON_NS + 500_000_000),
        (Decimal("1769860800123.456789"), NOON_NS + 123_456_789),
        ("2026-01-31T12:00:00Z", NOON_NS),
        ("2026-01-31T12:00:00", NOON_NS),
        ("2026-01-31T13:00:00+01:00", NOON_NS),
        ("2026-01-31 12:00:00.000001Z", NOON_NS + 1000),
        ("2000-01-01T00:00:00Z", 946_684_800_000_000_000),
        (4_133_980_799, 4_133_980_799_000_000_000),
    ],
)
def test_a_time_is_epoch_seconds_milliseconds_or_iso_8601(time: object, nanoseconds: int):
    parsed = parse(MARKET | {"timestamp": time})

    assert parsed.alert.timestamp_ns == nanoseconds
    assert parsed.operations == ("timestamp",)


@pytest.mark.parametrize(
    ("time", "kind"),
    [
        ("yesterday", "type"),
        ("2026-13-01T00:00:00Z", "type"),
        (True, "type"),
        ([], "type"),
        (0, "range"),
        (-1, "range"),
        ("1999-12-31T23:59:59Z", "range"),
        ("2101-01-01T00:00:00Z", "range"),
        ("0001-01-01T00:00:00+14:00", "range"),
        ("9999-12-31T23:59:59-14:00", "range"),
        (4_133_980_800, "range"),
        (10**18, "range"),
        ("1e999999999", "range"),
    ],
)
def test_a_time_that_cannot_be_is_refused(time: object, kind: str):
    assert errors_of(MARKET | {"timestamp": time}) == {("timestamp", kind)}


@pytest.mark.parametrize(("given_", "text"), [("a-1", "a-1"), (17, "17"), (Decimal("1.50"), "1.50"), ("NaN", None)])
def test_an_id_or_tag_may_be_a_number_and_is_kept_as_text(given_: object, text: str | None):
    alert = alert_of(MARKET | {"id": given_, "tag": given_})

    assert (alert.id, alert.tag) == (text, text)


@pytest.mark.parametrize(("given_", "flag"), [(True, True), (False, False), ("TRUE", True), ("false", False)])
def test_reduce_only_is_a_boolean_or_its_text(given_: object, flag: bool):
    assert alert_of(MARKET | {"reduce_only": given_}).reduce_only is flag


def test_the_source_in_the_body_may_repeat_the_paths():
    assert alert_of(MARKET | {"source": "default"}) == alert_of(MARKET)


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals()
    | st.text(max_size=8)
    | st.sampled_from(
        ["buy", "limit", "NaN", "", "1", "true", "stop_loss", "1e400", "2026-01-31T12:00:00Z", "close", "flat"]
    )
    | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), values, max_size=12))
@settings(max_examples=100)
def test_any_document_is_an_alert_or_a_refusal_with_errors(document: dict[str, object]):
    result = alert_or_refusal(MARKET | document)

    if isinstance(result, Refusal):
        assert result.errors or result.reason is DenialReason.PROTECTION_UNSUPPORTED
    else:
        assert result.sizing.value > 0 or result.side is None


def alert_or_refusal(document: dict[str, object]) -> Alert | Refusal:
    try:
        return alert_of(document)
    except Refusal as refusal:
        return refusal
