"""The mix: repeatable, over all lanes, never selling what was not bought, bad ones few enough to be healthy."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from scripts.lib.traffic.kinds import BAD, RULES, Kind
from scripts.lib.traffic.mix import Alert, Mix
from scripts.lib.traffic.target import Lane, Sender
from service.core.alerts import decode_document, parse_alert
from tests.unit.traffic.targets import LANES, STANDARD, TOKEN

import msgspec  # isort: skip

NOW = 1_800_000_000.0


def sent(mix: Mix, count: int) -> list[Alert]:
    """Alerts of which every good one is accepted, and every wait tells a price."""
    alerts = []
    for _ in range(count):
        alert = mix.next(NOW)
        alerts.append(alert)
        mix.answered(alert, 200 if alert.waits else alert.status)
        if alert.waits:
            assert alert.lane.price is not None
            mix.learn(alert.lane.market.symbol, alert.lane.price, NOW)
    return alerts


def mixed(count: int, *senders: Sender, seed: int = 1, rate: float | None = 1000) -> list[Alert]:
    return sent(Mix(senders or (STANDARD, TOKEN), seed, "run", rate), count)


def test_the_same_seed_chooses_the_same_alerts() -> None:
    assert mixed(500) == mixed(500)
    assert mixed(500) != mixed(500, seed=2)


def test_every_lane_kind_side_and_source_appears() -> None:
    alerts = mixed(8000)
    assert {(alert.lane.account, alert.lane.market.symbol) for alert in alerts} == {
        (lane.account, lane.market.symbol) for lane in LANES
    }
    assert len(LANES) == 64
    assert {alert.kind for alert in alerts} == set(Kind)
    assert {alert.document.get("side") for alert in alerts} >= {"buy", "sell"}
    assert {alert.sender.name for alert in alerts} == {"default", "tradingview"}


def test_alerts_name_their_markets_in_every_usual_way() -> None:
    named = {alert.document["symbol"] for alert in mixed(8000)}
    assert {"BTC/USDT", "BTC-USDT", "BTC_USDT", "BTCUSDT"} <= named


def test_keys_are_not_used_twice_but_by_duplicates() -> None:
    alerts = mixed(4000)
    fresh = [alert.key for alert in alerts if alert.kind is not Kind.DUPLICATE]
    assert len(set(fresh)) == len(fresh)
    for alert in alerts:
        if alert.kind is Kind.DUPLICATE:
            assert any(alert.key == other.key and alert.document == other.document for other in alerts)


def test_what_is_bad_stays_below_what_alert_rules_take_for_a_fault() -> None:
    counts = Counter(alert.kind for alert in mixed(20_000))
    assert 0.02 < sum(counts[kind] for kind in BAD) / 20_000 < 0.05
    assert counts[Kind.WRONG_FIELD] <= 20
    assert counts[Kind.NAN] <= 5
    assert counts[Kind.BAD_SIGNATURE] <= 2


def test_nothing_is_sold_that_was_not_bought_before() -> None:
    held: dict[Lane, Decimal] = {}
    for alert in mixed(20_000):
        if alert.kind in BAD or alert.kind is Kind.DUPLICATE or "quantity" not in alert.document:
            continue
        quantity = Decimal(alert.document["quantity"])
        if alert.document["side"] == "sell":
            held[alert.lane] = held.get(alert.lane, Decimal(0)) - quantity
            assert held[alert.lane] >= 0, alert
        elif alert.kind is not Kind.RESTING:
            held[alert.lane] = held.get(alert.lane, Decimal(0)) + quantity


def test_a_long_run_sells_about_as_much_as_it_buys() -> None:
    sides = Counter(
        alert.document["side"] for alert in mixed(20_000) if alert.kind in {Kind.MARKET, Kind.LIMIT, Kind.TARGET}
    )
    assert 0.7 < sides["sell"] / sides["buy"] < 1.1


def test_orders_that_were_refused_are_neither_sold_nor_canceled() -> None:
    mix = Mix((STANDARD,), 1, "run", 1000)
    for _ in range(3000):
        alert = mix.next(NOW)
        assert alert.document.get("side") != "sell"
        assert alert.kind not in {Kind.CANCEL, Kind.CLOSE, Kind.DUPLICATE}
        mix.answered(alert, 503)


def test_a_price_is_asked_for_once_a_market_before_orders_at_a_price() -> None:
    mix = Mix((STANDARD,), 1, "run", 1000)
    first = [mix.next(NOW) for _ in range(3000)]
    asking = Counter(alert.lane.market.symbol for alert in first if alert.waits)
    assert set(asking.values()) == {1}
    assert len(asking) == 16
    assert not [alert for alert in first if "price" in alert.document or "stop_price" in alert.document]
    assert [alert for alert in (mix.next(NOW + 6) for _ in range(3000)) if alert.waits], "asked again without an answer"


def test_a_source_with_a_small_limit_gets_no_more_than_it_may_send() -> None:
    share = Counter(alert.sender.name for alert in mixed(20_000, rate=1000))["tradingview"] / 20_000
    assert share * 1000 < TOKEN.rate / 2
    as_fast_as_it_goes = Counter(alert.sender.name for alert in mixed(20_000, rate=None))
    assert as_fast_as_it_goes["tradingview"] <= TOKEN.burst / 2


def test_the_service_reads_every_good_alert_and_none_of_a_wrong_field() -> None:
    for alert in mixed(3000):
        document = decode_document(msgspec.json.encode(alert.document))
        if RULES[alert.kind].status == 202:
            parse_alert(document, source=alert.sender.name)


def test_a_market_without_a_known_price_is_traded_by_value() -> None:
    unknown = tuple(lane._replace(price=None) for lane in LANES[:2])
    sender = type(STANDARD)(
        **{name: getattr(STANDARD, name) for name in STANDARD.__slots__ if name != "lanes"}, lanes=unknown
    )
    kinds = {alert.kind for alert in mixed(3000, sender)}
    assert kinds <= {Kind.BY_VALUE, Kind.UNKNOWN_SYMBOL, Kind.STALE, Kind.WRONG_FIELD, Kind.DUPLICATE}
