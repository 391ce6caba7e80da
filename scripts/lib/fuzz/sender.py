"""A sender that does everything right, in a process of its own, while others do everything wrong.

Reads `{"port", "secret", "source", "per_second"}` from standard input; sends until standard input ends; prints how
long each alert took from its first attempt to its acknowledgement, and what failed. An alert is sent again, signed
under the same id, when its connection breaks: that is how senders are told to behave.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from scripts.lib.fuzz.service import SENDER, Service
from service.core.signatures import sign_standard

_GIVEN_UP_AFTER_S = 30.0
_ACKNOWLEDGED = 202
_AGAIN = 503


class Sender:
    """The process; `stop` gives its report: latencies_ms, order_ids, attempts, failures."""

    def __init__(self, service: Service, per_second: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.lib.fuzz.sender"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the one who waits for its report
        )
        given = {"port": service.port, "secret": service.secrets.standard.hex(), "per_second": per_second}
        assert self._process.stdin is not None, "a pipe was asked for"
        self._process.stdin.write(json.dumps(given) + "\n")
        self._process.stdin.flush()

    def stop(self) -> dict[str, Any]:
        report, _ = self._process.communicate(timeout=_GIVEN_UP_AFTER_S * 3)
        parsed: dict[str, Any] = json.loads(report)
        return parsed


class _Alerts:
    def __init__(self, port: int, secret: bytes) -> None:
        self._port = port
        self._secret = secret
        self._connection: http.client.HTTPConnection | None = None
        self.report: dict[str, list[Any]] = {"latencies_ms": [], "order_ids": [], "failures": [], "broken": []}

    def send(self, number: int) -> None:
        started = time.perf_counter()
        failure = ""
        while time.perf_counter() - started < _GIVEN_UP_AFTER_S:
            try:
                status, body = self._attempt(number)
            except (OSError, http.client.HTTPException) as error:
                failure = type(error).__name__
                self.report["broken"].append(failure)
                self._close()
                continue
            if status == _ACKNOWLEDGED:
                self.report["latencies_ms"].append((time.perf_counter() - started) * 1000)
                self.report["order_ids"].append(json.loads(body)["order_id"])
                return
            failure = f"{status}: {body[:500].decode('utf-8', 'replace')}"
            if status != _AGAIN:
                break
            time.sleep(0.2)  # a 503 asks to come again later
        self.report["failures"].append(failure)

    def _attempt(self, number: int) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_GIVEN_UP_AFTER_S)
        side = "buy" if number % 2 else "sell"
        body = json.dumps({"symbol": "BTC/USDT", "side": side, "quantity": "0.001", "tag": str(number)}).encode()
        name, now = f"good-{number}", int(time.time())
        signature = sign_standard(self._secret, msg_id=name, timestamp=now, body=body)
        headers = {"webhook-id": name, "webhook-timestamp": str(now), "webhook-signature": signature}
        self._connection.request("POST", f"/webhook/{SENDER}", body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def main() -> int:
    given = json.loads(sys.stdin.readline())
    over = threading.Event()

    def wait() -> None:
        with suppress(OSError, ValueError):
            sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    alerts = _Alerts(given["port"], bytes.fromhex(given["secret"]))
    number = 0
    while not over.wait(1 / given["per_second"]):
        alerts.send(number)
        number += 1
    print(json.dumps(alerts.report))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
