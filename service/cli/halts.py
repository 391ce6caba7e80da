"""`fillpath halt` and `fillpath resume`: the kill switch."""

from __future__ import annotations

from collections.abc import Mapping

import click

from service.cli.context import Context
from service.cli.output import clean

_account = click.option("--account", default="*", show_default=True, help="One account; * means all.")


@click.command()
@_account
@click.option(
    "--level",
    type=click.Choice(["reducing", "stop"]),
    default="reducing",
    show_default=True,
    help="reducing: no entries; stop: nothing is sent. Look-ups go on.",
)
@click.pass_obj
def halt(context: Context, *, account: str, level: str) -> None:
    """Engage the kill switch; queued orders that it blocks expire."""
    with context.operator() as operator:
        answer = operator.request("POST", "/halt", json={"account": account, "level": level})
    print(_halts(answer["halts"]))
    print(f"{answer['expired']} queued orders expired")


@click.command()
@_account
@click.pass_obj
def resume(context: Context, *, account: str) -> None:
    """Release the kill switch; orders that expired stay expired."""
    with context.operator() as operator:
        answer = operator.request("POST", "/resume", json={"account": account})
    print(_halts(answer["halts"]))


def _halts(halts: Mapping[str, str]) -> str:
    engaged = ", ".join(f"{clean(level)} for {clean(account)}" for account, level in halts.items() if level != "off")
    return f"kill switch: {engaged or 'off'}"
