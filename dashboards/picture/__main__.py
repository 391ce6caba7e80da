"""`python -m dashboards.picture --prometheus URL --output FILE.png`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dashboards.ask import AskError, NoAnswerError, Prometheus
from dashboards.files import DASHBOARDS, document
from dashboards.order import UID as ORDER
from dashboards.picture import chromium
from dashboards.picture.page import WIDTH, page
from dashboards.picture.panel import answered
from dashboards.queries import Times

_POINTS = 240


@click.command()
@click.option("--prometheus", "url", required=True, metavar="URL", help="Like http://127.0.0.1:9090.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="FILE.png, or FILE.html.")
@click.option("--dashboard", "uid", type=click.Choice([uid for uid in DASHBOARDS if uid != ORDER]))
@click.option("--shown", default=3600, show_default=True, type=click.IntRange(60), help="Seconds up to now.")
@click.option("--chromium", "program", help="Chromium; else the one on the PATH.")
def main(*, url: str, output: Path, uid: str | None, shown: int, program: str | None) -> None:
    """Draw a dashboard from live answers, panel by panel."""
    if output.suffix not in {".png", ".html"}:
        raise click.BadParameter(f"{output} is neither .png nor .html")
    times = Times(shown=shown, step=max(5, shown // _POINTS))
    now = time.time()
    try:
        browser = chromium.find(program) if output.suffix == ".png" else ""
        dashboard = document(uid or next(iter(DASHBOARDS)))
        with Prometheus(url) as server:
            drawn = page(dashboard, answered(server, dashboard, times, now), now - shown, now)
        if browser:
            chromium.screenshot(browser, drawn.html, output, WIDTH, drawn.height)
        else:
            output.write_text(drawn.html, "utf-8")
    except (AskError, NoAnswerError, chromium.NoChromiumError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"wrote {output}")


if __name__ == "__main__":
    main()
