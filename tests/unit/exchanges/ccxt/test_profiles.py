"""The data per exchange is true of ccxt's classes: driven offline, requests are looked at as they would leave."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import ccxt.async_support as ccxt_async
import pytest
from ccxt.base.errors import OrderNotFound

from service.core.client_ids import IdKind
from service.core.outcomes import UsedIds, absence_provable_at
from service.errors import ConfigurationError
from service.exchanges.ccxt.profile import LookUpMethod, Profile
from service.exchanges.ccxt.profile_data import CURATED
from service.exchanges.ccxt.profile_generic import PLACED_IDS
from service.exchanges.ccxt.profiles import profile_of, refusal_of
from tests.unit.exchanges.ccxt.offline import Offline, exception_keys, offline

ORDER_ID = "0190a5b61c2e7f3c8d4e5f60718293a4"

Opener = Callable[[Profile, str], Offline]

EACH = [
    pytest.param(profile, market_type, id=f"{profile.ccxt_id}-{market_type}")
    for profile in CURATED.values()
    for market_type in sorted(profile.market_types)
]
CONDITIONAL = [
    pytest.param(profile, market_type, id=f"{profile.ccxt_id}-{market_type}")
    for profile in CURATED.values()
    if profile.conditional is not None
    for market_type in sorted(profile.market_types & profile.conditional.market_types)
]
PATTERNS = {
    "binance": r"[.A-Z:/a-z0-9_-]{1,36}",
    "binanceus": r"[.A-Z:/a-z0-9_-]{1,36}",
    "binanceusdm": r"[.A-Z:/a-z0-9_-]{1,36}",
    "okx": r"[a-zA-Z0-9]{1,32}",
    "myokx": r"[a-zA-Z0-9]{1,32}",
    "okxus": r"[a-zA-Z0-9]{1,32}",
    "bybit": r"[a-zA-Z0-9_-]{1,36}",
    "bybiteu": r"[a-zA-Z0-9_-]{1,36}",
    "bybitid": r"[a-zA-Z0-9_-]{1,36}",
    "deribit": r".{1,64}",
    "kraken": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "gate": r"t-[0-9a-zA-Z_.-]{1,26}",
    "gateeu": r"t-[0-9a-zA-Z_.-]{1,26}",
    "bitget": r"[a-zA-Z0-9_:#+-]{1,50}",
    "bitstamp": r"[a-zA-Z0-9_-]{1,50}",
    "mexc": r"[a-zA-Z0-9_-]{1,32}",
    "htx": r"[a-zA-Z0-9_-]{1,64}",
    "whitebit": r"[a-zA-Z0-9_.-]{1,32}",
    "phemex": r"[a-zA-Z0-9_-]{1,40}",
    "kucoin": r"[a-zA-Z0-9_-]{1,40}",
    "cryptocom": r"[a-zA-Z0-9_-]{1,36}",
    "bingx": r"[a-z0-9_-]{1,40}",
}
"""What the exchanges' documents take."""

WIRE_NAMES = {
    "binance": ("newClientOrderId", "origClientOrderId"),
    "binanceus": ("newClientOrderId", "origClientOrderId"),
    "binanceusdm": ("newClientOrderId", "origClientOrderId"),
    "okx": ("clOrdId", "clOrdId"),
    "myokx": ("clOrdId", "clOrdId"),
    "okxus": ("clOrdId", "clOrdId"),
    "bybit": ("orderLinkId", "orderLinkId"),
    "bybiteu": ("orderLinkId", "orderLinkId"),
    "bybitid": ("orderLinkId", "orderLinkId"),
    "deribit": ("label", "label"),
    "kraken": ("cl_ord_id", "cl_ord_id"),
    "gate": ("text", "/spot/orders/"),
    "gateeu": ("text", "/spot/orders/"),
    "bitget": ("clientOid", "clientOid"),
    "bitstamp": ("client_order_id", "client_order_id"),
    "mexc": ("newClientOrderId", "origClientOrderId"),
    "htx": ("client-order-id", "clientOrderId"),
    "whitebit": ("clientOrderId", "clientOrderId"),
    "phemex": ("clOrdID", "clOrdID"),
    "kucoin": ("clientOid", "(clientOid|client-order/)"),
    "cryptocom": ("client_oid", "client_oid"),
    "bingx": ("clientOrderID", "clientOrderId"),
}
"""What the exchanges' documents call our id: in an order and in a look-up (there also a path before it)."""
CONDITIONAL_WIRE_NAMES = WIRE_NAMES | {"okx": ("algoClOrdId",) * 2, "myokx": ("algoClOrdId",) * 2}

UNDRIVEN = frozenset({"bithumb", "coinbaseinternational", "delta", "gemini", "lbank", "ndax", "revolutx"})
"""They want keys or markets of a form that is not worth inventing."""


