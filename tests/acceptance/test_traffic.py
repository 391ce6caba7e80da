"""The traffic generator against a service as ./scripts/run starts it: no setting changed, on free ports."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import ROOT, Installation, heed_interrupts, on_free_ports

GENERATOR = ROOT / "scripts/generate_test_traffic.py"
WITHIN_S = 90


class Terminal:
    """A process whose only input and output is a terminal: what is written here was typed there."""

    def __init__(self, command: Sequence[str], installation: Installation) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 140))
        self._process = subprocess.Popen(
            command,
            cwd=installation.folder,
            env=installation.environ | {"TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=self._take_terminal,  # noqa: PLW1509 - this process has one thread
            start_new_session=True,
        )
        os.close(theirs)
        self._shown = ""

    @staticmethod
    def _take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        heed_interrupts()

    def until(self, pattern: str) -> re.Match[str]:
        """The first place where that was shown, escape sequences apart."""
        deadline = time.monotonic() + WITHIN_S
        while not (found := re.search(pattern, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._shown))):
            assert time.monotonic() < deadline, self._shown[-2000:]
            if select.select([self._ours], [], [], 1)[0]:
                self._shown += os.read(self._ours, 65_536).decode("utf-8", "replace")
        return found

    def write(self, typed: bytes) -> None:
        os.write(self._ours, typed)

    def ended(self) -> int:
        return self._process.wait(WITHIN_S)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


class Service:
    """A running service with the first configuration, and the generator in its folder."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(GENERATOR), *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self._installation.folder,
            env=self._installation.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,  # noqa: PLW1509 - this process has one thread
            # Of its own, so that a signal to it reaches nobody else, as none of its own processes may need it.
            start_new_session=True,
        )

    @contextmanager
    def on_a_terminal(self, *arguments: str) -> Iterator[Terminal]:
        terminal = Terminal(self.command(*arguments), self._installation)
        try:
            yield terminal
        finally:
            terminal.close()

    def generate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=WITHIN_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def document(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        done = self.generate(*arguments, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def orders(self, most: int = 500) -> list[dict[str, Any]]:
        """The newest first."""
        done = self._installation.fillpath("orders", "--json", "--limit", str(most))
        found: list[dict[str, Any]] = json.loads(done.stdout)["orders"]
        return found

    @property
    def secrets(self) -> list[str]:
        return self._installation.secrets


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("traffic")
    (folder / "var").mkdir(mode=0o700)
    shutil.copy(ROOT / "scripts/lib/fillpath.toml", folder / "var/fillpath.toml")
    installation = Installation(folder, on_free_ports())
    with installation.serving():
        yield Service(installation)


def test_without_options_a_hundred_alerts_of_both_sources_are_answered_as_they_should_be(service: Service) -> None:
    done = service.generate()
    assert "100 sent, 100 answered" in done.stdout, done.stderr
    assert "sources default, tradingview, 64 lanes" in " ".join(done.stdout.split())
    assert "100.00%" in done.stdout
    assert done.returncode == (0 if "passed" in done.stdout.splitlines()[-1] else 1)
    assert not [secret for secret in service.secrets if secret in done.stdout + done.stderr]


def test_alerts_become_orders_that_are_executed(service: Service) -> None:
    _, document = service.document("--webhooks", "200", "--concurrent", "8", "--seed", "7")
    assert document["traffic"]["success"] == 1.0
    assert document["traffic"]["lanes"] > 40
    orders = [order for order in service.orders() if order["tag"] == "test-traffic"]
    filled = [order for order in orders if order["status"] == "FILLED"]
    assert len(filled) > 100
    assert {order["side"] for order in filled} >= {"buy", "sell"}
    assert {order["source"] for order in filled} == {"default", "tradingview"}


def test_what_has_to_be_refused_is_refused_with_its_reason(service: Service) -> None:
    status, document = service.document("--test-failures")
    checks = document["checks"]["what has to be refused"]
    assert [check for check in checks if not check["passed"]] == []
    assert len(checks) >= 20
    assert (status, document["traffic"]) == (0, None)


def test_one_address_is_limited_while_good_alerts_pass(service: Service) -> None:
    status, document = service.document("--test-rate-limit")
    checks = {check["name"]: check for check in document["checks"]["limit of failures"]}
    assert [check for check in checks.values() if not check["passed"]] == []
    assert "429 rate_limited" in checks["failures from one address"]["answered"]
    assert status == 0


def test_a_short_load_test_sends_at_its_rate_and_is_held_to_it(service: Service) -> None:
    status, document = service.document("--load-test", "--duration", "3", "--rate", "40")
    traffic = document["traffic"]
    assert traffic["sent"] == traffic["answered"] == 120
    assert traffic["success"] == 1.0
    assert traffic["seconds"] >= 2.9
    assert [figure["name"] for figure in traffic["targets"]] == ["answered as expected", "P95", "rate"]
    assert status == (0 if traffic["passed"] else 1)


def test_ctrl_c_gives_the_summary_so_far(service: Service) -> None:
    before = service.orders(1)
    process = service.start("--load-test", "--duration", "60", "--rate", "20", "--json")
    deadline = time.monotonic() + WITHIN_S / 2
    while service.orders(1) == before:
        assert time.monotonic() < deadline, "no order came"
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 130, err
    traffic = json.loads(out)["traffic"]
    assert traffic["interrupted"] is True
    assert 0 < traffic["sent"] == traffic["answered"] < 1200
    assert traffic["notes"][0] == "interrupted: these are the figures so far"


def test_a_terminal_shows_rate_success_and_p95_while_it_goes_on_and_its_ctrl_c_ends_it(service: Service) -> None:
    with service.on_a_terminal("--load-test", "--duration", "60", "--rate", "20") as terminal:
        # Not at once: the first answers are waited for, to learn prices, and count in no latency.
        terminal.until(r"[1-9]\d*/1,200 +[1-9]\d*/s  expected +100\.0%  P95 +(?!0\.0 )\d+\.\d ms")
        terminal.write(b"\x03")
        terminal.until(r"interrupted: these are the figures so far")
        assert terminal.ended() == 130


def test_the_generator_finds_the_projects_python_by_itself(service: Service) -> None:
    plain = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or sys.executable
    done = subprocess.run(
        [plain, GENERATOR, "--help"], capture_output=True, text=True, timeout=WITHIN_S, check=False, cwd=ROOT
    )
    assert "--test-rate-limit" in done.stdout, done.stderr
