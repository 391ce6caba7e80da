"""Programs: where they are looked for, which will do, and what is said of those that are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lib.stack import builds, debian
from scripts.lib.stack.errors import StackError
from scripts.lib.stack.programs import Found, Missing, find, get
from scripts.lib.stack.versions import ALERTMANAGER, AMTOOL, JAEGER, OTELCOL, PROMETHEUS, PROMTOOL, Program

ALL_PROGRAMS = (OTELCOL, JAEGER, PROMETHEUS, PROMTOOL, ALERTMANAGER, AMTOOL)


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def program(folder: Path, name: str, version: str) -> Path:
    return script(
        folder / name, f'echo "{name}, version {version} (branch: debian/sid)"; echo "  go version: go1.19.8"'
    )


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An empty PATH and an empty cache."""
    (tmp_path / "path").mkdir()
    return {"PATH": str(tmp_path / "path"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_a_path_in_the_environment_wins(tmp_path: Path, environ: dict[str, str]) -> None:
    program(tmp_path / "path", "prometheus", "2.50.0")
    named = program(tmp_path / "own", "prometheus", "3.1.2")
    found = find(PROMETHEUS, environ | {"FILLPATH_PROMETHEUS": str(named)})
    assert found == Found(named, "3.1.2", "FILLPATH_PROMETHEUS")


def test_a_wrong_path_in_the_environment_is_told_and_nothing_else_is_tried(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    program(tmp_path / "path", "prometheus", "2.50.0")
    found = find(PROMETHEUS, environ | {"FILLPATH_PROMETHEUS": "/nowhere/prometheus"})
    assert isinstance(found, Missing)
    assert found.final
    assert "FILLPATH_PROMETHEUS: /nowhere/prometheus does not run" in found.reason


def test_what_debian_ships_will_do(tmp_path: Path, environ: dict[str, str]) -> None:
    on_path = program(tmp_path / "path", "prometheus", "2.42.0+ds")
    assert find(PROMETHEUS, environ) == Found(on_path, "2.42.0", "PATH")


def test_one_that_is_too_old_is_passed_over(tmp_path: Path, environ: dict[str, str]) -> None:
    program(tmp_path / "path", "prometheus", "2.31.2")
    cached = program(builds.built(PROMETHEUS.build, environ), "prometheus", "3.5.0")
    assert find(PROMETHEUS, environ) == Found(cached, "3.5.0", "cache")


def test_one_that_lacks_something_is_passed_over(tmp_path: Path, environ: dict[str, str]) -> None:
    program(tmp_path / "path", "otelcol", "0.159.0")
    contrib = program(tmp_path / "path", "otelcol-contrib", "0.159.0")

    def check(_: Program, path: Path) -> str | None:
        return None if path == contrib else "unknown type: redaction"

    assert find(OTELCOL, environ, check) == Found(contrib, "0.159.0", "PATH")


def test_the_version_of_a_build_without_one_is_not_guessed(tmp_path: Path, environ: dict[str, str]) -> None:
    script(tmp_path / "path" / "jaeger", """echo '{"gitCommit":"","gitVersion":"","buildDate":""}'""")
    found = find(JAEGER, environ)
    assert isinstance(found, Missing)
    assert "does not tell its version" in found.reason


def test_all_that_is_missing_is_listed_together_with_the_way_to_get_it(environ: dict[str, str]) -> None:
    with pytest.raises(StackError) as raised:
        get(ALL_PROGRAMS, environ)
    text = str(raised.value)
    for each in ALL_PROGRAMS:
        assert f"{each.name} {'.'.join(map(str, each.least))} or newer: not on the PATH, and not built yet" in text
        assert f"set {each.variable} to its path" in text
    assert "no `go` on the PATH; building needs Go 1.25 or newer" in text
    assert "docker" not in text
    assert not (Path(environ["XDG_CACHE_HOME"]) / "fillpath").exists()


def test_docker_is_named_only_where_an_engine_answers(tmp_path: Path, environ: dict[str, str]) -> None:
    docker = script(tmp_path / "path" / "docker", "exit 1")
    with pytest.raises(StackError) as without:
        get([JAEGER], environ)
    script(docker, "exit 0")
    with pytest.raises(StackError) as answered:
        get([JAEGER], environ)
    assert "docker compose up" not in str(without.value)
    assert "`docker compose up` gives all of the stack" in str(answered.value)


@pytest.mark.parametrize(
    ("version", "toolchain", "builds_here"),
    [
        ("go1.25.0", "local", True),
        ("go1.26.8", "auto", True),
        ("go1.24.3", "auto", True),
        ("go1.24.3", "local", False),
        ("go1.19.8", "", False),
    ],
)
def test_a_go_that_is_too_old_is_told_with_the_version_that_is_needed(
    tmp_path: Path, environ: dict[str, str], version: str, toolchain: str, *, builds_here: bool
) -> None:
    script(tmp_path / "path" / "go", f'echo {version}; echo "{toolchain}"')
    reason = builds.why_not(environ)
    assert (reason is None) == builds_here
    if reason is not None:
        assert f"is {version}; building needs Go 1.25 or newer" in reason


def test_packages_are_installed_only_when_asked_or_in_ci(tmp_path: Path, environ: dict[str, str]) -> None:
    assert debian.why_not(environ, asked=True) == "there is no apt-get here"
    script(tmp_path / "path" / "apt-get", "exit 0")
    for asked, ci in ((False, ""), (False, "false"), (True, ""), (False, "true")):
        reason = debian.why_not(environ | {"CI": ci}, asked=asked)
        # Without root the answer is no either way.
        assert reason is None or "root" in reason or (not asked and ci != "true" and "not asked" in reason)
        if not asked and ci != "true":
            assert reason is not None


def test_no_daemon_starts_while_packages_are_installed(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with debian.daemons_stopped(policy):
        assert "exit 101" in policy.read_text("utf-8")
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()


def test_the_switch_is_taken_away_when_the_installation_fails(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with pytest.raises(StackError), debian.daemons_stopped(policy):
        raise StackError("apt-get failed")
    assert not policy.exists()


def test_a_switch_that_is_there_already_stays(tmp_path: Path) -> None:
    policy = script(tmp_path / "policy-rc.d", "exit 0")
    with debian.daemons_stopped(policy):
        pass
    assert "exit 0" in policy.read_text("utf-8")
