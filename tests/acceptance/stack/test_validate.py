"""The validation against a stack of its own, all of it running, then with one server after the other stopped.

Grafana runs as a container only, so its two checks are left out here, as they are for everybody without containers.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.lib.stack import Ports, Stack, StackError
from tests.acceptance.conftest import environment, heed_interrupts
from tests.acceptance.stack.command import ROOT
from tests.acceptance.stack.prometheus import Prometheus
from tests.acceptance.stack.waiting import eventually

VALIDATE = ROOT / "scripts/validate.py"
WITHIN_S = 180
LEFT_OUT = ["Grafana", "dashboard loaded", "tests pass"]
CHECKS = {
    "alert rules loaded",
    "metrics present",
    "code instrumented",
    "documentation complete",
    "service",
    "collector",
    "Prometheus",
    "Jaeger",
    "Alertmanager",
    "exemplars",
}
OWN_CHECK = {
    "service": ("service", "./scripts/stack up"),
    "jaeger": ("Jaeger", "./scripts/stack logs jaeger"),
    "collector": ("collector", "./scripts/stack logs collector"),
    "prometheus": ("Prometheus", "./scripts/stack logs prometheus"),
    "alertmanager": ("Alertmanager", "./scripts/stack logs alertmanager"),
}
"""The check that is a server's own, and what its fix says; last the one whose restart loses alerts for a minute."""

NOT_CONCERNED = {
    "service": CHECKS - {"service", "code instrumented", "metrics present", "exemplars"},
    "collector": CHECKS - {"collector", "metrics present", "code instrumented", "exemplars"},
    "jaeger": CHECKS - {"Jaeger", "code instrumented", "exemplars"},
    "prometheus": {"code instrumented", "documentation complete", "service", "collector", "Jaeger", "Alertmanager"},
    "alertmanager": CHECKS - {"Alertmanager"},
}
"""The checks that pass all the same while a server is stopped."""


