"""Servers are found again by pid and start time: what has only the pid is somebody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from scripts.lib.stack.errors import StackError
from scripts.lib.stack.processes import Record, ServerProcess, start_of

SLEEPS = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)",
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path, "sleeper")
    yield server
    server.kill()


def started(server: ServerProcess, command: list[str], folder: Path) -> Record:
    server.start(command, os.environ, folder, "1.2.3")
    until = time.monotonic() + 30
    while "here" not in server.log.read_text("utf-8"):
        assert time.monotonic() < until
        time.sleep(0.01)
    record = server.running()
    assert record is not None
    return record


def test_a_server_is_found_again_by_another_process(server: ServerProcess, tmp_path: Path) -> None:
    record = started(server, SLEEPS, tmp_path)
    again = ServerProcess(tmp_path, "sleeper").running()
    assert again == record
    assert record.version == "1.2.3"
    assert os.getsid(record.pid) == record.pid


def test_it_can_be_stopped_by_an_object_that_did_not_start_it(server: ServerProcess, tmp_path: Path) -> None:
    record = started(server, SLEEPS, tmp_path)
    assert ServerProcess(tmp_path, "sleeper").stop()
    assert start_of(record.pid) is None
    assert server.running() is None
    assert not server.stop()


def test_a_pid_used_again_is_neither_running_nor_killed(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPS, stdout=subprocess.DEVNULL) as other:
        try:
            file = tmp_path / "run" / "sleeper.pid"
            file.parent.mkdir()
            file.write_bytes(msgspec.json.encode(Record(pid=other.pid, started="an earlier time", version="1.2.3")))
            server = ServerProcess(tmp_path, "sleeper")
            assert server.running() is None
            assert not server.stop()
            server.kill()
            assert other.poll() is None
        finally:
            other.kill()


def test_one_that_ignores_the_end_is_killed(
    server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.lib.stack.processes._STOP_WITHIN_S", 0.5)
    record = started(server, STUBBORN, tmp_path)
    assert server.stop()
    assert start_of(record.pid) is None


def test_one_that_ended_by_itself_does_not_run(server: ServerProcess, tmp_path: Path) -> None:
    server.start([sys.executable, "-c", ""], os.environ, tmp_path, "1")
    until = time.monotonic() + 30
    while server.running() is not None:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"sleeper cannot be started: .*/nowhere/program"):
        ServerProcess(tmp_path, "sleeper").start(["/nowhere/program"], os.environ, tmp_path, "1")


def test_its_log_goes_on_after_a_restart(server: ServerProcess, tmp_path: Path) -> None:
    started(server, SLEEPS, tmp_path)
    server.stop()
    server.start(SLEEPS, os.environ, tmp_path, "1.2.3")
    until = time.monotonic() + 30
    while server.log.read_text("utf-8").count("here") < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
