"""Where the servers are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from scripts.lib.stack import Ports, StackError
from scripts.lib.stack.processes import Record, start_of
from scripts.lib.validate.places import Places, shown

MOVED = Ports.default().moved({"FILLPATH_PORT_PROMETHEUS": "19090"})


def stack(folder: Path, *, running: bool) -> Path:
    """A stack's folder as it is after a start, with this process as the only server where one runs."""
    (folder / "run").mkdir(parents=True)
    (folder / "run/ports.json").write_bytes(msgspec.json.encode(MOVED))
    (folder / "fillpath.toml").write_text("")
    if running:
        record = Record(pid=os.getpid(), started=start_of(os.getpid()) or "", version="1")
        (folder / "run/jaeger.pid").write_bytes(msgspec.json.encode(record))
    return folder


def test_where_no_stack_was_started_the_documented_ports_are_asked(tmp_path: Path) -> None:
    places = Places.find(tmp_path, {})

    assert places.prometheus == "http://127.0.0.1:9090"
    assert places.grafana == "http://127.0.0.1:3000"
    assert places.collector == "http://127.0.0.1:13133/"
    assert places.config is None


def test_a_running_stack_says_where_it_is_and_how_its_service_is_configured(tmp_path: Path) -> None:
    places = Places.find(stack(tmp_path, running=True), {})

    assert places.prometheus == "http://127.0.0.1:19090"
    assert places.config == tmp_path / "fillpath.toml"


def test_a_stack_that_has_ended_says_nothing(tmp_path: Path) -> None:
    assert Places.find(stack(tmp_path, running=False), {}) == Places.find(tmp_path / "none", {})


def test_variables_that_move_ports_come_first(tmp_path: Path) -> None:
    environ = {"FILLPATH_PORT_JAEGER_QUERY": "26686", "FILLPATH_GRAFANA_PORT": "23000"}
    places = Places.find(stack(tmp_path, running=True), environ)

    assert (places.jaeger, places.grafana) == ("http://127.0.0.1:26686", "http://127.0.0.1:23000")
    assert places.prometheus == "http://127.0.0.1:9090"


def test_variables_move_the_service_too(tmp_path: Path) -> None:
    places = Places.find(tmp_path, {"FILLPATH_PORT_SERVICE": "18080"})

    assert (places.service, places.operator) == ("http://127.0.0.1:18080", None)


def test_a_stack_that_runs_where_the_variables_say_is_known_by_them(tmp_path: Path) -> None:
    places = Places.find(stack(tmp_path, running=True), {"FILLPATH_PORT_PROMETHEUS": "19090"})

    assert places.config == tmp_path / "fillpath.toml"


def test_a_variable_that_moves_no_port_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="FILLPATH_PORT_NOSUCH"):
        Places.find(tmp_path, {"FILLPATH_PORT_NOSUCH": "1"})


def test_what_is_given_wins(tmp_path: Path) -> None:
    places = Places.find(tmp_path, {}).but({"jaeger": "http://elsewhere:1/", "grafana": None})

    assert (places.jaeger, places.grafana) == ("http://elsewhere:1", "http://127.0.0.1:3000")


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("http://user:secret@host:1/path?token=secret", "http://host:1/path"),
        ("http://host:1/path", "http://host:1/path"),
        ("http://host:1/path?token=secret", "http://host:1/path"),
        ("http://user:secret@host:port", "that address"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address: str, text: str) -> None:
    assert shown(address) == text
