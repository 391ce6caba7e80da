"""A page as PNG, by a headless Chromium."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_WITHIN_S = 120.0
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-lcd-text",
)
"""The page is our own, and Chromium shall look for nothing on any network."""


class NoChromiumError(Exception):
    """There is none, or it draws nothing; says what to do."""


def find(named: str | None) -> str:
    """The program: what was named, else the first of the usual names on the PATH."""
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        where = f"{named} is no program" if named else f"none of {', '.join(NAMES)} is on the PATH"
        raise NoChromiumError(
            f"{where}. Chromium draws the picture: on Debian `apt-get install chromium`, elsewhere name one with "
            "--chromium, or write an .html file, which any browser shows"
        )
    return found


def screenshot(program: str, html: str, output: Path, width: int, height: int) -> None:
    """Write the page as PNG of that size; raises NoChromiumError with Chromium's last words."""
    with tempfile.TemporaryDirectory(prefix="fillpath-picture-") as folder:
        page = Path(folder) / "page.html"
        page.write_text(html, "utf-8")
        size = [f"--window-size={width},{height}", f"--screenshot={output.absolute()}"]
        command = [program, *_QUIET, f"--user-data-dir={folder}/profile", *size, page.as_uri()]
        output.unlink(missing_ok=True)
        try:
            done = subprocess.run(  # noqa: S603 - the program that was named or found
                command, capture_output=True, text=True, timeout=_WITHIN_S, check=False, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoChromiumError(f"{program} does not draw ({error}); name another with --chromium") from None
    if done.returncode != 0 or not output.is_file():
        words = done.stderr.strip()[-500:]
        raise NoChromiumError(f"{program} ended with {done.returncode} and drew nothing:\n{words}")
