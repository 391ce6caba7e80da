"""Builds into the cache: whole or not there at all, once, and told why when they fail."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from scripts.lib.stack import builds
from scripts.lib.stack.errors import StackError, silent
from scripts.lib.stack.versions import ALERTMANAGER_BUILD, JAEGER_BUILD, OTELCOL_BUILD, PROMETHEUS_BUILD, Build

ALL_BUILDS = (OTELCOL_BUILD, JAEGER_BUILD, PROMETHEUS_BUILD, ALERTMANAGER_BUILD)
BUILD = Build(
    name="tool",
    inputs=("otel-collector/manifest.yaml",),
    steps=(("go", "install", "tool"),),
    outputs={"tool": "bin/tool"},
    minutes=1,
)


def go(tmp_path: Path, text: str) -> dict[str, str]:
    """A PATH on which `go` is a script."""
    file = tmp_path / "path" / "go"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)
    return {"PATH": f"{file.parent}:{os.defpath}", "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_a_build_leaves_its_programs_and_nothing_else(tmp_path: Path) -> None:
    environ = go(tmp_path, 'test -f manifest.yaml && mkdir bin && echo "$GOBIN" > bin/tool')
    folder = builds.make(BUILD, environ, silent)
    assert [file.name for file in folder.iterdir()] == ["tool"]
    assert folder == builds.built(BUILD, environ)
    assert sorted(file.name for file in folder.parent.iterdir()) == sorted([folder.name, "tool.lock", "tool.log"])


def test_what_is_built_is_not_built_again(tmp_path: Path) -> None:
    environ = go(tmp_path, f"echo x >> {tmp_path}/runs; mkdir bin && echo > bin/tool")
    for _ in range(3):
        builds.make(BUILD, environ, silent)
    assert (tmp_path / "runs").read_text("utf-8") == "x\n"


def test_two_at_once_build_it_once(tmp_path: Path) -> None:
    environ = go(tmp_path, f"echo x >> {tmp_path}/runs; mkdir bin; sleep 0.5; echo > bin/tool")
    both = [threading.Thread(target=builds.make, args=(BUILD, environ, silent)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert (tmp_path / "runs").read_text("utf-8") == "x\n"


def test_a_failed_build_shows_its_last_words_and_leaves_nothing_to_be_found(tmp_path: Path) -> None:
    environ = go(tmp_path, "mkdir bin; echo > bin/tool; echo 'cannot find module tool' >&2; exit 3")
    with pytest.raises(StackError, match=r"(?s)`go install` ended with status 3.*cannot find module tool.*tool\.log"):
        builds.make(BUILD, environ, silent)
    assert not builds.built(BUILD, environ).exists()
    assert not list(builds.cache(environ).glob(".tool-*"))


def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path) -> None:
    environ = go(tmp_path, "mkdir bin && echo > bin/tool")
    left = builds.cache(environ) / ".tool-left"
    left.mkdir(parents=True)
    builds.make(BUILD, environ, silent)
    assert not left.exists()


def test_progress_is_told_with_the_time_and_the_last_line(tmp_path: Path) -> None:
    told: list[str] = []
    builds.make(BUILD, go(tmp_path, "echo compiling things; sleep 1.5; mkdir bin && echo > bin/tool"), told.append)
    assert any("building tool (0:01 of about 1 min) compiling things" in line for line in told), told


@pytest.mark.parametrize("build", ALL_BUILDS, ids=lambda build: build.name)
def test_the_key_changes_with_every_input(tmp_path: Path, build: Build) -> None:
    for name in build.inputs:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((builds.ROOT / name).read_bytes())
    assert builds.key(build, tmp_path) == builds.key(build)
    for name in build.inputs:
        with (tmp_path / name).open("ab") as file:
            file.write(b"\n")
        assert builds.key(build, tmp_path) != builds.key(build)


def test_the_cache_is_where_the_user_keeps_caches() -> None:
    assert builds.cache({"XDG_CACHE_HOME": "/somewhere"}) == Path("/somewhere/fillpath/programs")
    assert builds.cache({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/fillpath/programs"
    assert builds.cache({}) == Path.home() / ".cache/fillpath/programs"
