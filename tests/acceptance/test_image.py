"""The Dockerfile's own steps, without an engine: its commands build, its entry point serves, its health is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.acceptance.conftest import ROOT, Installation, Running, environment, free_ports
from tests.unit.deploy.files import dockerfile

HEALTHY_WITHIN_S = 20.0


def built(folder: Path) -> Path:
    """The build stage with this machine's Python; the folder that stands for `/opt/fillpath`."""
    source, program = folder / "src", folder / "opt"
    environ = environment(PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", PIP_DISABLE_PIP_VERSION_CHECK="1")
    stage = dockerfile()
    for word, rest in stage[: next(index for index, one in enumerate(stage) if one[0] == "FROM" and index)]:
        if word == "COPY":
            *names, to = rest.split()
            for name in names:
                copy(ROOT / name, source / to / name if to == "./" else source / to)
        elif word == "RUN":
            command = rest.replace("/opt/fillpath", str(program))
            done = subprocess.run(["sh", "-euc", command], cwd=source, env=environ, capture_output=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stdout.decode()}{done.stderr.decode()}"
    return program


def copy(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, to)


def final(word: str) -> str:
    """The last instruction of that name."""
    return [rest for found, rest in dockerfile() if found == word][-1]


def in_image(folder: Path, program: Path, ports: tuple[int, int]) -> dict[str, str]:
    """The final stage's environment, with paths and addresses of this machine."""
    names = dict(pair.split("=", 1) for pair in final("ENV").split())
    moved = {
        "PATH": f"{program}/bin:{os.environ['PATH']}",
        "FILLPATH_DATA_DIR": str(folder / "data"),
        "FILLPATH_HOST": "127.0.0.1",
        "FILLPATH_OPERATOR_HOST": "127.0.0.1",
    }
    assert set(moved) <= set(names)
    return names | moved | {"FILLPATH_PORT": str(ports[0]), "FILLPATH_OPERATOR_PORT": str(ports[1])}


def healthy(environ: dict[str, str], port: int) -> bool:
    command = json.loads(final("HEALTHCHECK").partition(" CMD ")[2].replace(":8080/", f":{port}/"))
    assert str(port) in command[-1]
    return subprocess.run(command, env=environ, capture_output=True, timeout=30, check=False).returncode == 0


def test_the_images_steps_build_and_what_they_build_serves_and_is_healthy(tmp_path: Path) -> None:
    program = built(tmp_path)
    assert not list(program.glob("bin/pip*"))
    public, operator = free_ports(2)
    environ = in_image(tmp_path, program, (public, operator))
    assert not healthy(environ, public)
    before = sorted(program.rglob("*"))

    entry = [*json.loads(final("ENTRYPOINT")), *json.loads(final("CMD"))]
    running = Running([program / "bin" / entry[0], *entry[1:]], tmp_path, environ)
    try:
        running.ready()
        deadline = time.monotonic() + HEALTHY_WITHIN_S
        while not healthy(environ, public):
            assert time.monotonic() < deadline, running.errors
        sent = Installation(tmp_path, environ, program / "bin" / "fillpath").fillpath(
            "send", "--symbol", "BTC/USDT", "--side", "buy", "--quantity", "0.01"
        )
        assert sent.stdout.startswith("FILLED"), sent.stderr
    finally:
        running.stop()
    assert running.ended() == 0
    assert sorted(program.rglob("*")) == before, "its files are read-only in a container"