@pytest.fixture
async def opened() -> AsyncIterator[Opener]:
    open_ones: list[Offline] = []

    def open_one(profile: Profile, market_type: str) -> Offline:
        open_ones.append(offline(profile.ccxt_id, market_type, dict(profile.options)))
        return open_ones[-1]

    yield open_one
    for one in open_ones:
        await one.close()


@pytest.mark.parametrize(("profile", "market_type"), EACH)
async def test_one_request_of_an_order_carries_our_id_once_and_in_clear(
    profile: Profile, market_type: str, opened: Opener
) -> None:
    exchange, client_order_id = opened(profile, market_type), profile.id_format.derive(ORDER_ID)

    sent = await exchange.place({str(profile.place_param): client_order_id, **profile.order_params})

    carrying = [one for one in sent if one.shows(client_order_id)]
    assert len(carrying) == 1, (sent, exchange.errors)
    text = carrying[0].url + carrying[0].body
    assert text.count(client_order_id) == 1
    assert "None" not in text
    assert profile.id_visible
    assert carrying[0].names(client_order_id, WIRE_NAMES[profile.ccxt_id][0]), carrying


@pytest.mark.parametrize(("profile", "market_type"), EACH)
async def test_every_request_of_a_look_up_carries_our_id_and_no_missing_one(
    profile: Profile, market_type: str, opened: Opener
) -> None:
    exchange, client_order_id = opened(profile, market_type), profile.id_format.derive(ORDER_ID)

    sent = [one for one in await exchange.look_up(profile, client_order_id) if "account/detail" not in one.url]

    assert len(sent) == max(1, len(profile.look_up_lists)), (sent, exchange.errors)
    for one in sent:
        assert one.names(client_order_id, WIRE_NAMES[profile.ccxt_id][1]), one
        assert "None" not in one.url + one.body, one


@pytest.mark.parametrize(("profile", "market_type"), EACH)
async def test_a_market_buy_leaves_in_the_unit_that_the_profile_says(
    profile: Profile, market_type: str, opened: Opener
) -> None:
    exchange, client_order_id = opened(profile, market_type), profile.id_format.derive(ORDER_ID)
    by_cost = not profile.market_buy_by_quantity and market_type == "spot"
    params: dict[str, Any] = {str(profile.place_param): client_order_id}
    if by_cost:
        params["cost"] = 777.0

    sent = await exchange.place(params, order_type="market", price=None, amount=3.0)

    order = next((one for one in sent if one.shows(client_order_id)), None)
    assert order is not None, (sent, exchange.errors)
    amounts = re.findall(r"[=:\" ](777|3)(?:\.0*)?(?=[&\",}]|$)", order.url + " " + order.body)
    assert amounts == (["777"] if by_cost else ["3"]), order


@pytest.mark.parametrize(("profile", "market_type"), CONDITIONAL)
@pytest.mark.parametrize("which", ["stop_loss", "take_profit"])
async def test_a_conditional_order_carries_our_id_and_its_trigger(
    profile: Profile, market_type: str, which: str, opened: Opener
) -> None:
    exchange, client_order_id = opened(profile, market_type), profile.id_format.derive(ORDER_ID)
    conditional = profile.conditional
    assert conditional is not None
    trigger = conditional.stop_loss_param if which == "stop_loss" else conditional.take_profit_param

    sent = await exchange.place(
        {conditional.place_param: client_order_id, trigger: 27_123.0, **conditional.order_params},
        order_type="market",
        side="sell",
        price=None,
    )

    carrying = [one for one in sent if one.shows(client_order_id)]
    assert len(carrying) == 1, (sent, exchange.errors)
    assert carrying[0].names(client_order_id, CONDITIONAL_WIRE_NAMES[profile.ccxt_id][0]), carrying
    assert carrying[0].shows("27123")


@pytest.mark.parametrize(("profile", "market_type"), CONDITIONAL)
async def test_a_conditional_order_is_looked_up_by_our_id(profile: Profile, market_type: str, opened: Opener) -> None:
    exchange, client_order_id = opened(profile, market_type), profile.id_format.derive(ORDER_ID)
    conditional = profile.conditional
    assert conditional is not None
    way: Any = {
        name: getattr(conditional, name) for name in ("look_up", "look_up_param", "look_up_lists", "read_params")
    }

    sent = await exchange.look_up(type(profile)(**{**_fields(profile), **way}), client_order_id)

    assert len(sent) == max(1, len(conditional.look_up_lists)), (sent, exchange.errors)
    for one in sent:
        assert one.names(client_order_id, CONDITIONAL_WIRE_NAMES[profile.ccxt_id][1]), one
        assert "None" not in one.url + one.body, one


@pytest.mark.parametrize("profile", CURATED.values(), ids=lambda profile: profile.ccxt_id)
def test_ids_fit_what_the_exchange_takes(profile: Profile) -> None:
    assert re.fullmatch(PATTERNS[profile.ccxt_id], profile.id_format.derive(ORDER_ID))


