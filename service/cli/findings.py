"""`fillpath findings`: what exchange and journal do not agree on."""

from __future__ import annotations

import click

from service.cli.context import Context
from service.cli.output import clean, moment, print_json, show, table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As the service answers it.")
@click.option("--compare", is_flag=True, help="Compare now; else the last comparison is shown.")
@click.pass_obj
def findings(context: Context, *, as_json: bool, compare: bool) -> int:
    """Show what exchange and journal do not agree on; exits with 1 when an order of ours is among it.

    `foreign` is what does not carry an id of ours: counted, and nobody's fault.
    """
    with context.operator() as operator:
        document = operator.request("POST" if compare else "GET", "/findings")
    found = document["findings"]
    if as_json:
        print_json(document)
    elif not found:
        print("exchange and journal agree")
    else:
        shown = table("kind", "account", "reference", "symbol", "since", "what", wrap=("what",))
        for finding in found:
            columns = (finding[name] or "" for name in ("kind", "account", "reference", "symbol"))
            shown.add_row(*map(clean, columns), moment(finding["first_seen"]), clean(finding["detail"]))
        show(shown)
    for account, error in document["not_compared"].items():
        click.echo(f"{account} could not be compared: {clean(error)}", err=True)
    return 1 if document["not_compared"] or any(finding["kind"] != "foreign" for finding in found) else 0
