"""scripts/bench as its users meet it: a few seconds of everything that ends by itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

from scripts.lib.bench.service import ROWS
from tests.acceptance.conftest import ROOT, environment

BENCH = [sys.executable, "-m", "scripts.lib.bench"]
SHORT = ["--rounds", "1", "--seconds", "0.5", "--warm", "0.2", "--open-seconds", "0.5", "--rates", "50"]
SHORT += ["--growth-rounds", "1", "--growth-seconds", "1", "--orders", "200", "--connections", "8"]
SHORT += ["--unit-orders", "10", "--unit-rounds", "1", "--engines", "off,sdk", "--open-engines", "sdk"]


def bench(*arguments, **options):
    command = [*BENCH, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, **options)


def test_the_default_sections_give_their_figures_as_tables_and_as_json(tmp_path):
    file = tmp_path / "figures.json"

    done = bench(*SHORT, "--growth-engine", "off", "--json", str(file), timeout=240)

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text("utf-8"))
    assert found.keys() == {"machine", "sections", "bars"}
    assert found["machine"]["python"]
    sections = found["sections"]
    assert sections.keys() == {"unit", "service", "open-loop", "growth"}
    assert all(section["complete"] for section in sections.values())
    assert sections["unit"]["calls"]["request"] == 1
    assert all({"lean", "sdk"} == cost.keys() for cost in sections["unit"]["cpu_us"].values())
    engines = sections["service"]["engines"]
    assert engines.keys() == {"off", "sdk"}
    for figures in engines.values():
        assert set(ROWS.values()) <= figures.keys()
        assert figures["filled"] == figures["acknowledged"] > 0
        assert figures["refused"] == 0
    (load,) = sections["open-loop"]["loads"]
    assert (load["engine"], load["rate"], load["refused"], load["unanswered"]) == ("sdk", 50, 0, 0)
    sizes = sections["growth"]["sizes"]
    assert sizes.keys() == {"0", "200"}
    assert all(0 < figures["ready_s"] < 60 for figures in sizes.values())
    assert {bar["section"] for bar in found["bars"]} == {"unit", "growth"}
    for heading in ("\nunit\n", "\nservice\n", "\nopen-loop\n", "\ngrowth\n", "fsync of 4 KiB"):
        assert heading in done.stdout


def test_an_interrupt_ends_every_process_and_prints_what_is_there(tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    command = [*BENCH, "service", "--engines", "off", "--rounds", "20", "--seconds", "0.5", "--warm", "0"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(TMPDIR=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not list(folder.glob("*/service/off-1")):  # the first round is through
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "no second round within a minute"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 130, said + errors
    assert "service (not complete)" in said
    assert "FILLED/s" in said
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in left
    assert list(folder.iterdir()) == []


def test_a_wrong_argument_is_told_before_anything_starts():
    done = bench("speed", timeout=60)

    assert done.returncode == 2
    assert "expected one of unit, service, open-loop, growth, exchange, soak" in done.stderr
