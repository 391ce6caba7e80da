"""`fillpath send`: sign an alert, send it, wait for its outcome, and draw its way."""

from __future__ import annotations

import re
import sys
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import click

from service.cli.client import Client, OperatorClient, Unreachable
from service.cli.context import Context
from service.cli.order_view import print_outcome
from service.cli.output import print_json, show
from service.cli.signing import SignedRequest, sign
from service.cli.trace_tree import is_complete, steps
from service.cli.trace_view import TraceView
from service.core.orders import FINAL, OrderStatus, OrderType, Side
from service.errors import ConfigurationError, FillpathError

TRACE_WITHIN_S = 2.0
_TRACE_EVERY_S = 0.05
_ANSWER_S = 10.0
_ID = re.compile(r"[\x21-\x7e]{1,128}\Z")
_DONE_WITHOUT_A_FILL = frozenset({"at_target", "cancel_alert"})
_OPTIONS = {
    "quantity": "Base units.",
    "quote_amount": "Quote units to spend or receive.",
    "equity_percent": "Percent of the account's equity.",
    "risk_percent": "Percent of equity lost at --stop-price, or at --atr.",
    "atr": "Average true range, quote units, for --risk-percent.",
    "atr_multiple": "How many of it between entry and exit.",
    "action": "close or cancel, in place of a side and a size.",
    "target_position": "long, short or flat: the position to end with.",
    "target_quantity": "Its size in base units.",
    "price": "Limit price.",
    "stop_price": "Trigger price, or the stop that --risk-percent counts to.",
    "confidence": "0 to 1; the source has a minimum.",
    "account": "One of the source's accounts.",
    "tag": "Stored with the order.",
    "comment": "Stored with the order.",
}
"""Fields of the alert that are passed on as they are written: the service judges them, and numbers stay decimal."""

Command = Callable[..., Any]


def _fields(command: Command) -> Command:
    for name, text in reversed(_OPTIONS.items()):
        command = click.option(f"--{name.replace('_', '-')}", name, help=text)(command)
    return command


def _checked_id(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and _ID.match(value) is None:
        raise click.BadParameter("1 to 128 printable ASCII characters without spaces; it becomes a header")
    return value


@click.command()
@click.option("--symbol", required=True, help="Like BTC/USDT; any usual spelling.")
@click.option("--side", type=click.Choice([side.value for side in Side], case_sensitive=False))
@click.option("--order-type", type=click.Choice([kind.value for kind in OrderType], case_sensitive=False))
@_fields
@click.option("--reduce-only", is_flag=True, help="Only reduce what is held.")
@click.option("--source", default="default", show_default=True, help="Whose secret signs.")
@click.option("--id", "alert_id", callback=_checked_id, help="Idempotency key: sent again, it is executed once.")
@click.option("--wait", default=5.0, show_default=True, type=click.FloatRange(0, 30), help="Seconds for an outcome.")
@click.option("--url", help="Address that takes alerts; else as configured.")
@click.option("--no-trace", is_flag=True, help="Do not draw the trace.")
@click.option("--json", "as_json", is_flag=True, help="Answer, order and trace as one JSON document.")
@click.pass_obj
def send(
    context: Context,
    /,
    *,
    source: str,
    alert_id: str | None,
    wait: float,
    url: str | None,
    no_trace: bool,
    as_json: bool,
    **alert: Any,
) -> int:
    """Send one signed alert and show what became of it.

    Exits with 1 when it was refused, or ended without a fill although one was asked for.
    """
    alert_id = alert_id or f"msg_{uuid.uuid4().hex}"
    present = {key: value for key, value in alert.items() if value is not None and value is not False}
    request = _signed(context, source, {**present, "id": alert_id}, alert_id)
    answer = _post(url or context.public_url, source, request, wait, alert_id)
    order, trace = _follow_up(context, answer, with_trace=not no_trace)
    if as_json:
        print_json({"answer": answer, "order": order, "trace": trace})
    else:
        print_outcome(order or answer)
        if trace is not None:
            show("", TraceView(trace))
    return 1 if _ended_unfilled(order or answer) else 0


def _signed(context: Context, source: str, alert: dict[str, Any], alert_id: str) -> SignedRequest:
    sources = context.loaded.settings.sources
    if source not in sources:
        raise ConfigurationError(f"source `{source}` is not configured; configured are: {', '.join(sources)}")
    auth = sources[source].auth
    secret = context.secrets.webhook(source, auth, only=len(sources) == 1, create=False)[0]
    return sign(auth, secret, alert, msg_id=alert_id, now_s=int(time.time()))


def _post(url: str, source: str, request: SignedRequest, wait: float, alert_id: str) -> dict[str, Any]:
    headers = request.headers | ({"Prefer": f"wait={wait:g}"} if wait else {})
    with Client(url, read_timeout=wait + _ANSWER_S) as client:
        try:
            return client.request("POST", f"/webhook/{source}", content=request.body, headers=headers)
        except Unreachable as error:
            if not error.sent:
                raise
            raise Unreachable(
                f"{error}. It may have been accepted: the same command with --id {alert_id} is safe, it executes once",
                sent=True,
            ) from None


def _follow_up(
    context: Context, answer: dict[str, Any], *, with_trace: bool
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The order's details and its trace; the alert is accepted, so that neither is an error of this command."""
    try:
        with context.operator() as operator:
            order = operator.order(answer["order_id"])
            return order, _trace(operator, order) if with_trace else None
    except FillpathError as error:
        print(f"fillpath: accepted, but its details cannot be shown: {error}", file=sys.stderr)
        return None, None


def _trace(operator: OperatorClient, order: dict[str, Any]) -> dict[str, Any]:
    """The trace once it is complete, else what there is after `TRACE_WITHIN_S`: spans end after their answers."""
    deadline = time.monotonic() + TRACE_WITHIN_S
    final = order["status"] in FINAL
    while True:
        document = operator.trace(order["order_id"])
        if is_complete(steps(document), final=final) or time.monotonic() > deadline:
            return document
        time.sleep(_TRACE_EVERY_S)


def _ended_unfilled(order: dict[str, Any]) -> bool:
    status = order.get("status")
    if order.get("reason") in _DONE_WITHOUT_A_FILL:
        return False
    return status in FINAL and status != OrderStatus.FILLED and not Decimal(order.get("filled_qty") or 0)
