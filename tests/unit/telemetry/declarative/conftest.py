"""Configuration files, and engines that were started with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from jsonschema import Draft202012Validator

from telemetry.choice import choose
from telemetry.config import TelemetryConfig
from telemetry.declarative.document import Declaration
from telemetry.facade import Telemetry
from telemetry.setup import build_telemetry

Declare = Callable[[str], dict[str, str]]
Obey = Callable[[str], Telemetry]


@pytest.fixture(autouse=True)
def _the_schema_itself_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the library checks anew with every file, for most of a second's CPU in three files."""
    monkeypatch.setattr(Draft202012Validator, "check_schema", lambda *_, **__: None)


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """A file with this content, of format 1.0 where it names none, and the environment that names the file."""

    def write(text: str) -> dict[str, str]:
        path = tmp_path / "otel.yaml"
        text = dedent(text)
        path.write_text(text if "file_format" in text else f'file_format: "1.0"\n{text}', "utf-8")
        return {"OTEL_CONFIG_FILE": str(path)}

    return write


@pytest.fixture
def read(declare: Declare) -> Callable[[str], Declaration]:
    def choose_it(text: str) -> Declaration:
        declaration = choose("lean", None, declare(text)).declaration
        assert declaration is not None
        return declaration

    return choose_it


@pytest.fixture
def obey(declare: Declare, config: TelemetryConfig) -> Iterator[Obey]:
    """An engine that does as the file says; ended with the test."""
    running: list[Telemetry] = []

    def start(text: str) -> Telemetry:
        running.append(build_telemetry(config, declare(text)))
        return running[-1]

    yield start
    for engine in running:
        engine.close(5)
