"""The image of the service, by a linter and by what it promises; nothing is built here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.unit.deploy.files import DOCKERFILE, ROOT, dockerfile

HADOLINT = Path(sys.executable).with_name("hadolint")


def final_stage() -> list[tuple[str, str]]:
    instructions = dockerfile()
    last = max(index for index, (word, _) in enumerate(instructions) if word == "FROM")
    return instructions[last:]


def arguments(word: str) -> list[str]:
    return [rest for found, rest in final_stage() if found == word]


def test_the_linter_finds_nothing() -> None:
    done = subprocess.run([HADOLINT, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_every_stage_begins_with_the_same_exact_tag_whose_source_is_named() -> None:
    bases = {rest.partition(" ")[0] for word, rest in dockerfile() if word == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", bases.pop())
    assert "docker-library/official-images" in DOCKERFILE.read_text("utf-8")


def test_what_is_installed_is_what_the_lock_names() -> None:
    installs = [rest for word, rest in dockerfile() if word == "RUN" and " install " in rest and "pip" in rest]
    assert any("--require-hashes --requirement requirements/run.txt" in rest for rest in installs)
    assert all(
        rest.count("--no-cache-dir") == len(re.findall(r"\binstall --no-cache-dir", rest)) >= 1 for rest in installs
    )
    assert any("--no-deps --no-build-isolation ." in rest for rest in installs)


def test_it_runs_as_a_fixed_user_that_is_not_root() -> None:
    user = arguments("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    owners = [rest for rest in arguments("RUN") if "/var/lib/fillpath" in rest]
    assert f"--uid {user.partition(':')[0]} " in owners[0]
    assert "--mode 0700 /var/lib/fillpath" in owners[0]


def test_data_is_in_the_volume_and_nowhere_else() -> None:
    assert arguments("VOLUME") == ["/var/lib/fillpath"]
    assert "FILLPATH_DATA_DIR=/var/lib/fillpath" in " ".join(arguments("ENV"))


def test_start_and_stop_reach_the_service_itself() -> None:
    assert json.loads(arguments("ENTRYPOINT")[0]) == ["fillpath"]
    assert json.loads(arguments("CMD")[0]) == ["serve"]
    assert arguments("STOPSIGNAL") == ["SIGTERM"]


def test_the_health_check_asks_the_service_in_exec_form() -> None:
    _, _, command = arguments("HEALTHCHECK")[0].partition(" CMD ")
    assert "/healthz" in json.loads(command)[-1]


def test_what_is_copied_is_let_through_and_nothing_with_secrets_is() -> None:
    ignore = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert ignore[0] == "*"
    copied = {
        source for word, rest in dockerfile() if word == "COPY" and "--from" not in rest for source in rest.split()[:-1]
    }
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)