@pytest.mark.parametrize("profile", CURATED.values(), ids=lambda profile: profile.ccxt_id)
def test_every_code_is_one_that_ccxt_matches(profile: Profile) -> None:
    known = exception_keys(profile.ccxt_id)

    assert {*profile.codes, *profile.not_found_codes} <= set(known)
    for code in profile.not_found_codes:
        assert issubclass(known[code], OrderNotFound)
    assert not {*profile.codes} & profile.not_found_codes


@pytest.mark.parametrize("profile", CURATED.values(), ids=lambda profile: profile.ccxt_id)
def test_a_sandbox_is_claimed_where_ccxt_has_one(profile: Profile) -> None:
    assert profile.sandbox == bool(getattr(ccxt_async, profile.ccxt_id)().describe()["urls"].get("test"))


def test_mixed_codes_are_never_listed() -> None:
    assert "-2010" not in profile_of("binance").codes
    assert "EAPI:Invalid nonce" not in profile_of("kraken").codes


@pytest.mark.parametrize("profile", CURATED.values(), ids=lambda profile: profile.ccxt_id)
def test_a_curated_profile_names_its_sources_and_its_look_up(profile: Profile) -> None:
    assert all(address.startswith("https://") for address in profile.source.split())
    assert profile.verified == (profile.look_up is not LookUpMethod.NONE)
    if profile.used_ids is UsedIds.REFUSED_FOREVER:
        assert profile.used_ids_source


def test_binance_signs_requests_that_are_valid_for_as_long_as_the_profile_says() -> None:
    assert ccxt_async.binance().options["recvWindow"] == profile_of("binance").request_validity_s * 1000
    assert ccxt_async.bybit().options["recvWindow"] == profile_of("bybit").request_validity_s * 1000


@pytest.mark.parametrize("ccxt_id", ccxt_async.exchanges)
def test_every_class_of_ccxt_has_a_profile_or_a_reason_for_none(ccxt_id: str) -> None:
    if refusal_of(ccxt_id) is not None:
        with pytest.raises(ConfigurationError, match=f"`{ccxt_id}`"):
            profile_of(ccxt_id)
        return
    profile = profile_of(ccxt_id)

    assert profile.ccxt_id == ccxt_id
    assert profile.rate > 0
    assert profile.burst >= 1
    if ccxt_id not in CURATED:
        assert absence_provable_at(0, profile.rules()) is None
        assert profile.used_ids is UsedIds.UNKNOWN
        assert not profile.codes
        assert not profile.verified


def test_where_our_id_is_not_sent_its_want_proves_nothing() -> None:
    generic = [profile_of(ccxt_id) for ccxt_id in ccxt_async.exchanges if refusal_of(ccxt_id) is None]

    assert all(profile.id_visible == (profile.place_param is not None) for profile in generic if not profile.verified)


@pytest.mark.parametrize("ccxt_id", sorted({*PLACED_IDS} - UNDRIVEN))
async def test_a_class_that_is_given_our_id_sends_it(ccxt_id: str, opened: Opener) -> None:
    profile = profile_of(ccxt_id)
    client_order_id = profile.id_format.derive(ORDER_ID)

    for market_type in profile.market_types:
        exchange = opened(profile, market_type)
        sent = await exchange.place({str(profile.place_param): client_order_id})

        assert len([one for one in sent if one.shows(client_order_id)]) == 1, (sent, exchange.errors)


@pytest.mark.parametrize("ccxt_id", sorted(UNDRIVEN))
def test_a_class_that_cannot_be_driven_with_invented_keys_knows_our_id_by_its_code(ccxt_id: str) -> None:
    assert ccxt_id in PLACED_IDS
    assert any(_names_client_order_id(cls) for cls in getattr(ccxt_async, ccxt_id).__mro__)


async def test_coinbase_makes_an_id_up_when_ours_comes_under_the_unified_name(opened: Opener) -> None:
    profile = profile_of("coinbase")
    exchange, client_order_id = opened(profile, "spot"), profile.id_format.derive(ORDER_ID)

    sent = await exchange.place({"clientOrderId": client_order_id})

    assert sent
    assert not any(one.shows(client_order_id) for one in sent)


def test_numbers_are_given_where_numbers_are_wanted() -> None:
    profile = profile_of("ndax")

    assert profile.id_format.kind is IdKind.NUMERIC
    assert int(profile.id_format.derive(ORDER_ID)) < 2**63


def test_an_unknown_exchange_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"no exchange `binanse`.*binance"):
        profile_of("binanse")


def _fields(profile: Profile) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in profile.__struct_fields__}


def _names_client_order_id(cls: type) -> bool:
    """Whether the class's own code that makes orders holds the name `clientOrderId`."""
    if not cls.__module__.startswith("ccxt.async_support.") or cls.__module__.startswith("ccxt.async_support.base"):
        return False
    tree = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    bodies = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__]
    methods = [m for body in bodies for m in body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)]
    making = [m for m in methods if "order" in m.name and ("create" in m.name or "request" in m.name)]
    constants = [n.value for m in making for n in ast.walk(m) if isinstance(n, ast.Constant)]
    return "clientOrderId" in constants
