"""A disk that takes no more: nothing is acknowledged that is not on it."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

import httpx

from tests.acceptance.conftest import PROGRAM, Running

MOST = 4000
LIMIT = 1_000_000
"""Bytes that any file of the service may have: a disk that fills up, without filling up this machine's."""


def _limited(installation) -> Running:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    # The limit is set in a shell that becomes the service: it must not hold this process.
    blocks = LIMIT // 512
    command = ["sh", "-c", f'ulimit -S -f {blocks} && exec "$0" serve', str(PROGRAM)]
    assert hard == resource.RLIM_INFINITY or hard >= LIMIT
    return Running(command, installation.folder, installation.environ)


def _token_source(installation) -> str:
    """A source that is told by its token, so that a plain HTTP client can send fast."""
    config = installation.folder / "fillpath.toml"
    config.write_text(
        '[sources.disk]\nauth = "token"\naccounts = ["paper-1"]\nrate = 100000\nburst = 100000\n', encoding="utf-8"
    )
    installation.environ["FILLPATH_WEBHOOK_SECRET_DISK"] = "the-token-of-this-test"
    return f"http://127.0.0.1:{installation.environ['FILLPATH_PORT']}"


def test_a_full_disk_is_503_nothing_is_acknowledged_and_what_was_is_there(installation):
    base = _token_source(installation)
    acknowledged, refused = [], None
    running = _limited(installation)
    try:
        running.ready()
        with httpx.Client(base_url=base, timeout=30, trust_env=False) as client:
            for number in range(MOST):
                # Denied after the journal (the account has no DOT to sell): much journal, no paper exchange.
                alert = {"symbol": "DOT/USDT", "side": "sell", "quantity": "5", "id": str(number)}
                body = json.dumps(alert | {"token": "the-token-of-this-test", "comment": "x" * 500})
                answer = client.post("/webhook/disk", content=body)
                if answer.status_code == 503:
                    refused = answer
                    break
                assert answer.status_code == 202, answer.text
                acknowledged.append(answer.json()["order_id"])
    finally:
        running.stop()

    assert refused is not None, f"{MOST} alerts fitted"
    assert refused.json()["reason"] == "journal_unavailable"
    assert int(refused.headers["retry-after"]) >= 1
    with installation.serving():
        for order_id in (acknowledged[0], acknowledged[len(acknowledged) // 2], *acknowledged[-20:]):
            assert installation.fillpath("orders", order_id).returncode == 0
        count = _count(installation.folder / "var" / "journal.sqlite")
    assert count == len(acknowledged)


def _count(journal: Path) -> int:
    """Orders in the file, counted by another program than the one under test."""
    code = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM orders').fetchone()[0])"
    )
    python = PROGRAM.with_name("python")
    return int(subprocess.run([python, "-c", code, journal], capture_output=True, text=True, check=True).stdout)
