"""More exchanges as data; at most of them an order is found by our id, but absence is never proven."""

from __future__ import annotations

from service.core.outcomes import UsedIds
from service.exchanges.ccxt.profile import LookUpMethod, Profile
from service.exchanges.ccxt.profile_codes import BASE32, HEX, codes

_SPOT = frozenset({"spot"})
_SWAP = frozenset({"swap"})
_DAY_S = 86_400.0

_BITGET = Profile(
    ccxt_id="bitget",
    verified=True,
    source="https://www.bitget.com/api-doc/spot/trade/Get-Order-Info "
    "https://www.bitget.com/api-doc/contract/trade/Get-Order-Details "
    "https://www.bitget.com/api-doc/common/signature",
    id_format=HEX,
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    look_up_id="",
    request_validity_s=30.0,
    codes=codes(
        funds="43012",
        invalid="40808 45110 45113",
        permission="40006 40009 40012 40014 40018 40037",
        skew="40008",
    ),
    not_found_codes=frozenset({"40109"}),
    raised_is_not_found=True,
    answer_key="data",
    # Known beforehand, else ccxt asks for it within the first order.
    options={"uta": False},
    market_buy_by_quantity=False,
    open_orders_without_symbol=True,
    needs="a classic account",
    rate=10.0,
    burst=20.0,
)

_BITSTAMP = Profile(
    ccxt_id="bitstamp",
    verified=True,
    source="https://www.bitstamp.net/api/#tag/Orders/operation/GetOrderStatus",
    id_format=HEX,
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    used_ids_source='an id "can only be used once", by its error message; for how long is not documented',
    request_validity_s=150.0,
    look_up_life_s=30 * _DAY_S,
    codes=codes(
        funds=("Check your account balance for details.",),
        invalid=("Minimum order size is", "Price is more than", "Ensure that there are no more than"),
        permission=("No permission found", "API key not found", "IP address not allowed", "Your account is frozen"),
    ),
    not_found_codes=frozenset({"Order not found."}),
    market_types=_SPOT,
    look_up_needs_symbol=False,
    open_orders_without_symbol=True,
    rate=10.0,
    burst=20.0,
)

_MEXC = Profile(
    ccxt_id="mexc",
    verified=True,
    source="https://www.mexc.com/api-docs/spot-v3/spot-account-trade",
    id_format=BASE32,
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    request_validity_s=5.0,
    codes=codes(funds="10101 30004 30005", invalid="30002 30003", permission="700002 700006 700007", skew="700003"),
    market_types=_SPOT,
    rate=10.0,
    burst=10.0,
)

_HTX = Profile(
    ccxt_id="htx",
    verified=True,
    source="https://www.htx.com/en-us/opend/newApiPages/?id=7ec4a4da-7773-11ed-9966-0242ac110003",
    id_format=HEX,
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    used_ids_source="said to be unique for 24 hours, no longer checked",
    request_validity_s=300.0,
    look_up_life_s=7_200.0,
    codes=codes(
        funds="account-frozen-balance-insufficient-error",
        invalid=(
            "invalid-amount order-limitorder-amount-min-error order-limitorder-amount-max-error "
            "order-marketorder-amount-min-error order-limitorder-price-min-error order-limitorder-price-max-error "
            "order-value-min-error order-invalid-price order-orderprice-precision-error"
        ),
        permission="api-signature-not-valid api-signature-check-failed",
        closed="base-symbol-trade-disabled",
        limited="base-request-exceed-frequency-limit rate-too-many-requests",
    ),
    market_types=_SPOT,
    market_buy_by_quantity=False,
    look_up_needs_symbol=False,
    rate=5.0,
    burst=10.0,
)

_WHITEBIT = Profile(
    ccxt_id="whitebit",
    verified=True,
    source="https://docs.whitebit.com/guides/client-order-id https://docs.whitebit.com/private/http-trade-v4/",
    id_format=BASE32,
    place_param="clientOrderId",
    look_up=LookUpMethod.OPEN_AND_CLOSED,
    look_up_param="clientOrderId",
    look_up_lists=("fetch_open_orders", "fetch_closed_orders"),
    used_ids=UsedIds.REFUSED_WHILE_OPEN,
    used_ids_source="enforced only among open orders on the same market",
    visibility_delay_s=10.0,
    codes=codes(
        funds=("Not enough balance.", "Not enough balance"),
        invalid=("Amount must be greater than 0", "Given amount is less than min amount", "Min amount step"),
        permission=("Unauthorized request.", "Enable your key in API settings"),
    ),
    market_types=_SPOT,
    rate=10.0,
    burst=10.0,
)

_PHEMEX = Profile(
    ccxt_id="phemex",
    verified=True,
    source="https://phemex-docs.github.io/#query-orders-by-order-id-or-client-order-id",
    id_format=HEX,
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    request_validity_s=60.0,
    visibility_delay_s=30.0,
    market_types=_SWAP,
    sandbox=True,
    rate=5.0,
    burst=10.0,
)

_KUCOIN = Profile(
    ccxt_id="kucoin",
    verified=True,
    source="https://www.kucoin.com/docs-new/rest/spot-trading/orders/get-order-by-clientoid",
    id_format=HEX,
    place_param="clientOrderId",
    look_up=LookUpMethod.FETCH_ORDER,
    look_up_param="clientOrderId",
    # Known beforehand, else ccxt asks for it within the first order.
    options={"uta": False},
    needs="a classic account",
    rate=20.0,
    burst=40.0,
)

_CRYPTOCOM = Profile(
    ccxt_id="cryptocom",
    verified=True,
    source="https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#private-get-order-detail "
    "https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html#response-and-reason-codes",
    id_format=HEX,
    place_param="client_oid",
    look_up=LookUpMethod.IMPLICIT,
    look_up_implicit="v1PrivatePostPrivateGetOrderDetail",
    look_up_request={"client_oid": "{id}"},
    look_up_path=("result",),
    request_validity_s=60.0,
    codes=codes(funds="306", invalid="213 314 315 415", permission="40101 40103", skew="40102", limited="42901"),
    look_up_needs_symbol=False,
    open_orders_without_symbol=True,
    trades_need_symbol=False,
    sandbox=True,
    rate=10.0,
    burst=15.0,
)

_BINGX = Profile(
    ccxt_id="bingx",
    verified=True,
    source="https://bingx-api.github.io/docs/#/en-us/swapV2/trade-api.html#Query%20Order%20details",
    id_format=HEX,
    place_param="clientOrderId",
    look_up=LookUpMethod.IMPLICIT,
    look_up_implicit="swapV2PrivateGetTradeOrder",
    look_up_request={"symbol": "{market}", "clientOrderId": "{id}"},
    look_up_path=("data", "order"),
    codes=codes(funds="101204", invalid="109400", used="101481 109201", permission="100001 100413"),
    market_types=_SWAP,
    sandbox=True,
    rate=5.0,
    burst=10.0,
)

MORE = (_BITGET, _BITSTAMP, _MEXC, _HTX, _WHITEBIT, _PHEMEX, _KUCOIN, _CRYPTOCOM, _BINGX)
