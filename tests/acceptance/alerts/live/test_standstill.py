"""The tool that holds an event loop, itself: whatever the loop is at, the other threads go on."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.acceptance.alerts.live.standstill import standing_still
from tests.acceptance.stack.waiting import eventually

BUSY = """
import asyncio, pathlib, sys, threading, time

def beat():
    for number in range(10**9):
        pathlib.Path(sys.argv[1]).write_text(str(number))
        time.sleep(0.02)

async def work():
    while True:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            pass
        await asyncio.sleep(0.05)

threading.Thread(target=beat, daemon=True).start()
asyncio.run(work())
"""


def test_a_loop_is_held_only_while_it_holds_up_no_other_thread(tmp_path: Path) -> None:
    beats = tmp_path / "beats"
    process = subprocess.Popen([sys.executable, "-c", BUSY, beats])

    def beat() -> int:
        return int(beats.read_text() or -1) if beats.exists() else -1

    try:
        eventually(lambda: beat() > 0)
        for _ in range(3):
            with standing_still(process.pid):
                before = beat()
                eventually(lambda before=before: beat() > before + 10)
            time.sleep(0.3)  # so that the loop is at something else the next time
    finally:
        process.kill()
        process.wait()
