"""The largest exchanges: what their documents say, as data. Every entry is driven through ccxt by a test.

Codes are listed only where the exchange's list of errors says that the request was refused before it reached the
book. Mixed codes (Binance's -2010 is "insufficient balance" and "duplicate order sent" alike) are listed by the words
that ccxt matches, never by their number.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from service.core.client_ids import ClientIdFormat, IdKind
from service.core.outcomes import UsedIds
from service.exchanges.ccxt.profile import Conditional, LookUpMethod, Profile
from service.exchanges.ccxt.profile_codes import BASE32, HEX, UUID, codes
from service.exchanges.ccxt.profile_data_more import MORE

_SPOT = frozenset({"spot"})
_SWAP = frozenset({"swap"})
_DAY_S = 86_400.0

_BINANCE_WORDS = {
    "invalid": (
        "Order would trigger immediately.",
        "Stop price would trigger immediately.",
        "Order would immediately match and take.",
        "PERCENT_PRICE_BY_SIDE",
        "MAX_POSITION",
    ),
    "permission": (
        "Rest API trading is not enabled.",
        "This account may not place or cancel orders.",
        "You don't have permission.",
    ),
}
# All of them "the request is rejected by the API" or faults of its parameters.
_BINANCE_INVALID = (
    "-1013",
    "-1100",
    "-1101",
    "-1102",
    "-1103",
    "-1104",
    "-1105",
    "-1106",
    "-1111",
    "-1114",
    "-1115",
    "-1116",
    "-1117",
    "-1121",
    "-1128",
    "-1130",
)
_BINANCE_KEYS = ("-1002", "-1022", "-2014", "-2015")

_BINANCE = Profile(
    ccxt_id="binance",
    verified=True,
    source="https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints "
    "https://developers.binance.com/docs/binance-spot-api-docs/errors",
    id_format=HEX,
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    used_ids=UsedIds.REFUSED_WHILE_OPEN,
    used_ids_source="newClientOrderId is unique among open orders only",
    request_validity_s=10.0,
    look_up_life_s=90 * _DAY_S,
    conditional=Conditional(
        place_param="clientOrderId", look_up=LookUpMethod.FETCH_ORDER, look_up_param="clientOrderId"
    ),
    codes=codes(
        funds=("Account has insufficient balance for requested action.",),
        invalid=(*_BINANCE_INVALID, *_BINANCE_WORDS["invalid"]),
        closed=("Market is closed.",),
        permission=(*_BINANCE_KEYS, *_BINANCE_WORDS["permission"]),
        skew="-1021",
        limited="-1003 -1015",
    ),
    not_found_codes=frozenset({"-2013"}),
    http_429_not_executed=True,
    market_types=_SPOT,
    open_orders_without_symbol=True,
    sandbox=True,
    rate=20.0,
    burst=40.0,
)

_BINANCE_FUTURES = Profile(
    ccxt_id="binanceusdm",
    verified=True,
    source="https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Order "
    "https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code",
    id_format=HEX,
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    used_ids=UsedIds.REFUSED_WHILE_OPEN,
    used_ids_source="newClientOrderId is unique among open orders only",
    request_validity_s=10.0,
    look_up_life_s=3 * _DAY_S,
    codes=codes(
        funds="-2018 -2019",
        invalid=(
            *_BINANCE_INVALID,
            *(
                "-2021",
                "-2022",
                "-2025",
                "-2026",
                "-2027",
                "-2028",
                "-4001",
                "-4002",
                "-4003",
                "-4004",
                "-4005",
                "-4013",
                "-4014",
                "-4015",
            ),
            *("-4023", "-4024", "-4061", "-4062", "-4120", "-4131", "-4164", "-4183", "-4184"),
            *_BINANCE_WORDS["invalid"],
        ),
        closed="-4140 -4141",
        permission=(*_BINANCE_KEYS, "-4087", "-4088", "-4192", "-4400", "-4401", *_BINANCE_WORDS["permission"]),
        used="-4116",
        skew="-1021 -5028",
        limited="-1003 -1015",
    ),
    not_found_codes=frozenset({"-2013"}),
    http_429_not_executed=True,
    market_types=_SWAP,
    open_orders_without_symbol=True,
    sandbox=True,
    rate=20.0,
    burst=40.0,
)

_OKX = Profile(
    ccxt_id="okx",
    verified=True,
    source="https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-place-order "
    "https://www.okx.com/docs-v5/en/#error-code",
    id_format=BASE32,
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    reported_as="algoClOrdId",
    used_ids=UsedIds.REFUSED_WHILE_OPEN,
    used_ids_source="a clOrdId may belong to several orders, of which the latest is told",
    request_validity_s=30.0,
    look_up_life_s=7_200.0,
    conditional=Conditional(
        place_param="algoClOrdId",
        look_up=LookUpMethod.FETCH_ORDER,
        look_up_param="clientOrderId",
        read_params={"trigger": True},
        # On spot ccxt turns these into margin orders.
        market_types=_SWAP,
    ),
    codes=codes(
        funds="51008 51119 51127 51131",
        invalid=(
            "51000 51001 51002 51003 51004 51005 51006 51007 51011 51012 51014 51015 51020 51031 51046 51047 51100 "
            "51101 51102 51103 51104 51105 51106 51107 51108 51109 51110 51112 51116 51117 51118 51120 51121 51122 "
            "51124 51125 51126 51128 51129 51132 51133 51134 51135 51136 51137 51138 51139 51174 51185 51201 51202 "
            "51203 51204 51205 51250 51261 51275 51276 51277 51278 51279 51280"
        ),
        closed="51021 51022 51027 51028 51029",
        permission="50027 50101 50103 50104 50105 50106 50107 50110 50111 50113 50114 51010 51155",
        used="51016",
        skew="50102",
        limited="50011 50061",
    ),
    not_found_codes=frozenset({"51603"}),
    http_429_not_executed=True,
    options={"createOrder": "privatePostTradeOrder"},
    open_orders_without_symbol=True,
    trades_need_symbol=False,
    sandbox=True,
    rate=9.0,
    burst=20.0,
)

_BYBIT_LISTS = ("fetch_open_orders", "fetch_canceled_and_closed_orders")

_BYBIT = Profile(
    ccxt_id="bybit",
    verified=True,
    source="https://bybit-exchange.github.io/docs/v5/order/create-order "
    "https://bybit-exchange.github.io/docs/v5/order/open-order https://bybit-exchange.github.io/docs/v5/error",
    id_format=HEX,
    place_param="clientOrderId",
    look_up=LookUpMethod.OPEN_AND_CLOSED,
    look_up_param="orderLinkId",
    look_up_lists=_BYBIT_LISTS,
    used_ids=UsedIds.REFUSED_FOREVER,
    used_ids_source='"orderLinkId: always unique" (create-order); else 110072 or 170141',
    request_validity_s=5.0,
    visibility_delay_s=10.0,
    look_up_life_s=7 * _DAY_S,
    conditional=Conditional(
        place_param="clientOrderId",
        look_up=LookUpMethod.OPEN_AND_CLOSED,
        look_up_param="orderLinkId",
        look_up_lists=_BYBIT_LISTS,
        market_types=_SWAP,
        closes_only=True,
    ),
    codes=codes(
        funds="110004 110006 110007 110012 110044 110045 110051 110052 110053 170033 170131",
        invalid=(
            "10001 110003 110009 110016 110017 110020 110021 110022 110023 110040 110042 110057 110070 110092 110093 "
            "110094 170005 170115 170116 170117 170121 170124 170130 170132 170133 170134 170135 170136 170137 170140 "
            "170148 170192 170193 170194 170197 170198"
        ),
        closed="110063 110066 170151 170157 170159",
        permission="10003 10004 10005 10008 10009 10010 10024 10027 10028 10029 110068 110069",
        used="110072 170141",
        skew="10002",
        limited="10006 10018",
    ),
    empty_is_not_found=True,
    answer_key="result",
    # Known beforehand, else ccxt asks for it within the first order.
    options={"enableUnifiedMargin": False, "enableUnifiedAccount": True},
    open_orders_without_symbol=True,
    trades_need_symbol=False,
    sandbox=True,
    needs="a unified trading account",
    rate=10.0,
    burst=20.0,
)

_DERIBIT = Profile(
    ccxt_id="deribit",
    verified=True,
    source="https://docs.deribit.com/api-reference/trading/private-buy "
    "https://docs.deribit.com/api-reference/trading/private-get_order_state_by_label "
    "https://docs.deribit.com/articles/errors",
    id_format=HEX,
    place_param="label",
    look_up=LookUpMethod.IMPLICIT,
    look_up_implicit="privateGetGetOrderStateByLabel",
    look_up_request={"currency": "{settle}", "label": "{id}"},
    look_up_path=("result",),
    reported_as="label",
    used_ids=UsedIds.UNKNOWN,
    used_ids_source="labels may repeat",
    # A signed request is taken for 60 s from its timestamp on.
    request_validity_s=60.0,
    look_up_life_s=1_800.0,
    codes=codes(
        funds="10009",
        invalid=(
            "10002 10003 10005 10006 10007 10008 10011 10013 10014 10015 10016 10017 10018 10020 10021 10022 10023 "
            "10026 10027 10031 10032 10034 10035 10043 10044 11029 11035 11036 11043 11054 -32602"
        ),
        closed="10012 10041",
        permission="10000 10019 11042 13004 13009 13021",
        limited="10028",
    ),
    empty_is_not_found=True,
    answer_key="result",
    market_types=_SWAP,
    trades_need_symbol=True,
    sandbox=True,
    rate=5.0,
    burst=20.0,
)

_KRAKEN_LISTS = ("fetch_open_orders", "fetch_closed_orders")

_KRAKEN = Profile(
    ccxt_id="kraken",
    verified=True,
    source="https://docs.kraken.com/api/docs/rest-api/add-order https://docs.kraken.com/api/docs/guides/spot-clordid "
    "https://docs.kraken.com/api/docs/guides/spot-errors",
    id_format=UUID,
    place_param="clientOrderId",
    look_up=LookUpMethod.OPEN_AND_CLOSED,
    look_up_param="clientOrderId",
    look_up_lists=_KRAKEN_LISTS,
    used_ids=UsedIds.REFUSED_WHILE_OPEN,
    used_ids_source="cl_ord_id is verified unique across open orders for each client",
    visibility_delay_s=10.0,
    conditional=Conditional(
        place_param="clientOrderId",
        look_up=LookUpMethod.OPEN_AND_CLOSED,
        look_up_param="clientOrderId",
        look_up_lists=_KRAKEN_LISTS,
    ),
    codes=codes(
        funds=("EOrder:Insufficient funds",),
        invalid=(
            "EOrder:Order minimum not met",
            "EOrder:Invalid price:Invalid price argument",
            "EGeneral:Invalid arguments",
            "EGeneral:Invalid arguments:price",
            ":Invalid arguments:volume",
            "EQuery:Invalid asset pair",
            "EQuery:Unknown asset",
        ),
        closed=("EService:Market in cancel_only mode", "EService:Market in post_only mode"),
        permission=("EAPI:Invalid key", "EGeneral:Permission denied", "ETrade:User Locked"),
        limited=("EAPI:Rate limit exceeded", "EOrder:Rate limit exceeded", "EGeneral:Temporary lockout"),
    ),
    empty_is_not_found=True,
    answer_key="result",
    market_types=_SPOT,
    look_up_needs_symbol=False,
    open_orders_without_symbol=True,
    trades_need_symbol=False,
    rate=1.0,
    burst=10.0,
)

_GATE = Profile(
    ccxt_id="gate",
    verified=True,
    source="https://www.gate.com/docs/developers/apiv4/en/#create-an-order "
    "https://www.gate.com/docs/developers/apiv4/en/#label-list",
    id_format=ClientIdFormat(IdKind.PREFIXED_BASE32, prefix="t-fp", max_length=28),
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    used_ids=UsedIds.UNKNOWN,
    request_validity_s=60.0,
    look_up_life_s=3_600.0,
    codes=codes(
        funds="BALANCE_NOT_ENOUGH MARGIN_BALANCE_NOT_ENOUGH",
        invalid=(
            "INVALID_PARAM_VALUE INVALID_ARGUMENT INVALID_REQUEST_BODY MISSING_REQUIRED_PARAM INVALID_PRECISION "
            "INVALID_CURRENCY INVALID_CURRENCY_PAIR POC_FILL_IMMEDIATELY AMOUNT_TOO_LITTLE AMOUNT_TOO_MUCH "
            "QUANTITY_NOT_ENOUGH TOO_MANY_ORDERS"
        ),
        permission="INVALID_CREDENTIALS INVALID_KEY IP_FORBIDDEN READ_ONLY INVALID_SIGNATURE ACCOUNT_LOCKED FORBIDDEN",
        skew="REQUEST_EXPIRED",
        limited="TOO_MANY_REQUESTS TOO_FAST",
    ),
    not_found_codes=frozenset({"ORDER_NOT_FOUND", "CLIENT_ID_NOT_FOUND"}),
    market_types=_SPOT,
    market_buy_by_quantity=False,
    sandbox=True,
    rate=10.0,
    burst=20.0,
)


def _like(
    profile: Profile, ccxt_id: str, *, market_types: frozenset[str] | None = None, source: str | None = None
) -> Profile:
    """A house's other site: the same interface."""
    types = profile.market_types if market_types is None else market_types
    conditional = profile.conditional
    if conditional is not None and not conditional.market_types & types:
        conditional = None
    return msgspec.structs.replace(
        profile, ccxt_id=ccxt_id, market_types=types, conditional=conditional, source=source or profile.source
    )


_LARGEST = (
    _BINANCE,
    _BINANCE_FUTURES,
    _like(_BINANCE, "binanceus", source="https://docs.binance.us/#create-new-order-trade"),
    _OKX,
    _like(_OKX, "myokx"),
    _like(_OKX, "okxus", market_types=_SPOT),
    _BYBIT,
    _like(_BYBIT, "bybiteu", market_types=_SPOT),
    _like(_BYBIT, "bybitid"),
    _DERIBIT,
    _KRAKEN,
    _GATE,
    _like(_GATE, "gateeu"),
)

CURATED: Mapping[str, Profile] = {profile.ccxt_id: profile for profile in (*_LARGEST, *MORE)}
"""By ccxt id."""
