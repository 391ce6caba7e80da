"""What is known of an exchange beyond ccxt, as values: how our id is placed and looked up, what its answers prove."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from service.core.client_ids import ClientIdFormat
from service.core.outcomes import ErrorCode, ExchangeRules, UsedIds

_NS = 1_000_000_000

DEFAULT_VALIDITY_S = 30.0
"""How long a request may still be executed where neither the exchange nor ccxt bounds it: above any queue seen."""
DEFAULT_VISIBILITY_S = 5.0
DEFAULT_SETTLING_S = 5.0


class LookUpMethod(StrEnum):
    """How an order is found by our id.

    FETCH_ORDER: ccxt's `fetch_order(look_up_id, symbol, {look_up_param: id})`. OPEN_AND_CLOSED: each of
    `look_up_lists` with `{look_up_param: id}`, in this order. IMPLICIT: ccxt's method `look_up_implicit` of the
    exchange's own endpoint with `look_up_request`. NONE: not at all.
    """

    FETCH_ORDER = "fetch_order"
    OPEN_AND_CLOSED = "open_and_closed"
    IMPLICIT = "implicit"
    NONE = "none"


class Conditional(msgspec.Struct, frozen=True, kw_only=True):
    """How stop_loss and take_profit orders are placed and found.

    The trigger price goes into create_order's params under `stop_loss_param` or `take_profit_param`, with
    `order_params`; type is `market`. `place_param` and the other fields replace the profile's for these orders;
    `read_params` go with every look-up, cancel and list of them. `market_types`: where they are offered.
    `closes_only`: ccxt makes every such order reduce-only.
    """

    stop_loss_param: str = "stopLossPrice"
    take_profit_param: str = "takeProfitPrice"
    order_params: Mapping[str, bool | int | str] = {}
    read_params: Mapping[str, bool | int | str] = {}
    place_param: str
    look_up: LookUpMethod
    look_up_param: str | None = None
    look_up_lists: tuple[str, ...] = ()
    market_types: frozenset[str] = frozenset({"spot", "swap"})
    closes_only: bool = False


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange. Times in seconds.

    `verified`: an order can be looked up by our id, by data that a test drives through ccxt. `source`: the documents
    the data come from. `place_param`: create_order's params key for our id; None: it takes none.

    Look-up: see `LookUpMethod`. `look_up_param` None means that our id is the `id` argument. `look_up_request` values
    may hold `{id}`, `{market}` (the exchange's market id), `{base}`, `{quote}`, `{settle}` (the exchange's currency
    ids; settle is the quote on spot); `look_up_path` leads from the answer to the order or the list of orders.

    `id_visible`: our id stands in clear in the order request. `reported_as`: the key of ccxt's `info` where the
    exchange repeats our id when ccxt does not parse it as `clientOrderId`; `reports_client_id` False: it repeats it
    nowhere in lists. `used_ids`, `request_validity_s`, `visibility_delay_s`, `settling_s`: see `ExchangeRules`.
    `look_up_life_s`: after that an order that ended without fills may no longer be found; None: not known to vanish.

    `codes`: key of ccxt's exception map (an error code, or the exchange's words) -> what it proves of an order
    request. `not_found_codes`: keys that say "no such order" on a look-up. `empty_is_not_found`: an empty list says
    so, in an answer with `answer_key` where the exchange wraps its lists. `raised_is_not_found`: ccxt's own
    OrderNotFound out of `fetch_order` says so too, although no key of its map matched: its class raises it only for
    the exchange's clear word. `http_429_not_executed`: the documents say that a 429 or 418 was not processed.

    `options` are set on the ccxt class; `order_params` go with every order, `read_params` with every look-up and
    list. `market_buy_by_quantity`: a market buy may be given in base units, without a price (with one, several
    classes send its cost instead); else its cost is sent as `cost`. `needs`: what an account must be set to there,
    for the documentation. `rate`: requests a second, `burst`: at once, in units of ccxt's `rateLimit`.
    """

    ccxt_id: str
    verified: bool
    source: str
    id_format: ClientIdFormat
    place_param: str | None
    look_up: LookUpMethod
    look_up_param: str | None = None
    look_up_id: str | None = None
    look_up_lists: tuple[str, ...] = ()
    look_up_implicit: str | None = None
    look_up_request: Mapping[str, str] = {}
    look_up_path: tuple[str, ...] = ()
    id_visible: bool = True
    reported_as: str | None = None
    reports_client_id: bool = True
    used_ids: UsedIds = UsedIds.UNKNOWN
    used_ids_source: str = ""
    request_validity_s: float = DEFAULT_VALIDITY_S
    visibility_delay_s: float = DEFAULT_VISIBILITY_S
    settling_s: float = DEFAULT_SETTLING_S
    look_up_life_s: float | None = None
    conditional: Conditional | None = None
    codes: Mapping[str, ErrorCode] = {}
    not_found_codes: frozenset[str] = frozenset()
    empty_is_not_found: bool = False
    answer_key: str | None = None
    raised_is_not_found: bool = False
    http_429_not_executed: bool = False
    options: Mapping[str, object] = {}
    order_params: Mapping[str, bool | int | str] = {}
    read_params: Mapping[str, bool | int | str] = {}
    market_types: frozenset[str] = frozenset({"spot", "swap"})
    market_buy_by_quantity: bool = True
    look_up_needs_symbol: bool = True
    open_orders_without_symbol: bool = False
    trades_need_symbol: bool = True
    sandbox: bool = False
    needs: str = ""
    rate: float = 1.0
    burst: float = 5.0

    @property
    def proves_absence(self) -> bool:
        """Whether a look-up can end in "no such order"; elsewhere an order in doubt is found or stays in doubt."""
        return bool(self.not_found_codes) or self.empty_is_not_found or self.raised_is_not_found

    def rules(self) -> ExchangeRules:
        """What the execution needs to know to judge absence and settling."""
        return ExchangeRules(
            looks_up_by_client_id=self.look_up is not LookUpMethod.NONE,
            used_ids=self.used_ids,
            request_validity_ns=int(self.request_validity_s * _NS),
            visibility_delay_ns=int(self.visibility_delay_s * _NS),
            settling_ns=int(self.settling_s * _NS),
        )
