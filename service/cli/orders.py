"""`fillpath orders`, `trace`, `cancel` and `resolve`: one order, or many."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import quote

import click

from service.cli.context import Context
from service.cli.order_view import print_details, print_listing, print_outcome
from service.cli.output import print_json, show
from service.cli.trace_view import TraceView
from service.core.orders import OrderStatus

_json = click.option("--json", "as_json", is_flag=True, help="As the service answers it.")


def _path(reference: str, below: str = "") -> str:
    return f"/orders/{quote(reference, safe='')}{below}"


@click.command()
@click.argument("reference", metavar="[ID]", required=False)
@click.option("--status", help="One or more of the order states, with commas between them.")
@click.option("--symbol")
@click.option("--account")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@click.option("--after", metavar="ID", help="Continue below this order.")
@_json
@click.pass_obj
def orders(context: Context, /, *, reference: str | None, as_json: bool, **query: Any) -> None:
    """List orders, newest first; with an ID (ours, the client's or the exchange's) show one with its history."""
    with context.operator() as operator:
        if reference is not None:
            show = print_json if as_json else print_details
            show(operator.order(reference))
            return
        page = operator.request("GET", "/orders", params={key: value for key, value in query.items() if value})
    if as_json:
        print_json(page)
        return
    print_listing(page["orders"])
    if page["next"]:
        print(f"more: fillpath orders --after {page['next']}", file=sys.stderr)


@click.command()
@click.argument("reference", metavar="ID")
@_json
@click.pass_obj
def trace(context: Context, *, reference: str, as_json: bool) -> None:
    """Draw an order's trace; any of its ids will do."""
    with context.operator() as operator:
        document = operator.trace(reference)
    if as_json:
        print_json(document)
    else:
        show(TraceView(document))


@click.command()
@click.argument("reference", metavar="ID")
@click.pass_obj
def cancel(context: Context, *, reference: str) -> None:
    """Cancel an order; one in doubt is canceled as soon as it is known."""
    with context.operator() as operator:
        print_outcome(operator.request("DELETE", _path(reference)))


@click.command()
@click.argument("reference", metavar="ID")
@click.option(
    "--status",
    required=True,
    type=click.Choice([status.value for status in OrderStatus], case_sensitive=False),
    help="What the exchange shows.",
)
@click.option("--evidence", required=True, help="How you know; kept in the audit.")
@click.option("--filled-qty", help="Base units.")
@click.option("--average-price", help="Quote units a base unit.")
@click.option("--exchange-order-id")
@click.pass_obj
def resolve(context: Context, /, *, reference: str, **word: Any) -> None:
    """Say what became of an order in doubt, when the exchange will not."""
    given = {key: value for key, value in word.items() if value is not None}
    with context.operator() as operator:
        print_outcome(operator.request("POST", _path(reference, "/resolve"), json=given))
