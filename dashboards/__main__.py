"""`python -m dashboards`: writes the JSON; `--check` changes nothing and exits 1 naming what drifted."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dashboards.files import FOLDER, drifted, write


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 and name what is not as the code says.")
@click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, help="Where the JSON is.")
def main(*, check: bool, folder: Path) -> None:
    """Write Grafana's dashboards as JSON, one file each."""
    if not check:
        write(folder)
        return
    stale = drifted(folder)
    for name in stale:
        click.echo(f"{folder / name} is not what its source says; run python -m dashboards", err=True)
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
