"""scripts/run and scripts/test in a fresh copy of the project, in a folder with a space in its name."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import sys

import pytest

from tests.acceptance.conftest import Running, copy_of_the_project, environment, on_free_ports

FIRST_START_S = 300.0
SECOND_START_S = 10.0
TOOLS = ("sh", "dirname", "cat", "cp", "ln", "mkdir", "rm")
BASE_PYTHON = os.path.realpath(sys.executable)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy in which scripts/run was started once, and what that start said."""
    root = copy_of_the_project(tmp_path_factory.mktemp("a folder") / "fill path")
    first = Running([root / "scripts/run"], root.parent, on_free_ports())
    first.ready(FIRST_START_S)
    first.stop()
    return root, first


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A copy in which nothing was ever installed."""
    return copy_of_the_project(tmp_path_factory.mktemp("bare") / "fillpath")


def start(root, environ):
    return Running([root / "scripts/run"], root, environ)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def path_with(folder, **programs):
    """A PATH of a few tools and these programs, given as shell scripts."""
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool))
    for name, script in programs.items():
        program = folder / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return environment(PATH=str(folder))


def test_the_first_start_makes_private_files_and_says_little(project):
    root, first = project

    assert mode(root / "var") == 0o700
    assert mode(root / "var/fillpath.toml") == 0o600
    assert {mode(file) for file in (root / "var/secrets").iterdir()} == {0o600}
    assert len(first.output.splitlines() + first.notes) <= 12, first.output + first.errors
    for file in (root / "var/secrets").iterdir():
        assert file.read_text("utf-8").strip() not in first.output + first.errors


def test_the_second_start_is_quick_and_its_command_can_be_pasted(project):
    root, _ = project
    again = start(root, on_free_ports())
    try:
        assert again.ready() < SECOND_START_S
        command = again.output.splitlines()[-1].strip()
        done = subprocess.run(
            command, shell=True, cwd=root, env=environment(), capture_output=True, text=True, check=False
        )
    finally:
        again.stop()

    assert ".venv/bin/fillpath send --symbol BTC/USDT --side buy --quantity 0.01" in command
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FILLED")
    assert again.notes == []


def test_a_taken_port_is_one_line_that_names_it(project):
    root, _ = project
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = start(root, on_free_ports() | {"FILLPATH_PORT": str(port)})

        assert refused.ended() == 1

    assert re.fullmatch(rf"fillpath: 127\.0\.0\.1:{port} is taken .*FILLPATH_PORT.*\n", refused.errors)


def test_two_at_the_same_time_install_once_and_both_run(project, tmp_path):
    root, _ = project
    with (root / "pyproject.toml").open("a") as file:
        file.write("\n")
    environs = [on_free_ports() | {"FILLPATH_DATA_DIR": str(tmp_path / name)} for name in ("one", "two")]

    both = [start(root, environ) for environ in environs]
    try:
        for each in both:
            each.ready(FIRST_START_S)
    finally:
        for each in both:
            each.stop()

    assert sum("installing" in "".join(each.notes) for each in both) == 1


def test_scripts_test_passes_its_arguments_to_pytest_and_a_run_after_it_installs_nothing(project):
    root, _ = project
    done = subprocess.run(
        [root / "scripts/test", "tests/unit/cli/test_banner.py", "-q"],
        cwd=root.parent,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    again = start(root, on_free_ports())
    try:
        again.ready()
    finally:
        again.stop()

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ passed", done.stdout, re.MULTILINE)
    assert again.notes == []


def test_a_python_that_only_pretends_to_run_is_passed_over(bare, tmp_path):
    environ = path_with(
        tmp_path / "bin",
        python3_13='echo "python3.13: command not found" >&2; exit 127',
        python3="exit 1",
    )

    done = subprocess.run([bare / "scripts/run"], env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "fillpath: needs Python 3.11 or newer and found none: install one (`apt install python3 python3-venv`) or uv"
    ]


def test_the_python_asked_for_is_taken_and_one_that_does_not_run_is_one_line_that_names_it(bare, tmp_path):
    asked = tmp_path / "asked"
    asked.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec "{BASE_PYTHON}" "$@"\necho "asked for" "$2" >&2; exit 9\n')
    asked.chmod(0o755)

    taken, refused = (
        subprocess.run(
            [bare / "scripts/run"], env=environment(PYTHON=str(python)), capture_output=True, text=True, check=False
        )
        for python in (asked, tmp_path / "not there")
    )

    assert (taken.returncode, taken.stderr) == (9, "asked for run\n")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"fillpath: PYTHON={tmp_path}/not there is no Python 3.11 or newer that runs: ")


def test_the_systems_python_comes_before_others_of_the_path(bare, tmp_path):
    able = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    system = subprocess.run(["/bin/sh", "-c", f"/usr/bin/python3 -c '{able}'"], capture_output=True, check=False)
    environ = path_with(tmp_path / "bin", python3_14="echo 'asked instead' >&2; exit 0")
    script = ". scripts/lib/setup.sh; find_python"

    found, alone = (
        subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=bare,
            env=environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        for path in (environ["PATH"] + ":/usr/bin", environ["PATH"])
    )

    assert found.stdout.startswith("/usr/bin/python3" if system.returncode == 0 else "python3.14")
    assert alone.stdout == "python3.14\n"


def test_a_python_without_the_venv_module_is_one_line_that_names_the_package(bare, tmp_path):
    (tmp_path / "ensurepip.py").write_text("raise ImportError('not installed')")
    environ = path_with(tmp_path / "bin", python3=f'PYTHONPATH="{tmp_path}" exec "{BASE_PYTHON}" "$@"')

    done = subprocess.run([bare / "scripts/test"], env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_installation_that_fails_shows_why_and_is_not_taken_for_done(bare):
    lock = bare / "requirements/dev.txt"
    lock.write_text("msgspec==0.0.1 --hash=sha256:" + "0" * 64 + "\n")
    environ = environment(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(bare))

    done = subprocess.run([bare / "scripts/test"], env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "msgspec==0.0.1" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("fillpath: installing the dependencies failed")
    assert not (bare / ".venv/fillpath-stamp").exists()
