"""Killed again and again while it trades at exchanges that fail: each alert has one effect, and each restart goes on.

The same as `scripts/chaos`, which runs longer: two exchanges at a time, because most of it is waiting for what proves
that an order is absent. One refuses a used id for ever, so that orders are sent again; at the other none may be.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from scripts.lib.chaos.report import figures, table
from scripts.lib.chaos.run import Asked, run

KILLS = 8
ALERTS = 75
SEED = 5


async def test_each_alert_has_one_effect_across_kills_at_exchanges_that_fail(tmp_path: Path):
    asked = [
        Asked(venue=venue, kills=KILLS, alerts=ALERTS, seed=SEED, pause=1.5, settle=150)
        for venue in ("bybit", "binance")
    ]
    folders = [tmp_path / one.venue for one in asked]
    for folder in folders:
        folder.mkdir()

    results = await asyncio.gather(*(run(one, folder) for one, folder in zip(asked, folders, strict=True)))

    for result in results:
        found = figures(result)
        print(table(found))  # noqa: T201 - what a failure is understood by
        assert (found["lost"], found["doubled"], found["wrong"], found["trace_problems"]) == ([], [], [], [])
        assert found["kills"] == KILLS
        assert found["acknowledged"] >= ALERTS
        # Otherwise the run has shown nothing: faults hit, orders were in doubt, restarts found something to go on with.
        assert found["order_requests_hit"] > 0
        assert found["in_doubt"] > 0
        assert found["resumes_checked"] > 0
