"""The orders that a validation sends itself: one bought on the paper exchange, and as much sold again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from scripts.lib.traffic.checks import signed, small_order
from scripts.lib.traffic.target import Sender, check_loopback, find
from scripts.lib.validate.asking import Server, until
from scripts.lib.validate.results import CheckError
from service.cli.client import Client, OperatorClient, RequestRefused, Unreachable
from service.cli.context import Context
from service.core.orders import FINAL
from service.errors import FillpathError

START = "start the service: ./scripts/stack up, or ./scripts/run; elsewhere, give --config, --url and --operator-url"
_WAIT_S = 5.0
_ENDS_WITHIN_S = 15.0
_AFTER_FEES = Decimal("0.995")

Order = Mapping[str, Any]


class Service(NamedTuple):
    """The service that is validated; `owned` allows addresses beyond loopback."""

    context: Context
    url: str | None
    owned: bool = False

    @property
    def public(self) -> str:
        return self.url or self.context.public_url


class Sent(NamedTuple):
    """`orders` are filled, with their transitions; times are Unix seconds; `instance` is who the service says it is."""

    orders: Sequence[Order]
    began: float
    ended: float
    instance: str

    @property
    def trace_ids(self) -> set[str]:
        return {str(order["trace_id"]) for order in self.orders}


def send(service: Service) -> Sent:
    """Raises CheckError where an order cannot be sent or is not filled."""
    try:
        return _send(service)
    except Unreachable as error:
        raise CheckError(str(error), START) from None
    except RequestRefused as error:
        raise CheckError(f"an order of 15 on the paper exchange was {error}", "mend what the refusal names") from None
    except FillpathError as error:
        raise CheckError(f"no order can be sent: {error}", START) from None


def _send(service: Service) -> Sent:
    target = find(service.context, url=service.url)
    if not service.owned:
        check_loopback(target.url)
    sender, began = target.senders[0], time.time()
    with Client(target.url) as client, service.context.operator() as operator:
        bought = _filled(client, operator, sender, small_order(sender))
        market = sender.lanes[0].market
        quantity = market.round_quantity(Decimal(bought["filled_qty"]) * _AFTER_FEES)
        back = {
            "symbol": market.symbol,
            "account": sender.lanes[0].account,
            "side": "sell",
            "quantity": f"{quantity:f}",
        }
        sold = _filled(client, operator, sender, back)
        return Sent([bought, sold], began, time.time(), _instance(operator.url))


def _filled(client: Client, operator: OperatorClient, sender: Sender, alert: Mapping[str, object]) -> Order:
    key = f"validate-{secrets.token_hex(8)}"
    request = signed(sender, {**alert, "tag": "validate"}, key)
    headers = request.headers | {"Prefer": f"wait={_WAIT_S:g}"}
    answer = client.request("POST", f"/webhook/{sender.name}", content=request.body, headers=headers)
    order_id = str(answer["order_id"])
    order = until(lambda: operator.order(order_id), lambda one: one["status"] in FINAL, time.time() + _ENDS_WITHIN_S)
    if order["status"] != "FILLED":
        raise CheckError(
            f"order {order_id} on the paper exchange is {order['status']} ({order.get('reason') or 'no reason yet'}); "
            "expected FILLED",
            f"look at its way: .venv/bin/fillpath trace {order_id}",
        )
    return order


def _instance(operator_url: str) -> str:
    """The `instance` that its series carry; empty where it does not say."""
    text = Server("The service", operator_url, START).get("/metrics").text
    return next(
        (
            str(sample.labels.get("service_instance_id", ""))
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "target_info"
        ),
        "",
    )
