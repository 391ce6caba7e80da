"""What became of an order: asked by our id, in the way that its exchange is known to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ccxt.base.errors import BaseError, OrderNotFound

from service.core.orders import OrderType
from service.core.outcomes import Found, LookUp, NotFound, OrderReport, Unanswered
from service.exchanges.ccxt import search
from service.exchanges.ccxt.clients import Client
from service.exchanges.ccxt.convert import Listed, client_id_of
from service.exchanges.ccxt.guard import CallRecord, SecondSend
from service.exchanges.ccxt.profile import LookUpMethod
from service.exchanges.ccxt.shared import Shared
from service.exchanges.protocol import ExchangeUnavailable, OrderRef

_NS = 1_000_000_000
_SERVER_ERROR = 500


class Way(NamedTuple):
    """How an order of this kind is found; see `Profile`."""

    method: LookUpMethod
    param: str | None
    lists: Sequence[str]
    read_params: Mapping[str, Any]
    cancel_params: Mapping[str, Any]


class LookUps:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def way_of(self, ref: OrderRef) -> Way:
        """Conditional orders live at other endpoints on some exchanges."""
        profile = self._shared.profile
        conditional = profile.conditional
        if conditional is None or ref.order_type in {OrderType.MARKET, OrderType.LIMIT}:
            return Way(profile.look_up, profile.look_up_param, profile.look_up_lists, profile.read_params, {})
        theirs = conditional.read_params
        params = {**profile.read_params, **theirs}
        return Way(conditional.look_up, conditional.look_up_param, conditional.look_up_lists, params, theirs)

    async def look_up(self, ref: OrderRef) -> LookUp:
        """Never raises but for cancellation. NotFound only where the answer was to a request that carried our id."""
        way = self.way_of(ref)
        try:
            client, listed = self._shared.client(ref.account), self._shared.listed(ref.symbol)
            if way.method is LookUpMethod.NONE:
                return await search.find(self._shared, client, listed, ref)
            found = await self._ask(client, listed, ref, way)
        except ExchangeUnavailable as error:
            return Unanswered(cause=str(error))
        if isinstance(found, NotFound) and self._may_be_forgotten(ref):
            return Unanswered(cause="the order is older than this exchange keeps orders that ended without fills")
        return found

    def _may_be_forgotten(self, ref: OrderRef) -> bool:
        life_s = self._shared.profile.look_up_life_s
        if life_s is None or ref.submitted_ns is None:
            return False
        return self._shared.clock.now_ns() - ref.submitted_ns > life_s * _NS

    async def _ask(self, client: Client, listed: Listed, ref: OrderRef, way: Way) -> LookUp:
        calls = self._calls(client, listed, ref, way)
        for call in calls:
            orders = await self._orders(call, client, listed, ref, way)
            if not isinstance(orders, NotFound) and orders:
                return self._choose(orders, listed, ref)
        return NotFound(message=f"asked for {ref.client_order_id}")

    def _calls(self, client: Client, listed: Listed, ref: OrderRef, way: Way) -> list[Callable[[], Any]]:
        profile, api = self._shared.profile, client.api
        params = dict(way.read_params)
        if way.method is LookUpMethod.IMPLICIT:
            implicit = getattr(api, str(profile.look_up_implicit))
            return [lambda: implicit(self._request(client, listed, ref) | params)]
        if way.param is not None:
            params[way.param] = ref.client_order_id
        if way.method is LookUpMethod.FETCH_ORDER:
            order_id = ref.client_order_id if way.param is None else profile.look_up_id
            return [lambda: api.fetch_order(order_id, ref.symbol, params)]
        return [_listing(getattr(api, name), ref.symbol, params) for name in way.lists]

    def _request(self, client: Client, listed: Listed, ref: OrderRef) -> dict[str, Any]:
        market = client.api.market(listed.market.symbol)
        words = {
            "id": ref.client_order_id,
            "market": market["id"],
            "base": market["baseId"],
            "quote": market["quoteId"],
            "settle": market.get("settleId") or market["quoteId"],
        }
        return {key: value.format_map(words) for key, value in self._shared.profile.look_up_request.items()}

    async def _orders(
        self, call: Callable[[], Any], client: Client, listed: Listed, ref: OrderRef, way: Way
    ) -> list[Mapping[str, Any]] | NotFound:
        """Orders in ccxt's form; NotFound only by an answer that proves it, `ExchangeUnavailable` for the rest."""
        traffic = self._shared.traffic
        with traffic.recorded(ref.client_order_id) as record:
            try:
                async with asyncio.timeout(traffic.timeout):
                    answer = await call()
                raw = way.method is LookUpMethod.IMPLICIT
                orders = self._parsed(answer, client, listed) if raw else _as_list(answer)
            except (BaseError, SecondSend, TimeoutError, OSError) as error:
                if self._says_not_found(record, error):
                    return NotFound(message=traffic.said(error))
                raise ExchangeUnavailable(f"{self._shared.name}: {traffic.said(error)}") from None
            except Exception as error:  # noqa: BLE001 - ccxt's parsers fail in any way on a body they do not expect
                raise ExchangeUnavailable(
                    f"{self._shared.name}: unreadable answer to a look-up ({type(error).__name__})"
                ) from None
        if orders:
            if _answered_well(record):
                return orders
            raise ExchangeUnavailable(f"{self._shared.name}: an answer to a look-up that is none of the exchange's own")
        if self._shared.profile.empty_is_not_found and _answered_well(record) and self._is_wrapped(record):
            return NotFound(message="an empty answer")
        raise ExchangeUnavailable(f"{self._shared.name}: an empty answer to a look-up, which proves nothing there")

    def _parsed(self, answer: Any, client: Client, listed: Listed) -> list[Mapping[str, Any]]:
        """An answer of the exchange's own endpoint as ccxt's orders."""
        for key in self._shared.profile.look_up_path:
            answer = answer[key]
        raws = _as_list(answer)
        market = client.api.market(listed.market.symbol)
        return [client.api.parse_order(raw, market) for raw in raws]

    def _is_wrapped(self, record: CallRecord) -> bool:
        """Of any other JSON object in place of the exchange's own a class may make an empty list."""
        key = self._shared.profile.answer_key
        return key is None or key in record.requests[-1].answer_keys

    def _says_not_found(self, record: CallRecord, error: BaseException) -> bool:
        profile = self._shared.profile
        if not _answered_well(record):
            return False
        raised = profile.raised_is_not_found and isinstance(error, OrderNotFound) and self._is_wrapped(record)
        return raised or record.requests[-1].error_key in profile.not_found_codes

    def _choose(self, orders: Sequence[Mapping[str, Any]], listed: Listed, ref: OrderRef) -> LookUp:
        """The one order with our id. Several with it were placed twice: none of them is the answer."""
        profile = self._shared.profile
        ours = [raw for raw in orders if client_id_of(raw, profile.reported_as) in {None, ref.client_order_id}]
        if ref.exchange_order_id and len(ours) > 1:
            ours = [raw for raw in ours if str(raw.get("id")) == ref.exchange_order_id]
        if len(ours) != 1:
            return Unanswered(cause=f"{len(ours)} of {len(orders)} orders told carry our id, expected one")
        report = self.report(ours[0], listed, ref)
        return Unanswered(cause="the order told cannot be read, or is another one") if report is None else Found(report)

    def report(self, raw: Mapping[str, Any], listed: Listed, ref: OrderRef) -> OrderReport | None:
        """None for what cannot be read, has no id at the exchange, or is of another order."""
        quantity = ref.quantity if self._shared.profile.market_buy_by_quantity else None
        report = self._shared.report(raw, listed, ref.client_order_id, quantity=quantity)
        return report if report is not None and report.exchange_order_id else None


def _listing(method: Callable[..., Any], symbol: str, params: Mapping[str, Any]) -> Callable[[], Any]:
    return lambda: method(symbol, None, None, dict(params))


def _answered_well(record: CallRecord) -> bool:
    """Whether the last request carried our id and got an answer that is the exchange's own, not its gateway's.

    Of a page or an empty body in place of JSON some classes make an empty list, and MEXC's an order.
    """
    if not record.requests or not record.asked_with_id():
        return False
    last = record.requests[-1]
    return last.carries_id and last.status is not None and last.status < _SERVER_ERROR and last.body_kind == "json"


def _as_list(answer: Any) -> list[Any]:
    if isinstance(answer, list | tuple):
        return list(answer)
    return [answer] if answer else []
