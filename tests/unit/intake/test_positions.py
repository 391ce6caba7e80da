"""What the intake makes of alerts about positions: one order each, on the right market, or a refusal with a reason."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import msgspec
import pytest

from service.clock import SystemClock
from service.core.alerts import parse_alert
from service.core.markets import Market, MarketType, Quote
from service.core.orders import Action, Intent, Order, Sizing, SizingMethod
from service.core.refusals import DenialReason, Refusal
from service.exchanges.protocol import Exchange
from service.execution.halts import Halts
from service.intake.address import LimitFailures
from service.intake.check_risk import CheckRisk
from service.intake.normalize import Normalize, Symbols
from service.intake.pipeline import Pipeline
from service.intake.request import Intake, Source
from service.journal.protocol import HaltLevel, Journal
from service.settings import SourceSettings
from telemetry.config import TelemetryConfig
from telemetry.off import OffTelemetry
from tests.unit.core.samples import BTC, BTC_PERPETUAL

TYPES = {"spot": MarketType.SPOT, "swap": MarketType.SWAP}
CLOSE = {"action": "close"}
CANCEL = {"action": "cancel"}
FLAT = {"target_position": "flat", "target_quantity": "0", "side": "sell"}
LONG = {"target_position": "long", "target_quantity": "2", "side": "buy"}
SHORT = {"target_position": "short", "target_quantity": "2"}
TELEMETRY = OffTelemetry(
    TelemetryConfig(
        service_version="1", instance_id="one", sources=(), exchanges=(), accounts=(), symbols=(), sender_addresses=()
    )
)


class Venue:
    """An exchange as far as the intake sees it: both kinds of market, and a price that may be missing."""

    name = "venue"
    markets: Mapping[str, Market] = {market.symbol: market for market in (BTC, BTC_PERPETUAL)}

    def __init__(self, bid: str | None) -> None:
        self._bid = bid

    def market_type(self, account: str) -> MarketType:
        return TYPES[account]

    def client_order_id(self, order_id: str) -> str:
        return f"fp-{order_id}"

    def quote(self, symbol: str) -> Quote | None:
        if self._bid is None:
            return None
        return Quote(symbol=symbol, bid=Decimal(self._bid), ask=Decimal(self._bid) + 2, ts_ns=time.time_ns())


class Switch:
    """A journal that knows only the kill switch."""

    def __init__(self, level: HaltLevel) -> None:
        self._level = level

    def halts(self) -> Mapping[str, HaltLevel]:
        return {"*": self._level}


class Charged:
    def charge(self, client: str, reason: DenialReason) -> None:
        """Nothing: who fails too often is another test's matter."""


async def taken(
    alert: dict[str, Any],
    account: str = "swap",
    *,
    symbol: str = "BTCUSDT",
    bid: str | None = "99",
    level: HaltLevel = HaltLevel.OFF,
    **settings: Any,
) -> Order:
    """The order that the steps from normalize to check_risk make, or their refusal."""
    source = Source("tv", SourceSettings(auth="token", accounts=("spot", "swap"), **settings), ())
    venue = cast("Exchange", Venue(bid))
    with TELEMETRY.request("POST", {}, traceparent=None, trust=False) as span:
        intake = Intake("tv", source, "127.0.0.1", {}, _receive, 10**18, 0, span)
        intake.alert = parse_alert({"symbol": symbol, "account": account} | alert, source="tv").alert
        normalize = Normalize({"spot": venue, "swap": venue}, TELEMETRY, SystemClock())
        check_risk = CheckRisk(Halts(cast("Journal", Switch(level))), TELEMETRY, SystemClock())
        limit = cast("LimitFailures", Charged())
        steps = (normalize, check_risk)
        refusal = await Pipeline(steps, NothingAppended(), limit, TELEMETRY, SystemClock()).run(intake)
    if refusal is not None:
        raise refusal
    assert intake.order is not None
    return intake.order


class NothingAppended:
    span = "journal.append"

    async def __call__(self, intake: Intake) -> None:
        pass


async def _receive() -> dict[str, Any]:
    return {}


