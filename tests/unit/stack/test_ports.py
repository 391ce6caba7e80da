"""The stack's ports: documented, movable one by one, told when they are taken."""

from __future__ import annotations

import socket
from dataclasses import asdict

import pytest

from scripts.lib.stack import Addresses, Ports, StackError


def test_the_documented_ports_differ() -> None:
    ports = Ports.default()
    ports.check_distinct()
    assert (ports.service, ports.operator, ports.prometheus, ports.jaeger_query) == (8080, 8081, 9090, 16686)
    assert (ports.otlp_http, ports.jaeger_otlp_http) == (4318, 14318)


def test_free_ports_differ_and_can_be_bound() -> None:
    ports = asdict(Ports.free())
    assert len(set(ports.values())) == len(ports)
    for port in ports.values():
        with socket.socket() as one:
            one.bind(("127.0.0.1", port))


def test_a_variable_moves_one_port_and_its_address() -> None:
    ports = Ports.default().moved({"FILLPATH_PORT_PROMETHEUS": "19090", "HOME": "/nowhere"})
    assert ports.prometheus == 19090
    assert ports.alertmanager == Ports.default().alertmanager
    assert Addresses.of(ports).prometheus == "http://127.0.0.1:19090"


@pytest.mark.parametrize("value", ["", "0", "65536", "many", "-1", "80.5"])
def test_what_is_no_port_is_refused_by_name(value: str) -> None:
    with pytest.raises(StackError, match="FILLPATH_PORT_JAEGER_QUERY"):
        Ports.default().moved({"FILLPATH_PORT_JAEGER_QUERY": value})


def test_a_variable_that_moves_nothing_is_refused_with_those_that_do() -> None:
    with pytest.raises(StackError, match=r"FILLPATH_PORT_PROMETEUS moves no port.*FILLPATH_PORT_PROMETHEUS"):
        Ports.default().moved({"FILLPATH_PORT_PROMETEUS": "19090"})


def test_two_servers_on_one_port_are_refused() -> None:
    with pytest.raises(StackError, match=r"9093.*FILLPATH_PORT_PROMETHEUS.*FILLPATH_PORT_ALERTMANAGER"):
        Ports.default().moved({"FILLPATH_PORT_PROMETHEUS": "9093"})


def test_each_taken_port_is_told_with_the_variable_that_moves_it() -> None:
    ports = Ports.free()
    with socket.create_server(("127.0.0.1", ports.prometheus)):
        taken = ports.taken(["prometheus", "alertmanager"])
    assert len(taken) == 1
    assert str(ports.prometheus) in taken[0]
    assert "FILLPATH_PORT_PROMETHEUS=" in taken[0]