class Said(NamedTuple):
    """What one validation came to, by check."""

    status: int
    document: dict[str, Any]
    table: str
    errors: str

    @property
    def failed(self) -> dict[str, dict[str, str]]:
        return {one["check"]: one for one in self.document["checks"] if one["verdict"] == "failed"}

    @property
    def passed(self) -> set[str]:
        return {one["check"] for one in self.document["checks"] if one["verdict"] == "passed"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    one = Stack(tmp_path_factory.mktemp("validate"), Ports.free(), environ=environment())
    try:
        one.up()
    except StackError as error:
        one.down()
        pytest.fail(str(error), pytrace=False)
    yield one
    one.down()


@pytest.fixture(scope="module")
def whole(stack: Stack) -> Said:
    """A validation while all of it runs."""
    return validate(stack)


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With the table on stdout."""
    return subprocess.run(
        [sys.executable, VALIDATE, "--dir", stack.layout.folder, "--tests", "none", *arguments],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def validate(stack: Stack, *arguments: str) -> Said:
    """Without Grafana, the table and the results in a file."""
    file = stack.layout.folder / "results.json"
    done = run(stack, "--without", "grafana", "--json", str(file), *arguments)
    assert done.stdout, done.stderr
    return Said(done.returncode, json.loads(file.read_text("utf-8")), done.stdout, done.stderr)


@contextmanager
def stopped(stack: Stack, server: str) -> Iterator[None]:
    stack.stop(server)
    try:
        yield
    finally:
        stack.start(server)


def until_watchdog_is_held(stack: Stack) -> None:
    """Prometheus sends an alert again after a minute only: what was lost at a start takes as long."""
    alerts = f"{stack.addresses.alertmanager}/api/v2/alerts"
    eventually(lambda: "Watchdog" in httpx.get(alerts, timeout=30, trust_env=False).text, within=90, every=0.5)


def test_a_running_stack_passes_every_check_but_those_that_are_left_out(whole: Said) -> None:
    assert whole.failed == {}
    assert whole.passed == CHECKS
    assert whole.document["left_out"] == LEFT_OUT
    assert (whole.status, whole.document["passed"]) == (0, True)
    assert whole.table.splitlines()[-1] == (
        "passed: 10 passed, 0 failed; left out of the verdict: Grafana, dashboard loaded, tests pass"
    )


def test_nothing_secret_is_said(stack: Stack, whole: Said) -> None:
    secrets = [file.read_text("utf-8").strip() for file in (stack.layout.data("service") / "secrets").iterdir()]

    assert len(secrets) >= 2
    assert not [secret for secret in secrets if secret in whole.table + whole.errors + json.dumps(whole.document)]


def test_without_a_grafana_its_two_checks_fail_and_say_how_to_leave_them_out(stack: Stack) -> None:
    done = run(stack, "--grafana", "http://127.0.0.1:1", "--json", "-")

    said = Said(done.returncode, json.loads(done.stdout), "", done.stderr)
    assert said.failed.keys() == {"Grafana", "dashboard loaded"}
    assert "does not answer at http://127.0.0.1:1" in said.failed["Grafana"]["found"]
    assert said.failed["Grafana"]["fix"].endswith("--without grafana")
    assert said.status == 1


def test_a_rule_that_is_not_loaded_and_one_of_another_severity_are_named(stack: Stack) -> None:
    until_watchdog_is_held(stack)
    loaded = stack.layout.prometheus.parent / "rules"
    kept = shutil.copytree(loaded, stack.layout.folder / "rules-as-they-were")
    for file in loaded.glob("*.yml"):
        text = file.read_text("utf-8").replace("alert: OrdersAbsent\n", "alert: OrdersGone\n")
        softer = re.sub(r"(alert: KillSwitchEngaged\n(?:.*\n)*?.*severity: )warning", r"\1info", text)
        file.write_text(softer, "utf-8")
    try:
        _reload(stack, lambda names: "OrdersGone" in names)
        failed = validate(stack, "--within", "25").failed
    finally:
        shutil.copytree(kept, loaded, dirs_exist_ok=True)
        _reload(stack, lambda names: "OrdersGone" not in names)

    assert failed.keys() == {"alert rules loaded"}
    assert failed["alert rules loaded"]["found"] == ("not loaded: KillSwitchEngaged (warning), OrdersAbsent (critical)")


def _reload(stack: Stack, done: Callable[[set[str]], bool]) -> None:
    """Let Prometheus read its rules again, and wait until it has."""
    (pid,) = [status.pid for status in stack.status() if status.name == "prometheus"]
    assert pid is not None
    os.kill(pid, signal.SIGHUP)
    prometheus = Prometheus(stack.addresses.prometheus)
    try:
        eventually(lambda: done(prometheus.rules()), within=30)
    finally:
        prometheus.close()


def test_ctrl_c_ends_it(stack: Stack) -> None:
    with stopped(stack, "collector"):
        process = subprocess.Popen(
            [sys.executable, VALIDATE, "--dir", stack.layout.folder, "--tests", "none"],
            env=environment(),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,  # noqa: PLW1509 - this process has one thread
            start_new_session=True,
        )
        assert process.stderr is not None
        # It waits for metrics, which do not come.
        eventually(lambda: "metrics present" in (process.stderr.readline() if process.stderr else ""))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WITHIN_S)

    assert process.returncode == 130
    assert err.splitlines()[-1] == "validate: interrupted"


@pytest.mark.parametrize("server", OWN_CHECK)
def test_a_server_that_is_stopped_fails_its_own_check_with_what_to_do(stack: Stack, server: str) -> None:
    check, fix = OWN_CHECK[server]
    until_watchdog_is_held(stack)
    with stopped(stack, server):
        said = validate(stack, "--within", "25")

    assert fix in said.failed[check]["fix"], said.failed
    assert said.passed >= NOT_CONCERNED[server], said.failed
    assert (said.status, said.document["passed"]) == (1, False)


def test_it_finds_the_projects_python_by_itself() -> None:
    plain = shutil.which("python3", path="/usr/bin:/bin:/usr/local/bin") or sys.executable
    done = subprocess.run(
        [plain, VALIDATE, "--help"], capture_output=True, text=True, timeout=WITHIN_S, check=False, cwd="/"
    )
    assert "--without" in done.stdout, done.stderr