async def refused(*args: Any, **kwargs: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await taken(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize("account", TYPES)
@pytest.mark.parametrize("alert", [CLOSE, FLAT])
async def test_a_close_is_an_exit_that_waits_as_long_as_it_takes(alert: dict[str, Any], account: str) -> None:
    order = await taken(alert, account)

    assert order.sizing == Sizing(method=SizingMethod.TARGET, value=Decimal(0))
    assert (order.action, order.intent, order.reduce_only) == (Action.PLACE, Intent.EXIT, True)
    assert (order.side, order.max_age_ns, order.max_drift_bps) == (None, None, None)


@pytest.mark.parametrize(("alert", "account", "value"), [(LONG, "swap", 2), (LONG, "spot", 2), (SHORT, "swap", -2)])
async def test_a_target_is_an_entry_that_ages_and_drifts_from_the_middle(
    alert: dict[str, Any], account: str, value: int
) -> None:
    order = await taken(alert, account)

    assert order.sizing == Sizing(method=SizingMethod.TARGET, value=Decimal(value))
    assert (order.intent, order.reduce_only, order.side) == (Intent.ENTRY, False, None)
    assert (order.max_age_ns, order.max_drift_bps, order.arrival_price) == (30 * 10**9, 100, 100)


async def test_a_cancel_carries_its_tag_and_never_gets_too_old() -> None:
    order = await taken(CANCEL | {"tag": "Long"})

    assert (order.action, order.intent, order.max_age_ns, order.tag) == (Action.CANCEL, Intent.EXIT, None, "Long")
    assert (order.side, order.symbol) == (None, BTC_PERPETUAL.symbol)


@pytest.mark.parametrize(
    ("alert", "level", "passes"),
    [
        (LONG, HaltLevel.REDUCING, False),
        (CLOSE, HaltLevel.REDUCING, True),
        (FLAT, HaltLevel.REDUCING, True),
        (CANCEL, HaltLevel.REDUCING, True),
        (LONG, HaltLevel.STOP, False),
        (CLOSE, HaltLevel.STOP, False),
        (FLAT, HaltLevel.STOP, False),
        (CANCEL, HaltLevel.STOP, True),
    ],
)
async def test_the_kill_switch_lets_ways_out_pass_and_cancels_always(
    alert: dict[str, Any], level: HaltLevel, passes: bool
) -> None:
    if passes:
        await taken(alert, level=level)
    else:
        assert (await refused(alert, level=level)).reason is DenialReason.HALTED


async def test_a_short_position_is_refused_on_spot() -> None:
    refusal = await refused(SHORT, "spot")

    assert (refusal.reason, refusal.status) == (DenialReason.POSITION_UNSUPPORTED, 422)


async def test_the_account_decides_between_spot_and_perpetual() -> None:
    assert (await taken(CLOSE, "spot")).symbol == BTC.symbol
    assert (await taken(CLOSE, "swap")).symbol == BTC_PERPETUAL.symbol
    refusal = await refused(CLOSE, "spot", symbol="BINANCE:BTCUSDT.P")
    assert refusal.reason is DenialReason.UNKNOWN_SYMBOL
    assert refusal.extra["candidates"] == ["BTC/USDT"]


@pytest.mark.parametrize("alert", [CLOSE, FLAT, CANCEL])
async def test_a_way_out_is_not_held_up_because_no_price_is_known(alert: dict[str, Any]) -> None:
    assert (await taken(alert, bid=None)).arrival_price is None


@pytest.mark.parametrize("alert", [LONG, {"side": "buy", "quantity": 1}])
async def test_an_entry_needs_a_price(alert: dict[str, Any]) -> None:
    refusal = await refused(alert, bid=None)

    assert (refusal.reason, refusal.status) == (DenialReason.NO_MARKET_DATA, 503)


async def test_the_largest_order_is_also_the_largest_target() -> None:
    for alert in (LONG, SHORT):
        assert (await refused(alert, max_notional=Decimal(199))).reason is DenialReason.ABOVE_MAXIMUM
        await taken(alert, max_notional=Decimal(200))
    await taken(CLOSE, max_notional=Decimal(1))


def test_symbols_are_those_of_the_markets_as_they_were_loaded_last() -> None:
    venue, symbols = Venue("99"), Symbols()
    venue.markets = {}
    with pytest.raises(Refusal) as caught:
        symbols.of(cast("Exchange", venue))
    assert (caught.value.reason, caught.value.status) == (DenialReason.NO_MARKET_DATA, 503)

    venue.markets = {BTC.symbol: BTC}
    first = symbols.of(cast("Exchange", venue))
    assert symbols.of(cast("Exchange", venue)) is first
    venue.markets = {BTC.symbol: BTC, BTC_PERPETUAL.symbol: BTC_PERPETUAL}

    assert symbols.of(cast("Exchange", venue)).resolve("BTCUSDT.P") is BTC_PERPETUAL


async def test_an_order_survives_the_journals_format() -> None:
    for alert in (CLOSE, LONG, CANCEL):
        order = await taken(alert)
        assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order
