"""The very first start of a service in folders that do not exist yet, with secrets of its own making, and its alerts.

`python -m tests.chaos.power.service_workload <watched folder> <faults file> <alerts>`
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.chaos.power.said import Said, Speaker
from tests.support.service import running

SECRETS = ("operator-token", "webhook-default", "webhook-hex", "webhook-tradingview")
NOTHING_GIVEN = {"HOME": "/"}
"""An environment without secrets: each is made."""


async def run(folder, alerts):
    speaker = Speaker(folder)
    data = folder / "home" / "fillpath" / "var"
    async with running(data, environ=NOTHING_GIVEN) as client:
        secrets = {name: (data / "secrets" / name).read_text("utf-8") for name in SECRETS}
        for name, secret in secrets.items():
            speaker.say(Said("ready", name, detail=secret))
        token = secrets["webhook-tradingview"].strip()
        for number in range(alerts):
            alert = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.001", "id": f"a{number}", "token": token}
            response = await client.public.post("/webhook/tradingview", json=alert)
            assert response.status_code == 202, response.text
            speaker.say(Said("acknowledged", response.json()["order_id"], detail=f"id:a{number}"))


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[3])))
