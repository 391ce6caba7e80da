"""The wheel, alone in an empty environment with what the lock names."""

from __future__ import annotations

import subprocess
import sys
import zipfile

from tests.acceptance.conftest import ROOT, Installation, environment, on_free_ports

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(*command):
    subprocess.run([*command], check=True, env=environment(), cwd=ROOT)


def test_the_installed_wheel_serves_and_sends(tmp_path):
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").glob("fillpath-*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "empty")
    program = tmp_path / "empty/bin/fillpath"
    install = [*PIP, "--python", tmp_path / "empty/bin/python", "install", "--no-compile"]
    run(*install, "--require-hashes", "-r", "requirements/run.txt")
    run(*install, "--no-deps", "--no-index", wheel)

    installation = Installation(tmp_path, on_free_ports(), program)
    with installation.serving():
        done = installation.fillpath("send", "--symbol", "BTC/USDT", "--side", "buy", "--quantity", "0.01")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FILLED")
    packages = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in packages if not name.endswith(".dist-info")} == {"service", "telemetry"}
