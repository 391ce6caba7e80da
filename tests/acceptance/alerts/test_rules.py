"""Prometheus' own tools accept the rules, and every rule does what its tests say."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.lib.alerts import write_shortened
from scripts.lib.alerts.promtool import TESTS
from scripts.lib.alerts.rules import ALERTS, ROOT, RULES
from scripts.lib.stack.errors import StackError
from scripts.lib.stack.programs import get
from scripts.lib.stack.versions import PINT, PROMTOOL, Program

FILES = sorted(RULES.glob("*.yml"))
WITHIN_S = 300


def program(wanted: Program) -> Path:
    """Found or built; one that is missing fails every test that needs it, by its name."""
    try:
        return get((wanted,))[wanted.name].path
    except StackError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def promtool() -> Path:
    return program(PROMTOOL)


@pytest.fixture(scope="session")
def pint() -> Path:
    return program(PINT)


def run(command: Sequence[str | Path], folder: Path = ROOT) -> str:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WITHIN_S, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_promtool_finds_nothing_wrong_with_the_rules(promtool: Path) -> None:
    run([promtool, "check", "rules", "--lint=all", "--lint-fatal", *FILES])


def lint(pint: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [pint, "--no-color", "--offline", "--config", ALERTS / "pint.hcl"]
    return subprocess.run(
        [*command, "lint", "--fail-on", "info", "--min-severity", "info", folder],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def test_pint_finds_nothing_wrong_with_the_rules(pint: Path) -> None:
    done = lint(pint, RULES)

    assert done.returncode == 0, done.stdout


def test_pint_finds_an_alert_that_would_always_fire(pint: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: up}]}]\n")

    done = lint(pint, tmp_path)

    assert done.returncode != 0, done.stdout


def test_promtool_finds_nothing_wrong_with_the_shortened_rules(promtool: Path, tmp_path: Path) -> None:
    write_shortened(tmp_path, 60)

    run([promtool, "check", "rules", "--lint=all", "--lint-fatal", *sorted(tmp_path.glob("*.yml"))])


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_rule_fires_stays_silent_and_resolves_as_its_cases_say(promtool: Path, file: Path) -> None:
    run([promtool, "test", "rules", TESTS / file.name])


def test_the_links_follow_prometheus_external_labels(promtool: Path, tmp_path: Path) -> None:
    (tmp_path / "test.yml").write_text(_WITH_EXTERNAL_LABELS.format(rules=RULES / "monitoring.yml"))

    run([promtool, "test", "rules", tmp_path / "test.yml"])


_WITH_EXTERNAL_LABELS = """
rule_files: [{rules}]
evaluation_interval: 15s
tests:
  - interval: 15s
    external_labels: {{runbooks: "https://books.example", grafana: "https://boards.example"}}
    input_series: []
    alert_rule_test:
      - eval_time: 1m
        alertname: Watchdog
        exp_alerts:
          - exp_labels: {{severity: info, component: monitoring}}
            exp_annotations:
              summary: Alerts arrive
              description: "Always firing (1): where it is missing, no other alert arrives either."
              runbook_url: https://books.example/Watchdog.md
              dashboard_url: https://boards.example/d/execution-telemetry
"""
